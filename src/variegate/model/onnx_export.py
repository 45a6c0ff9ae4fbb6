"""A model as one ONNX file, which other programs run without PyTorch; compared with the model before it is written."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.capabilities import Completes, HasMemory
from ..core.errors import ConfigError
from ..core.files import replacing
from ..core.interfaces import Generator, Size
from ..data.conditions import Condition, Labels
from ..methods import method_from_mapping
from .batched import PlainOperators, batched
from .generator import LoadedGenerator
from .onnx_words import metadata

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-4  # of images in [-1, 1], to which a file must agree with the model
OPSET = 18
FATAL = 4  # onnxruntime prints nothing below: what fails is tried otherwise
LARGEST = 2**31 - 2**20  # bytes of one file
DRAWS = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
ONE_SIZE = ("flow", "moment_predictor", "autoencoder")  # generators whose codes or vectors belong to one size


class Exported(NamedTuple):
    """A file that was written."""

    path: Path
    inputs: tuple[str, ...]  # condition, code; without those that the model has not
    difference: float  # the greatest from the model's own images, in [-1, 1]
    sizes: str  # heights and widths that it takes, in words


class Drawing(nn.Module):
    """Rows of conditions and codes to an image each; the size is in the condition, or else fixed."""

    def __init__(self, generator: Generator, conditioned: bool, size: Size) -> None:
        super().__init__()
        self.generator, self.conditioned, self.size = generator, conditioned, size

    def forward(self, first: Tensor, code: Tensor | None = None) -> Tensor:
        """(B, K, H, W) and (B, D), or the only one of them that there is."""
        rows, unconditional = first.shape[0], not self.conditioned
        condition = first.new_zeros(rows, 0, *self.size) if unconditional else first
        given = first if unconditional else first.new_zeros(rows, 0) if code is None else code
        image: Tensor = self.generator.decode(self.generator.encode(condition), given)
        return image.clamp(-1, 1)


def export_onnx(model: LoadedGenerator, path: Path, condition: Tensor | None = None) -> Exported:
    """See `Model.export_onnx`."""
    require_packages()
    check_exportable(model)
    generator = model.generator
    conditioned = bool(model.condition.channels)
    inputs = tuple(name for name, there in (("condition", conditioned), ("code", generator.code_size)) if there)
    if not inputs:
        raise ConfigError(f"this {model.name} model has neither conditions nor codes; there is nothing to give a file")
    network = Drawing(batched(generator).cpu().eval(), conditioned, model.size)
    multiple, worst = size_multiple(model), float("nan")
    for export, any_size in ((scripted, True), (traced, True), (scripted, False), (traced, False)):
        if any_size and multiple is None:
            continue
        made = export(network, model, inputs, multiple if any_size else None)
        if made is None:
            continue
        told = metadata(generator, model.condition, model.record, multiple if any_size else None)
        content = tidied(made, told, model.name)
        worst = compare(content, model, inputs, condition, multiple if any_size else None)
        if worst <= TOLERANCE:
            break
    else:
        raise ConfigError(
            f"this {model.name} model does not fit the operators of ONNX, or a file would draw other images (by "
            f"{worst:.2g} of [-1, 1]); nothing was written; give --format safetensors"
        )
    with replacing(path) as aside:
        aside.write_bytes(content)
    return Exported(path, inputs, worst, told["sizes"])


def require_packages() -> None:
    """Raises ConfigError if a package that writes or runs ONNX files is missing."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"ONNX files need the package {missing[0]}: pip install 'variegate[onnx]'")


def check_exportable(model: LoadedGenerator) -> None:
    """Raises ConfigError for what cannot be one fixed graph of operators."""
    remedy = "give --format safetensors, which keeps the whole model"
    if isinstance(model.generator, Completes):
        raise ConfigError(
            f"this {model.name} model draws every value given all before it, thousands of passes that an ONNX file "
            f"cannot hold; {remedy}, or train flow-student or cimle, which draw in one pass"
        )
    if isinstance(model.generator, HasMemory):
        raise ConfigError(
            f"this {model.name} model searches its training images for every condition, which an ONNX file cannot "
            f"hold; {remedy}, or train cimle, which copies nothing"
        )
    if model.generator.agree is not None:
        raise ConfigError("what makes samples consistent is not part of the network; load the model without it")


def size_multiple(model: LoadedGenerator) -> int | None:
    """What height and width may be multiples of; None if the code or the network belongs to one size."""
    method = method_from_mapping(model.record.method, f"this {model.name} model")
    if not model.condition.channels or not method.randomness.any_size() or method.generator.kind in ONE_SIZE:
        return None
    return int(getattr(model.generator, "stride", 1))


def least(generator: Generator, multiple: int) -> int:
    """The smallest height or width, in units of `multiple`."""
    return max(1, -(-int(getattr(generator, "smallest", 1)) // multiple))


def larger(model: LoadedGenerator, multiple: int) -> Size:
    """A size at which no side of any map is 1 or another special number."""
    height, width = (2 * multiple * max(least(model.generator, multiple), -(-side // multiple)) for side in model.size)
    return height, width


def example(model: LoadedGenerator, size: Size, rows: int = 2, first: int = 0) -> tuple[Tensor, ...]:
    """Random conditions (B, K, H, W) and codes (B, D), as far as the model has them; equal numbers, equal values."""
    given = []
    if model.condition.channels:
        given.append(random_conditions(model.condition, rows, size, first))
    if model.generator.code_size:
        given.append(model.codes(rows, seed=2024, first=first))
    return tuple(given)


def random_conditions(condition: Condition, rows: int, size: Size, seed: int) -> Tensor:
    """Encoded, of values that this kind of condition has."""
    stream = torch.Generator().manual_seed(seed)
    if isinstance(condition, Labels):
        raw = torch.randint(condition.classes, (rows, 1, *size), generator=stream, dtype=torch.uint8)
        edges = torch.randint(2, (rows, condition.planes - 1, *size), generator=stream, dtype=torch.uint8)
        return condition.encode(torch.cat([raw, edges], dim=1))
    return 2 * torch.rand(rows, condition.channels, *size, generator=stream) - 1


def scripted(network: Drawing, model: LoadedGenerator, inputs: Sequence[str], multiple: int | None) -> Any:
    """The graph as recorded in one run, which takes a second; None if it cannot be one.

    What depends on the size only through Python's numbers is fixed by this run, so the file must be compared.
    """
    given = example(model, model.size if multiple is None else larger(model, multiple))
    sides = {2: "height", 3: "width"} if multiple is not None else {}
    free = {"condition": {0: "rows"} | sides, "code": {0: "rows"}, "image": {0: "rows"} | sides}
    import onnx

    with quietly(), torch.no_grad(), PlainOperators(), tempfile.TemporaryDirectory() as aside:
        try:
            torch.onnx.export(
                network,
                given,
                Path(aside) / "model.onnx",
                input_names=list(inputs),
                output_names=["image"],
                dynamic_axes={name: free[name] for name in (*inputs, "image")},
                opset_version=OPSET,
                dynamo=False,
            )
        except Exception:  # of many kinds; also of a PyTorch that has only the other exporter
            return None
        return onnx.load(Path(aside) / "model.onnx")


def traced(network: Drawing, model: LoadedGenerator, inputs: Sequence[str], multiple: int | None) -> Any:
    """The graph with symbolic sizes, which takes up to minutes and has more operators; None if it cannot be one."""
    rows: dict[int, Any] = {0: torch.export.Dim("rows", min=1)}
    sides: dict[int, Any] = {}
    if multiple is not None:
        smallest = least(model.generator, multiple)
        units = [torch.export.Dim(name, min=smallest, max=2**14) for name in ("height", "width")]
        sides = {2 + i: unit if multiple == 1 else multiple * unit for i, unit in enumerate(units)}
    shapes = [rows | sides if name == "condition" else rows for name in inputs]
    given = example(model, model.size if multiple is None else larger(model, multiple))
    with quietly(), torch.no_grad():
        try:
            named = dict(zip(("first", "code"), shapes))
            program = torch.export.export(network, given, dynamic_shapes=named, strict=False)
            made = torch.onnx.export(
                program,
                input_names=list(inputs),
                output_names=["image"],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except Exception:  # of many kinds
            return None
    return None if made is None else made.model_proto


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep the exporter's progress and advice off the screen."""
    noisy = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx", "torch.export")]
    levels = [logger.level for logger in noisy]
    for logger in noisy:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(noisy, levels):
            logger.setLevel(level)


def tidied(proto: onnx.ModelProto, told: dict[str, str], name: str) -> bytes:
    """The file's bytes: with what it tells of itself, without what the exporter noted about this machine's files."""
    for node in proto.graph.node:
        if node.op_type in DRAWS:
            raise ConfigError(f"this {name} model draws random numbers besides its code; give --format safetensors")
    for part in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.initializer, *proto.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    del proto.metadata_props[:]
    for key, value in told.items():
        proto.metadata_props.add(key=key, value=value)
    proto.producer_name, proto.producer_version = "variegate", ""
    if proto.ByteSize() > LARGEST:
        raise ConfigError(
            f"this {name} model is larger than 2 GB, which one ONNX file cannot be; give --format safetensors"
        )
    return proto.SerializeToString(deterministic=True)


def compare(
    content: bytes, model: LoadedGenerator, inputs: Sequence[str], condition: Tensor | None, multiple: int | None
) -> float:
    """The greatest difference of the file's images from the model's: of one row and of three, and of a second size."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    running = onnxruntime.RunOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = running.log_severity_level = FATAL
    tries = [example(model, model.size, rows, first=7) for rows in (1, 3)]
    if multiple is not None:
        fitting = [(-(-side // multiple) * multiple) for side in model.size]
        tries = [example(model, (fitting[0], fitting[1]), rows, first=7) for rows in (1, 3)]
        more = multiple * least(model.generator, multiple)
        tries.append(example(model, (fitting[0] + more, fitting[1] + 2 * more), 2, first=9))
    if condition is not None and model.condition.channels:
        held = condition.cpu()
        if multiple is not None:
            held = fitted(held, multiple, least(model.generator, multiple))
        tries.append((held, *example(model, model.size, 1, first=11)[1:]))
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime's own classes are not public
        return float("inf")
    worst = 0.0
    for given in tries:
        image = drawn(model, given)
        try:
            [found] = session.run(None, {name: one.contiguous().numpy() for name, one in zip(inputs, given)}, running)
        except Exception:
            return float("inf")
        if found.shape != image.shape:
            return float("inf")
        worst = max(worst, float((torch.from_numpy(found) - image).abs().max()))
    return worst


def fitted(condition: Tensor, multiple: int, smallest: int) -> Tensor:
    """A condition (1, K, H, W) cropped, or its border repeated, to H and W that are at least `smallest` multiples."""
    height, width = (multiple * max(smallest, side // multiple) for side in condition.shape[-2:])
    more = (0, max(0, width - condition.shape[-1]), 0, max(0, height - condition.shape[-2]))
    return F.pad(condition, more, mode="replicate")[..., :height, :width]


@torch.no_grad()
def drawn(model: LoadedGenerator, given: tuple[Tensor, ...]) -> Tensor:
    """The model's own images (B, C, H, W), row by row as it draws them."""
    network = Drawing(model.generator, bool(model.condition.channels), model.size)
    rows = [network(*(one[i : i + 1].to(model.device) for one in given)) for i in range(len(given[0]))]
    return torch.cat(rows).float().cpu()
