"""How an image was made, written into its PNG or beside it in a ZIP, so that it can be made again."""

from __future__ import annotations

import base64
import binascii
import io
import json
import logging
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import TypeAdapter
from safetensors.torch import save
from torch import Tensor

from ..core.errors import CheckpointError, DataError
from ..core.images import to_pil, to_unit
from ..core.sampling import draw_rows
from ..model.samples import Samples
from . import wire
from .conditions import png_bytes
from .shelf import Entry
from .uploads import text_of

logger = logging.getLogger(__name__)

KEY = "variegate"
LONGEST = 900_000  # characters of a recipe in a PNG; Pillow reads texts of up to 1 MB
MOST_UNPACKED = 64 * 2**20  # bytes
NO_ARCHIVE = (  # what reading raises: not a ZIP, without an entry, cut short, packed in a way unknown here, encrypted
    zipfile.BadZipFile,
    KeyError,
    EOFError,
    OSError,
    zlib.error,
    RuntimeError,
    ValueError,  # and what is in it is not what the studio writes
)
ENTRIES = {"request.json": 64 * 2**20, "model.json": 2**20}  # what is read of a ZIP, and the most bytes of each
REDRAW = """These images were sampled by variegate. Sample them again, with the
same bits on the same device with as many threads:

    variegate sample RUN --from-zip THIS.zip --out again

where RUN is the model named in model.json ("street" is the one that ships with variegate). request.json has the
condition, which condition.png shows, and for each image its code: a seed and an index, or a share of the way between
two.
"""


def recipe(entry: Entry, request: wire.SampleRequest, code: Any, layout: str, raw: Tensor) -> wire.Recipe:
    return wire.Recipe(
        model=entry.identity,
        weights=entry.weights,
        layout=layout,
        code=code,
        condition=request.condition,
        size=(raw.shape[1], raw.shape[2]),
    )


def check_recipe(request: wire.SampleRequest) -> None:
    """Raises DataError if the condition of a request is too large to be written into a PNG."""
    if len(base64.b64encode(zlib.compress(request.condition.model_dump_json().encode()))) > LONGEST:
        raise DataError("the condition is too large to be written into a PNG; save it without, or a ZIP")


def packed(made: wire.Recipe) -> str:
    return base64.b64encode(zlib.compress(made.model_dump_json(exclude={"known"}).encode(), 9)).decode()


def unpacked(text: str) -> bytes:
    """Raises ValueError if it is not what `packed` makes, or longer than a request may be."""
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(base64.b64decode(text, validate=True), MOST_UNPACKED)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(str(error)) from None
    if not unpacking.eof:
        raise ValueError("it is cut short, or too long")
    return content


def with_recipe(image: Image.Image, made: wire.Recipe) -> bytes:
    """A PNG that carries its recipe."""
    info = PngInfo()
    info.add_text(KEY, packed(made))
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def read_recipe(data: str) -> wire.Recipe | None:
    """The recipe in a PNG (base64); None if it has none.

    Raises:
        DataError: it is not a picture, or its recipe is damaged.
    """
    text = text_of(data, KEY, "the file")
    if text is None:
        return None
    try:
        return wire.Recipe.model_validate_json(unpacked(text))
    except ValueError:  # pydantic's errors are some of these
        raise DataError("the recipe in this PNG is damaged, or of a newer variegate") from None


def archive(
    entry: Entry, request: wire.SampleRequest, raw: Tensor, codes: Tensor, images: Sequence[Image.Image]
) -> bytes:
    """A ZIP of images, codes, condition and what the model is; `redraw` makes the images again."""
    file = io.BytesIO()
    about = {"weights": entry.weights, "name": entry.identity, "computed": computed(entry)}
    about |= entry.model.record.model_dump(mode="json")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("README.txt", REDRAW)
        content.writestr("request.json", request.model_dump_json(indent=1))
        content.writestr("model.json", json.dumps(about, indent=1))
        content.writestr("condition.png", png_bytes(to_pil(entry.model.condition.to_image(raw))))
        content.writestr("codes.safetensors", save({"codes": codes.contiguous()}))
        for number, image in enumerate(images):
            content.writestr(f"images/{number:02}.png", png_bytes(image), zipfile.ZIP_STORED)
    return file.getvalue()


def read_archive(path: Path) -> tuple[wire.SampleRequest, dict[str, Any]]:
    """The request in a ZIP, and what its model was. Only two entries are read, and no more of them than is allowed.

    Raises:
        CheckpointError: it is no such ZIP.
    """
    try:
        with zipfile.ZipFile(path) as content:
            texts = {}
            for name, most in ENTRIES.items():
                with content.open(name) as stream:
                    texts[name] = stream.read(most + 1)
                if len(texts[name]) > most:
                    raise CheckpointError(f"{path}: {name} is larger than {most // 2**20} MB")
        about = TypeAdapter(dict[str, Any]).validate_json(texts["model.json"])
        return wire.SampleRequest.model_validate_json(texts["request.json"]), about
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except NO_ARCHIVE:
        raise CheckpointError(f"{path} is not a ZIP that the studio saved; save one again") from None


def redraw(path: Path, entry: Entry) -> Samples:
    """Make the images of a ZIP again.

    Raises:
        CheckpointError: it is no such ZIP, or another model made its images.
    """
    request, about = read_archive(path)
    if about.get("weights") != entry.weights:
        raise CheckpointError(
            f"{path}: was drawn by {about.get('name')} (weights {about.get('weights')}), "
            f"but {entry.place} has weights {entry.weights}; give the model that drew it"
        )
    if about.get("computed") != computed(entry):
        logger.warning(f"{path}: was sampled on {about.get('computed')}, now {computed(entry)}: last bits may differ")
    raw = entry.read(request.condition, request.size)
    codes = entry.codes(codes_wanted(request))
    images = draw_rows(entry.model.generator, entry.model.encode(raw), codes)
    return Samples(to_unit(images), codes, None)


def computed(entry: Entry) -> str:
    """What decides the last bits of an image."""
    return f"{entry.model.device.type}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def codes_wanted(request: wire.SampleRequest) -> list[Any]:
    """The codes of a request, in order."""
    if request.codes is not None:
        return [*request.codes]
    return [wire.Seeded(seed=request.seed, index=request.first + i) for i in range(request.n)]
