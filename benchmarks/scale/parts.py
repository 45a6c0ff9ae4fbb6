"""What a million images need beside the GPU, measured on one core here: PNGs encoded, images read and decoded."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import torch
from PIL import Image

from variegate.core.images import to_pil, to_uint8
from variegate.core.interfaces import Size

IMAGES = 24
TIMES = 3


def photographs(folder: Path, size: Size) -> list[Image.Image]:
    """The first images of a folder, at a size."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))[:IMAGES]
    if not files:
        raise FileNotFoundError(f"{folder} holds no photographs; give another --photographs")
    return [Image.open(file).convert("RGB").resize(size[::-1], Image.Resampling.BICUBIC) for file in files]


def parts(images: list[Image.Image]) -> dict[str, Any]:
    """Processor seconds and bytes of an image, medians of repeats."""
    tensors = [torch.from_numpy(np.array(image)).permute(2, 0, 1) / 127.5 - 1 for image in images]
    coded = [encoded(tensor) for tensor in tensors]
    return {
        "png_seconds": seconds(lambda: [encoded(tensor) for tensor in tensors]) / len(images),
        "png_bytes": round(sum(map(len, coded)) / len(images)),
        "read_seconds": seconds(lambda: [read(one) for one in coded]) / len(images),
    }


def encoded(tensor: torch.Tensor) -> bytes:
    """An image in [-1, 1] as the PNG that `variegate sample` writes."""
    file = BytesIO()
    to_pil(to_uint8(tensor)).save(file, "PNG")
    return file.getvalue()


def read(coded: bytes) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(BytesIO(coded)).convert("RGB"))).permute(2, 0, 1).float()


def seconds(task: Callable[[], object]) -> float:
    """Processor seconds, which other work on the machine hardly changes."""
    times = []
    for _ in range(TIMES):
        began = process_time()
        task()
        times.append(process_time() - began)
    return median(times)
