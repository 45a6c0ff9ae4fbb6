"""An embedding on disk, and in use: `config.json` and `model.safetensors` in the `model` folder of a run."""

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
    """Everything that decides what is learned."""

    size: Size = Field((64, 64), description="H, W that images are resized to")
    length: int = Field(128, ge=1, description="numbers of a vector")
    width: int = Field(32, ge=1, description="channels of the first convolution")
    steps: int = Field(3000, ge=1, description="batches")
    people: int = Field(24, ge=2, description="in a batch")
    pictures: int = Field(4, ge=2, description="of each of them")
    margin: float = Field(0.2, gt=0, le=4, description="between squared distances, which are 0 to 4")
    learning_rate: float = Field(1e-3, gt=0)
    seed: int = Field(0, ge=0, lt=2**22)


class EmbeddingRecord(Config):
    """What is needed to build the network again and to say what it is."""

    kind: Literal["embedding"] = "embedding"
    settings: Settings
    data: str
    step: int
    versions: dict[str, str]


class Embeds(Protocol):
    """What gives vectors, with the size it wants to see."""

    @property
    def size(self) -> Size | None:
        """H, W; None for the images' own."""

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] to (B, D)."""


class Embedding:
    """A trained network: images (B, 3, H, W) in [-1, 1] to vectors (B, D) of length 1, on the CPU.

    The nearer two vectors, the likelier it is the same person. It can be given to `evaluate(embedding=...)`.
    """

    name = "Embedding"

    def __init__(self, network: EmbeddingNetwork, record: EmbeddingRecord) -> None:
        self.network, self.record = network.eval().requires_grad_(False), record
        self.size: Size = record.settings.size

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Self:
        """From the folder that `variegate embed train` wrote.

        Raises:
            CheckpointError: there is no embedding there, or it is damaged.
            ConfigError: there is no such device.
        """
        require_device(device)
        folder = model_folder(Path(path))
        file = folder / "config.json"
        if not file.is_file():
            raise CheckpointError(f"{folder} holds no embedding; give a folder that `variegate embed train` wrote")
        try:
            record = EmbeddingRecord.model_validate_json(file.read_bytes())
        except ValueError:
            raise CheckpointError(
                f"{file} is not that of an embedding, or damaged; give a folder that `variegate embed train` wrote"
            ) from None
        network = EmbeddingNetwork(record.settings.length, record.settings.width)
        load_weights(network, read_weights(folder), folder / "model.safetensors")
        return cls(network.to(device), record)

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors` aside, then put them in the place of `folder`."""
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
        """What is done to the images' size, in words."""
        return "{} x {}, bicubic, antialiased".format(*self.size)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != 3:
            raise DataError(f"images have shape {tuple(images.shape)}; right would be (B, 3, H, W) in [-1, 1]")
        device = next(self.network.parameters()).device
        return torch.cat([self.network(self.at_own_size(part.to(device))).cpu() for part in images.split(CHUNK)])

    def at_own_size(self, images: Tensor) -> Tensor:
        """At the size of training."""
        if images.shape[-2:] == self.size:
            return images.float()
        return F.interpolate(images.float(), self.size, mode="bicubic", align_corners=False, antialias=True)


def open_embedding(path: str | Path, device: str = "cpu") -> Embeds:
    """Of a run of `variegate embed train`, or of an ONNX file, which sees RGB normalised as for ImageNet.

    Raises:
        CheckpointError, WeightsError: it is neither, or damaged.
        ConfigError: onnxruntime is not installed, or there is no such device.
    """
    return OnnxNetwork(path) if Path(path).suffix.lower() == ".onnx" else Embedding.load(path, device)
