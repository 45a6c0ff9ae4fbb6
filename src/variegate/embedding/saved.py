"""Saved embeddings, stored as `config.json` and `model.safetensors` in a run's `model` folder, and their use."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, Self

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ..core.config import Config
from ..core.device import require_device
from ..core.errors import CheckpointError, DataError
from ..core.files import saving
from ..core.interfaces import Size
from ..networks.onnx import OnnxNetwork
from ..networks.weights import tensor_digest
from ..runs.saved_model import load_weights, model_folder, read_weights
from .network import EmbeddingNetwork

CHUNK = 64  # images at a time


class Settings(Config):
    """All settings that affect the trained network."""

    size: Size = Field((64, 64), description="(H, W) that images are resized to")
    length: int = Field(128, ge=1, description="dimension of the vectors")
    width: int = Field(32, ge=1, description="channels of the first convolution")
    steps: int = Field(3000, ge=1, description="number of batches")
    people: int = Field(24, ge=2, description="people per batch")
    pictures: int = Field(4, ge=2, description="images per person in a batch")
    margin: float = Field(0.2, gt=0, le=4, description="margin between squared distances, which are 0 to 4")
    learning_rate: float = Field(1e-3, gt=0)
    seed: int = Field(0, ge=0, lt=2**22)


class EmbeddingRecord(Config):
    """Everything needed to rebuild the network and to describe it."""

    kind: Literal["embedding"] = "embedding"
    settings: Settings
    data: str
    step: int
    versions: dict[str, str]


class Embeds(Protocol):
    """Maps images of a certain size to vectors."""

    @property
    def size(self) -> Size | None:
        """The (H, W) that it expects; None for any."""

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] to (B, D)."""


class Embedding:
    """A trained network: images (B, 3, H, W) in [-1, 1] to vectors (B, D) of length 1, on the CPU.

    The closer two vectors, the more likely it is the same person. It can be passed to `evaluate(embedding=...)`.
    """

    name = "Embedding"

    def __init__(self, network: EmbeddingNetwork, record: EmbeddingRecord) -> None:
        self.network, self.record = network.eval().requires_grad_(False), record
        self.size: Size = record.settings.size

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Self:
        """Load an embedding from a folder written by `variegate embed train`.

        Raises:
            CheckpointError: there is no embedding there, or it is damaged.
            ConfigError: there is no such device.
        """
        require_device(device)
        folder = model_folder(path)
        file = folder / "config.json"
        if not file.is_file():
            raise CheckpointError(f"{folder} contains no embedding; give a folder written by `variegate embed train`")
        try:
            record = EmbeddingRecord.model_validate_json(file.read_bytes())
        except ValueError:
            raise CheckpointError(
                f"{file} does not describe an embedding or is damaged; give a folder written by `variegate embed train`"
            ) from None
        network = EmbeddingNetwork(record.settings.length, record.settings.width)
        load_weights(network, read_weights(folder), folder / "model.safetensors")
        return cls(network.to(device), record)

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors` to a temporary folder, then replace `folder` with it."""
        with saving(folder) as aside:
            tensors = {key: tensor.contiguous() for key, tensor in self.network.state_dict().items()}
            save_file(tensors, aside / "model.safetensors", metadata={"format": "pt"})
            (aside / "config.json").write_text(self.record.model_dump_json(indent=2))

    @property
    def digest(self) -> str:
        """First 12 hex digits of the sha256 of its weights."""
        return tensor_digest(self.network.state_dict())

    @property
    def resize(self) -> str:
        """A description of how images are resized."""
        return "{} x {}, bicubic, antialiased".format(*self.size)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != 3:
            raise DataError(f"images must have shape (B, 3, H, W) and values in [-1, 1], got {tuple(images.shape)}")
        device = next(self.network.parameters()).device
        return torch.cat([self.network(self.at_own_size(part.to(device))).cpu() for part in images.split(CHUNK)])

    def at_own_size(self, images: Tensor) -> Tensor:
        """Resize images to the training size."""
        if images.shape[-2:] == self.size:
            return images.float()
        return F.interpolate(images.float(), self.size, mode="bicubic", align_corners=False, antialias=True)


def open_embedding(path: str | Path, device: str = "cpu") -> Embeds:
    """Open the run of `variegate embed train`, or an ONNX file, whose input is RGB with ImageNet normalisation.

    Raises:
        CheckpointError, WeightsError: the path is neither, or damaged.
        ConfigError: onnxruntime is not installed, or there is no such device.
    """
    return OnnxNetwork(path) if Path(path).suffix.lower() == ".onnx" else Embedding.load(path, device)
