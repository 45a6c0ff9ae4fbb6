"""`variegate embed apply`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True)
class EmbedApply:
    """Embed every image in a folder. Writes .npy in file order, or .npz or .safetensors with file names."""

    embedding: Positional[Path]
    """a run of `variegate embed train`, or an ONNX file that takes RGB with ImageNet normalisation"""
    folder: Positional[Path]
    """a folder of images, including its sub-folders"""
    out: Path
    """a new file"""
    device: Literal["cpu", "cuda", "mps"] = "cpu"

    def run(self) -> None:
        from ..embedding import embed_folder, open_embedding

        names, vectors = embed_folder(open_embedding(self.embedding, self.device), self.folder, self.out)
        print(f"{self.out}: {len(names)} vectors of length {vectors.shape[1]}")
