"""Third-party networks in ONNX files, run by onnxruntime on the CPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import ConfigError, DataError, WeightsError
from ..core.images import to_unit
from .features import IMAGENET_MEAN, IMAGENET_STD
from .weights import file_digest

Colour = tuple[float, float, float]
CHUNK = 32  # images at a time, unless the file fixes it


class OnnxNetwork:
    """(B, 3, H, W) in [-1, 1] to the first output of a file, (B, ...).

    Images are resized to the file's input size if that is fixed (bilinear, antialiased), and mapped from [-1, 1] to
    [0, 1]; then each colour (RGB) is normalised by `mean` and `deviation`.

    Raises:
        ConfigError: onnxruntime is not installed.
        WeightsError: the file is missing or damaged, or its input is not one batch of RGB images.
    """

    def __init__(self, path: str | Path, mean: Colour = IMAGENET_MEAN, deviation: Colour = IMAGENET_STD) -> None:
        self.path = Path(path)
        self.session = open_session(self.path)
        try:
            inputs = self.session.get_inputs()
            shape = list(inputs[0].shape)
        except (IndexError, ValueError):  # none, or names that are no text
            raise WeightsError(f"{path}: is damaged, or has no input; copy it again") from None
        if len(inputs) != 1 or len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
            found = ", ".join(f"{one.name} {one.shape}" for one in inputs)
            raise WeightsError(f"{path}: expected one input of RGB images (B, 3, H, W), got {found}")
        self.input = inputs[0].name
        self.chunk = shape[0] if isinstance(shape[0], int) else CHUNK
        self.size = (shape[2], shape[3]) if isinstance(shape[2], int) and isinstance(shape[3], int) else None
        self.mean, self.deviation = (torch.tensor(one).view(3, 1, 1) for one in (mean, deviation))
        self.digest = file_digest(self.path)

    @property
    def resize(self) -> str:
        """How images are resized, in words."""
        return f"{self.size[0]} x {self.size[1]}, bilinear, antialiased" if self.size else "none"

    @property
    def value_range(self) -> str:
        """The value range that the network sees, in words."""
        mean, deviation = (" ".join(f"{float(value):.3g}" for value in one) for one in (self.mean, self.deviation))
        return f"RGB in [0, 1] less {mean}, divided by {deviation}"

    def __call__(self, images: Tensor) -> Tensor:
        seen = to_unit(images.detach().cpu().float())
        if self.size is not None and seen.shape[-2:] != self.size:
            seen = F.interpolate(seen, self.size, mode="bilinear", align_corners=False, antialias=True)
        parts = [self.run(part) for part in ((seen - self.mean) / self.deviation).split(self.chunk)]
        return torch.cat(parts)

    def run(self, part: Tensor) -> Tensor:
        """Run at most `chunk` normalised images; a batch size fixed by the file is filled up."""
        missing = self.chunk - len(part) if isinstance(self.session.get_inputs()[0].shape[0], int) else 0
        filled = torch.cat([part, part[-1:].expand(missing, -1, -1, -1)]) if missing else part
        try:
            output = np.asarray(self.session.run(None, {self.input: filled.numpy()})[0], dtype=np.float32)
        except Exception as error:  # onnxruntime's own classes are not public
            told = " ".join(str(error).split())[:200]
            raise WeightsError(f"{self.path}: cannot be run on {tuple(filled.shape)} images ({told})") from None
        return torch.from_numpy(output)[: len(part)]


class OnnxNormals:
    """Surface normals by an ONNX file: (B, 3, H, W) in [-1, 1] to unit vectors (B, 3, H, W), or zero where it is 0."""

    def __init__(self, network: OnnxNetwork) -> None:
        self.network = network

    def __call__(self, images: Tensor) -> Tensor:
        found = self.network(images)
        if found.ndim != 4 or found.shape[1] != 3:
            raise DataError(
                f"{self.network.path}: normals must have shape (B, 3, H, W), with x, y, z, got {tuple(found.shape)}"
            )
        if found.shape[-2:] != images.shape[-2:]:
            found = F.interpolate(found, images.shape[-2:], mode="bilinear", align_corners=False)
        return F.normalize(found, dim=1)


def open_session(path: Path) -> Any:
    """Open a file in onnxruntime, with as many threads as PyTorch uses."""
    if find_spec("onnxruntime") is None:
        raise ConfigError(f"{path}: reading ONNX files needs the package onnxruntime: pip install 'variegate[onnx]'")
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file; give the path of an ONNX file")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes are not public
        raise WeightsError(f"{path} is not a valid ONNX file ({str(error).splitlines()[0]}); copy it again") from None
