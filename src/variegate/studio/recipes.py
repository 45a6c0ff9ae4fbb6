"""How an image was made, written into its PNG or beside it in a ZIP, so that it can be made again."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save
from torch import Tensor

from ..core.errors import CheckpointError, DataError
from ..core.sampling import draw_rows
from ..model.samples import Samples
from . import wire
from .shelf import Entry
from .uploads import text_of

KEY = "variegate"
LONGEST = 900_000  # characters of a recipe in a PNG; Pillow reads texts of up to 1 MB
ENTRIES = {"request.json": 64 * 2**20, "model.json": 2**20}  # what is read of a ZIP, and the most bytes of each
REDRAW = """These images were drawn by variegate. Draw them again, to the bit on the same machine, with

    variegate sample RUN --from-zip THIS.zip --out again

where RUN is the model named in model.json ("street" is the one that ships with variegate). request.json has the
condition and, for each image, its code: a seed and an index, or a share of the way between two.
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


def with_recipe(image: Image.Image, made: wire.Recipe) -> bytes:
    """A PNG that carries its recipe.

    Raises:
        DataError: the condition is too large for that.
    """
    text = made.model_dump_json(exclude={"known"})
    if len(text) > LONGEST:
        raise DataError("the condition is too large to be written into a PNG; save it without, or a ZIP")
    info = PngInfo()
    info.add_itxt(KEY, text, zip=True)
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
        return wire.Recipe.model_validate_json(text)
    except ValidationError:
        raise DataError("the recipe in this PNG is damaged, or of a newer variegate") from None


def archive(entry: Entry, request: wire.SampleRequest, codes: Tensor, images: Sequence[Image.Image]) -> bytes:
    """A ZIP of images, codes, condition and what the model is; `redraw` makes the images again."""
    file = io.BytesIO()
    about = {"weights": entry.weights, "name": entry.identity, **entry.model.record.model_dump(mode="json")}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("README.txt", REDRAW)
        content.writestr("request.json", request.model_dump_json(indent=1))
        content.writestr("model.json", json.dumps(about, indent=1))
        content.writestr("codes.safetensors", save({"codes": codes.contiguous()}))
        for number, image in enumerate(images):
            one = io.BytesIO()
            image.save(one, "PNG")
            content.writestr(f"images/{number:02}.png", one.getvalue(), zipfile.ZIP_STORED)
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
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
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
    raw = entry.read(request.condition, request.size)
    codes = entry.codes(codes_wanted(request))
    with torch.no_grad():
        images = draw_rows(entry.model.generator, entry.model.encode(raw), codes)
    return Samples((images + 1) / 2, codes, None)


def codes_wanted(request: wire.SampleRequest) -> list[Any]:
    """The codes of a request, in order."""
    if request.codes is not None:
        return [*request.codes]
    return [wire.Seeded(seed=request.seed, index=request.first + i) for i in range(request.n)]
