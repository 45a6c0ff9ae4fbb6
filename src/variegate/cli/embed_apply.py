"""`variegate embed apply`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True)
class EmbedApply:
    """Write the vector of every image in a folder: .npy in their order; .npz or .safetensors with their names."""

    embedding: Positional[Path]
    """a run of `variegate embed train`, or an ONNX file that reads RGB normalised as for ImageNet"""
    folder: Positional[Path]
    """images, also in sub-folders"""
    out: Path
    """a new file"""
    device: Literal["cpu", "cuda", "mps"] = "cpu"

    def run(self) -> None:
        from ..embedding import embed_folder, open_embedding

        names, vectors = embed_folder(open_embedding(self.embedding, self.device), self.folder, self.out)
        print(f"{self.out}: {len(names)} vectors of {vectors.shape[1]} numbers")
