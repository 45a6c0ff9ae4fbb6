"""`variegate export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ..core.errors import ConfigError, VariegateError, did_you_mean
from .parsing import sampler_of

if TYPE_CHECKING:
    from torch import Tensor

    from ..model.model import Model

FORMATS = ("onnx", "safetensors")
UNPICKLED = ("pt", "pth", "pkl", "pickle", "ckpt", "bin", "torch", "torchscript")


@dataclass(frozen=True)
class ExportModel:
    """Write a run's model for other programs: an ONNX file, checked against the model, or a folder to pass on."""

    run_directory: Positional[Path]
    out: Path
    """the ONNX file, or for safetensors a new folder"""
    file_format: Annotated[str, arg(name="format")] = "onnx"
    """onnx, or safetensors with config.json and a card"""
    guidance: float | None = None
    """flow: how far samples are led away from worse ones, 1: not at all; default: as trained"""
    solver_steps: int | None = None
    """flow: steps from noise to image; default: as trained. An ONNX file holds them one after the other"""

    def run(self) -> None:
        self.check()
        from ..model.model import Model

        sampler = sampler_of(self)
        model = Model.load(self.run_directory, sampler=sampler)
        if self.file_format == "safetensors":
            model.save(self.out)
            print(f"{self.out}: load it with variegate.load; nothing in it needs unpickling")
            return
        made = model.export_onnx(self.out, held_out(self.run_directory, model))
        print(f"{made.path}: from {' and '.join(made.inputs)} to image, of {made.sizes}")
        print(f"its images differ from the model's by at most {made.difference:.1g} of [-1, 1]")

    def check(self) -> None:
        """Raise ConfigError for a format or a name that is none."""
        suffix = self.out.suffix.lower().removeprefix(".")
        if self.file_format in UNPICKLED or (suffix in UNPICKLED and not self.out.is_dir()):
            what = self.file_format if self.file_format in UNPICKLED else suffix
            raise ConfigError(
                f"{what} files are unpickled when they are read, which can run any program; "
                "give --format safetensors or onnx, and a name to go with it"
            )
        if self.file_format not in FORMATS:
            raise ConfigError(f"there is no format {self.file_format!r}; {did_you_mean(self.file_format, FORMATS)}")
        if self.file_format == "onnx" and (suffix != "onnx" or self.out.is_dir()):
            raise ConfigError(f"--out {self.out}: an ONNX file is expected; give a name such as {self.out.name}.onnx")
        if self.file_format == "safetensors" and (suffix in FORMATS or self.out.is_file()):
            raise ConfigError(
                f"--out {self.out}: --format safetensors writes a folder; give one such as {self.out.with_suffix('')}"
            )


def held_out(run: Path, model: Model) -> Tensor | None:
    """The encoded condition of a held-out pair of the run; None if its data are not here."""
    from ..runs.folder import RunFolder

    try:
        return model.encode(RunFolder(run).pairs("held").raw(0)[0])
    except VariegateError:
        return None
