"""What a model becomes for others: a saved folder, a repository on the hub, an ONNX file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ..core.errors import ConfigError
from ..runs.card import card, measured_of
from ..runs.hub import SPELLED, OnHub, push
from ..runs.saved_model import read_record, write_model
from .generator import LoadedGenerator

if TYPE_CHECKING:
    from .onnx_export import Exported


class SharedModel(LoadedGenerator):
    """The part of `Model` that writes for others.

    Attributes:
        folder: what it was loaded from.
    """

    folder: Path | None = None

    def save(self, folder: str | Path) -> None:
        """Write `config.json`, `model.safetensors` and a model card."""
        write_model(Path(folder), self.generator, self.record, self.inverter)

    def push_to_hub(
        self,
        name: str,
        private: bool = False,
        revision: str | None = None,
        license: str = "other",
        token: str | None = None,
    ) -> str:
        """Upload the model to the hub, and return its address; `variegate.load(name)` gets it from there.

        The card has what `variegate evaluate` measured of the run that the model was loaded from.

        Args:
            name: user/name; made if there is no such repository.
            private: others do not see it; of a repository that exists, this stays as it is.
            revision: a branch of it, made if there is none.
            license: by the hub's name for it, such as cc-by-4.0; mind the terms of the data.
            token: default: HF_TOKEN, or of `hf auth login`.

        Raises:
            CheckpointError: the hub cannot be reached, does not know you or refuses.
            ConfigError: that is no name, the token is none, or the repository holds something else.
        """
        given = SPELLED.fullmatch(name)
        if given is None or given[3]:
            raise ConfigError(f"{name!r} is not a name on the hub; give user/name, and a branch as revision")
        text = card(self.record, name if revision is None else f"{name}@{revision}", measured_of(self.folder), license)
        with tempfile.TemporaryDirectory() as aside:
            folder = Path(aside) / "model"
            write_model(folder, self.generator, self.record, self.inverter, text)
            return push(folder, OnHub(name, revision), private, token, read_record)

    def export_onnx(self, path: str | Path, condition: Tensor | None = None) -> Exported:
        """Write an ONNX file: condition (B, K, H, W), encoded, and code (B, D) to image (B, C, H, W) in [-1, 1].

        Args:
            condition: encoded (1, K, H, W), on which the file is compared with this model; default: random values.

        Raises:
            ConfigError: this method cannot be one ONNX file, packages are missing, or the file would draw otherwise.
        """
        from .onnx_export import export_onnx

        return export_onnx(self, Path(path), condition)
