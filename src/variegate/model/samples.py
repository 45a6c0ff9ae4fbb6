"""Sampled images with the codes that reproduce them; saving and loading."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..core.codes import Seed
from ..core.errors import CheckpointError
from ..core.images import sheet, to_pil, unit_to_uint8

if TYPE_CHECKING:
    from PIL import Image

CODES_BYTES = 2**28  # codes larger than this in total are not saved, only their seeds, which reproduce them


@dataclass(frozen=True)
class Samples:
    """Images and what is needed to reproduce them.

    Attributes:
        images: (n, C, H, W) in [0, 1]; C is 1 for grey images.
        codes: (n, D).
        seeds: the (seed, index) of every code, or None for codes that were interpolated or passed in.
        before: (k, C, H, W) in [0, 1], what the images continue; shown first on sheets.
    """

    images: Tensor
    codes: Tensor
    seeds: list[Seed] | None
    before: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def pil(self) -> list[Image.Image]:
        return [to_pil(image) for image in self.bytes()]

    def bytes(self) -> Tensor:
        """uint8 (n, C, H, W), made one by one."""
        return torch.stack([unit_to_uint8(image) for image in self.images])

    def grid(self, columns: int | None = None) -> Image.Image:
        """All images on one sheet, nearly square unless `columns` is given."""
        images = [*(() if self.before is None else unit_to_uint8(self.before)), *self.bytes()]
        across = columns or max(1, round(len(images) ** 0.5))
        return to_pil(sheet([images[i : i + across] for i in range(0, len(images), across)]))

    def save(self, folder: str | Path, name: str = "") -> list[Path]:
        """Write `NAMEseed-index.png` files, `NAMEgrid.png` and `NAMEcodes.safetensors`; returns the image paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        seeds = self.seeds or [(-1, i) for i in range(len(self))]
        files = [folder / (f"{name}{s}-{i}.png" if s >= 0 else f"{name}{i:04d}.png") for s, i in seeds]
        for path, image in zip(files, self.images):
            to_pil(unit_to_uint8(image)).save(path)
        self.grid().save(folder / f"{name}grid.png")
        kept = self.codes if self.codes.numel() * 4 <= CODES_BYTES else torch.empty(0)
        metadata = {"seeds": json.dumps(self.seeds), "files": json.dumps([path.name for path in files])}
        save_file({"codes": kept.contiguous()}, folder / f"{name}codes.safetensors", metadata=metadata)
        return files


def files_of(codes: Path) -> list[Path]:
    """The images that `Samples.save` wrote next to a file of codes; none if that file is missing or damaged."""
    try:
        with safe_open(codes, "pt") as content:
            names = json.loads((content.metadata() or {}).get("files", "[]"))
    except (OSError, SafetensorError, ValueError):
        return []
    known = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return [codes.parent / Path(name).name for name in names] if known else []


def read_codes(path: str | Path) -> Tensor:
    """Codes (n, D), as written by `Samples.save`.

    Raises:
        CheckpointError: the file is missing, damaged or holds no codes (very large ones are saved only as seeds).
    """
    try:
        codes = load_file(path)["codes"]
    except (OSError, SafetensorError, KeyError) as error:
        raise CheckpointError(
            f"{path} holds no codes ({error}); give the codes.safetensors of earlier samples"
        ) from None
    if codes.shape == (0,):  # written by `save` in place of large codes
        raise CheckpointError(f"{path}: its codes were too large to save; give the same --seed instead")
    return codes
