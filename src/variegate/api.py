"""The public verbs as functions: load, train, evaluate."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from .core.config import from_mapping
from .core.errors import CheckpointError, ConfigError
from .core.interfaces import Generator, HasLevels, Size
from .data.conditions.labels import Picture, condition_from_mapping
from .data.dataset.pairs import Pairs, open_data
from .generators.moment_predictor import MomentPredictorConfig
from .generators.pixelcnn import PixelCNNConfig
from .methods import method as preset
from .methods import method_from_mapping
from .methods.preset import Preset
from .model.imported import read_pth
from .model.model import Model, Precision
from .runs.checkpoints import Checkpoints
from .runs.saved_model import ModelRecord, load_weights, read_record, versions, write_model
from .runs.settings import Run
from .training.start import RunConfig, saved_config, start

Network = str | Path | Callable[[Tensor], Tensor]


def load(
    path: str | Path,
    device: str = "cpu",
    precision: Precision = "32-true",
    channels_last: bool = False,
    compile: bool = False,
) -> Model:
    """A trained model from its run directory; the switches are explained at `Model.load`."""
    return Model.load(path, device, precision, channels_last, compile)


def train(
    method: str,
    data: str | Path,
    out: str | Path | None = None,
    size: int | Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    direction: str | None = None,
    condition: str | None = None,
    initial: str | Path | None = None,
    run: Run | None = None,
    unpaired: bool = False,
    predictor: str | Path | None = None,
    grey: bool | None = None,
    **options: Any,
) -> Path:
    """Train a method on a folder of pairs; returns the run directory.

    Args:
        method: a name of `variegate methods`.
        data: a folder, an .npz file, `streets`, `streets:COUNT`, `digits` or `cifar10`.
        size: both sides or (H, W) of the pictures; theirs unless given.
        steps: batches; the method's own number unless given.
        initial: a run of the same method whose weights to start from; it may have been trained at another size. `cimle`
            also starts from a run of `crn`.
        unpaired: conditions and images of the data do not belong together.
        predictor: a moment-predictor's run to use (mrgan with a proxy) instead of training one first.
        grey: images have one channel; as in the data unless given.
        options: the method's options and any dotted setting, such as `noise="input"`, `**{"generator.width": 16}`.

    Raises:
        VariegateError: in words, what is wrong and what would be right.
    """
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in options.items()}
    if steps is not None:
        texts["training.steps"] = str(steps)
    if direction not in (None, "AtoB", "BtoA"):
        raise ConfigError(f"direction {direction!r} is neither AtoB nor BtoA")
    shape = (size, size) if isinstance(size, int) else size
    chosen = preset(method, texts)
    if predictor is not None:
        found = predictor_of(predictor, chosen)
        chosen = Preset.model_validate({**chosen.model_dump(), "previous": found.model_dump()})
    if condition is not None:
        same_task(chosen, condition)
    folder = Path(out) if out else Path("runs") / f"{method}-{Path(str(data).replace(':', '-')).name}"
    config = RunConfig(
        method=chosen,
        data=str(data),
        size=shape,
        direction=direction,
        condition=condition or chosen.derived,
        unpaired=unpaired or chosen.unpaired,
        grey=grey,
        initial=str(initial) if initial else None,
        predictor=str(predictor) if predictor else None,
        run=from_mapping(Run, {**(run or Run()).model_dump(), "seed": seed}, "options"),
    )
    if not start(config, folder, resume):
        raise SystemExit(143)
    return folder


def predictor_of(run: str | Path, method: Preset) -> Preset:
    """The method of a predictor's run.

    Raises:
        ConfigError: the method takes no predictor, or this is none, or one of another family.
    """
    record = read_record(Path(run) / "model")
    found = method_from_mapping(record.method, str(run))
    wanted = method.previous.generator if method.previous is not None else None
    if method.previous_role != "predictor" or not isinstance(wanted, MomentPredictorConfig):
        raise ConfigError(f"--predictor: {method.name} uses none here; leave it out, or add --proxy true to mrgan")
    if not isinstance(found.generator, MomentPredictorConfig):
        raise ConfigError(
            f"--predictor {run}: is a {found.name} run; train one with `variegate train moment-predictor`"
        )
    if found.generator.family != wanted.family:
        raise ConfigError(
            f"--predictor {run}: predicts the {found.generator.family} family; add --family {found.generator.family}"
        )
    return found


def same_task(method: Preset, condition: str) -> None:
    """Raises ConfigError for a condition that the method's network is not built for."""
    kind, wanted = (method.derived or "").partition(":")[0], method.derived
    if (
        isinstance(method.generator, PixelCNNConfig)
        and not method.generator.bottleneck
        and "self" in condition.split("+")
    ):
        raise ConfigError(
            f"{method.name} would read the picture that it is to draw; give --condition none, or train "
            "pixelcnn-autoencoder"
        )
    if kind == "superres" and condition != wanted:
        raise ConfigError(f"{method.name} is built for --condition {wanted}, not {condition}; give --scale its number")
    if kind == "self" and condition != kind:
        raise ConfigError(f"{method.name} reads the picture itself, not --condition {condition}; leave it out")
    if kind == "inpaint" and condition.partition(":")[0] != kind:
        raise ConfigError(f"{method.name} fills holes, and --condition {condition} cuts none; leave it out")


def import_weights(file: str | Path, out: str | Path, code_size: int | None = None, noise: str = "none") -> str:
    """Make a model of a generator's `.pth` file of the public pix2pix or BicycleGAN repositories, in `out`/model.

    Args:
        code_size, noise: see `imported.read_pth`.

    Returns:
        What the file was understood to be, in words.

    Raises:
        CheckpointError: the file is damaged or of another network.
    """
    if noise not in ("none", "dropout"):
        raise ConfigError(f"noise {noise!r} is neither none nor dropout")
    found = read_pth(file, code_size, "dropout" if noise == "dropout" else "none")
    if found.condition_channels not in (1, 3):
        raise ConfigError(
            f"{file}: reads conditions of {found.condition_channels} channels; only pictures can be given"
        )
    method = preset(found.name, found.options)
    generator = method.build_generator(found.condition_channels, found.image_channels, found.size)
    load_weights(generator, found.state, Path(file), "give a file of the public repositories")
    condition = Picture(channels=1 if found.condition_channels == 1 else 3)
    record = ModelRecord(
        method=method.model_dump(mode="json"),
        condition=condition.model_dump(mode="json"),
        condition_channels=found.condition_channels,
        image_channels=found.image_channels,
        size=found.size,
        data=f"unknown: imported from {Path(file).name}",
        step=0,
        seed=0,
        versions=versions(),
    )
    write_model(Path(out) / "model", generator, record)
    return found.note


def data_of(run: str | Path, split: str = "train", data: str | Path | None = None) -> Pairs:
    """The data a run was trained on, or other data read in the same way: its size, direction and classes.

    `split` "held" means test if there is one, else val.
    """
    folder = Path(run)
    config, record = saved_config(folder), read_record(folder / "model")
    condition = condition_from_mapping(record.condition)
    path = data if data is not None else config["data"]
    unpaired = config.get("unpaired", False)
    how = {"direction": config["direction"], "condition": condition, "grey": record.image_channels == 1}
    pairs = open_data(path, record.size, unpaired=unpaired, **how)
    held = next((name for name in ("test", "val") if name in pairs.splits), pairs.split)
    return pairs.of_split(held if split == "held" else split)


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    protocol: str = "default",
    seed: int = 0,
    perceptual: bool = True,
    detector: Network | None = None,
    embedding: Network | None = None,
    normals: Network | None = None,
) -> dict[str, Any]:
    """Measure a run on held-out pairs; writes `metrics.json` and `report.html` into it and returns the numbers.

    Of PixelCNNs also `likelihood.csv`, the bits per dimension of each image.

    Args:
        protocol: a name of `evaluation.protocols.DIVERSITY`, or "likelihood", which draws nothing.
        detector, embedding, normals: ONNX files, or callables of images (B, 3, H, W) in [-1, 1], that give landmarks
            (B, P, 2) in pixels, an embedding (B, D) and unit normals (B, 3, H, W); each adds its numbers. An embedding
            can also be a run of `variegate embed train`.

    Returns:
        {"protocol": {metric: everything needed to measure it again}, "metrics": {metric: {"value", "ci", ...}}}
    """
    from .evaluation.measure import evaluate as measure
    from .evaluation.plugged import networks
    from .evaluation.protocols import LIKELIHOOD
    from .evaluation.report import Report, sections_of, write_report

    folder = Path(run)
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder; give a run directory that `variegate train` wrote")
    if isinstance(embedding, str | Path) and Path(embedding).is_dir():
        from .embedding import Embedding

        embedding = Embedding.load(embedding)
    brought = networks(detector, embedding, normals)
    model, held, real = Model.load(folder), data_of(run, "held", data), data_of(run, "train")
    raw = raw_generator(model, folder) if isinstance(model.generator, HasLevels) else None
    evaluation = measure(model.generator, held, real, protocol, seed, perceptual, brought, raw)
    content, likelihood = evaluation.results.to_dict(), evaluation.likelihood
    write_text(folder / "metrics.json", json.dumps(content, indent=2))
    if likelihood is not None:
        write_text(folder / "likelihood.csv", likelihood.table(held))
    predictor, drawn = load_predictor(folder), protocol != LIKELIHOOD
    sections = sections_of(model, held, evaluation.results, evaluation.counts, folder, predictor, likelihood, drawn)
    title = f"{model.name} on {model.record.data}"
    write_report(folder / "report.html", Report(title, model.record.method["summary"], sections))
    return content


def raw_generator(model: Model, run: str | Path) -> Generator | None:
    """A model's network with the weights that are not averaged, of the same step; None if no checkpoint holds them."""
    weights = Checkpoints(Path(run) / "checkpoints").raw_weights(model.record.step)
    if weights is None:
        return None
    generator = copy.deepcopy(model.generator)
    load_weights(generator, weights, Path(run) / "checkpoints", "remove that folder, or train again")
    return generator


def load_predictor(run: str | Path, device: str = "cpu") -> Model | None:
    """The moment-predictor a run was trained with, or None."""
    if not (Path(run) / "config.yaml").is_file():  # a model alone
        return None
    config = saved_config(Path(run))
    if config["method"].get("previous_role") != "predictor" or config["method"].get("previous") is None:
        return None
    place = Path(config.get("predictor") or Path(run) / "previous")
    return Model.load(place, device) if (place / "model").is_dir() else None


def write_text(path: Path, text: str) -> None:
    """Write beside, then rename."""
    aside = path.with_name(f".{path.name}.writing")
    aside.write_text(text)
    os.replace(aside, path)
