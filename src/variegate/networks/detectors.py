"""Landmark detectors: a small protocol, and ONNX files that implement it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import WeightsError
from ..core.images import to_unit
from . import weights
from .onnx import open_session

CHUNK = 64  # images per forward pass


class Detector(Protocol):
    """Finds the same P points in every image.

    Attributes:
        points: P.
        name: what protocols call the detector.
        digest: first 12 hex digits of the sha256 of its weights.
    """

    points: int
    name: str
    digest: str

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] to x, y (B, P, 2) in pixels, float32 on the CPU; the centre of the first pixel is
        (0, 0)."""


class OnnxLandmarks:
    """An ONNX network with one input, RGB in [0, 1] (B, 3, h, w), and an output (B, 2 P): x, y of each point as
    fractions of the image's width and height. Images are resized to h x w (bilinear, antialiased), so each should show
    one face that fills it. Runs on the CPU.

    Raises:
        ConfigError: onnxruntime is not installed.
        WeightsError: the file is missing, damaged or another kind of network.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = weights.network_file(path)
        self.session = open_session(self.path)
        self.side = _input_size(self.session, self.path)
        batch = self.session.get_inputs()[0].shape[0]
        self.batch = batch if isinstance(batch, int) else None  # if fixed by the file
        self.points = self._relative(torch.zeros(1, 3, *self.side)).shape[1]
        self.name = self.path.name
        self.digest = weights.file_digest(self.path)

    def __call__(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        scale = torch.tensor([width, height], dtype=torch.float32)
        found = [self._relative(self._prepared(chunk)) for chunk in images.split(self.batch or CHUNK) if len(chunk)]
        return torch.cat(found) * scale - 0.5 if found else torch.zeros(0, self.points, 2)

    def _prepared(self, images: Tensor) -> Tensor:
        shares = to_unit(images.detach().cpu().float().clamp(-1, 1))
        return F.interpolate(shares, size=self.side, mode="bilinear", align_corners=False, antialias=True)

    def _relative(self, inputs: Tensor) -> Tensor:
        """(B, 3, h, w) in [0, 1] to fractions of width and height (B, P, 2)."""
        name = self.session.get_inputs()[0].name
        missing = self.batch - len(inputs) if self.batch else 0
        filled = torch.cat([inputs, inputs[-1:].expand(missing, -1, -1, -1)]) if missing else inputs
        values = torch.from_numpy(self.session.run(None, {name: filled.numpy()})[-1])[: len(inputs)]
        if values.ndim != 2 or values.shape[1] % 2 or len(values) != len(inputs):
            raise WeightsError(f"{self.path}: a landmark network gives x and y (B, 2 P), got {tuple(values.shape)}")
        return values.float().unflatten(1, (-1, 2))


def _input_size(session: Any, path: Path) -> tuple[int, int]:
    shape = session.get_inputs()[0].shape
    if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape[2:]):
        raise WeightsError(f"{path}: a landmark network must take (B, 3, h, w) with fixed h and w, got {shape}")
    return shape[2], shape[3]
