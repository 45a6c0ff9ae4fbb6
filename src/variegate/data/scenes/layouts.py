"""Layouts as files: palette pictures, moving ones, and the frames of a sequence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...core.errors import DataError
from ...core.interfaces import Size
from ..conditions.labels import AnyCondition, Colour, Labels
from ..files import images as pictures
from ..files.sources import Source


def palette_picture(ids: NDArray[Any] | Tensor, palette: Sequence[Colour]) -> Image.Image:
    """Class ids (H, W) as a picture whose palette index is the id."""
    picture = Image.fromarray(np.asarray(ids).astype(np.uint8))
    picture.putpalette([value for colour in palette for value in colour])  # also turns the mode from L to P
    return picture


def save_animation(path: str | Path, layouts: Iterable[Tensor], palette: Sequence[Colour], per_second: int = 6) -> Path:
    """Layouts (1, H, W) or (H, W) as one GIF in exact palette colours. Equal neighbours become one longer frame.

    The file is written beside, then renamed.

    Raises:
        DataError: another kind of file, or two classes of one colour, which the file could not tell apart.
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise DataError(f"{path}: an animated label map is written as GIF; name it {path.stem or 'layouts'}.gif")
    if len(set(palette)) < len(palette):
        raise DataError(f"{path}: two classes have the same colour; give each class its own in classes.json")
    first, *rest = [palette_picture(ids.reshape(ids.shape[-2:]), palette) for ids in layouts]
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    first.save(aside, "GIF", save_all=True, append_images=rest, duration=1000 // per_second, loop=0)
    os.replace(aside, path)
    return path


def read_layouts(sources: Iterable[Source], condition: AnyCondition, size: Size | None = None) -> list[Tensor]:
    """The raw conditions, uint8 (c, H, W) each and all of one size, of a sequence.

    Args:
        sources: whatever `condition.read` takes, folders of such files, and files of several frames.

    Raises:
        DataError: a file cannot be read, there is none, or they differ in size.
    """
    raws: list[Tensor] = []
    for source in sources:
        frames: Sequence[Source] = [source]
        if isinstance(source, str | Path) and condition.suffixes:
            frames = frames_of(Path(source), condition)
        for i, frame in enumerate(frames):
            try:
                raws.append(condition.read(frame, size))
            except DataError as error:
                if not isinstance(source, str | Path) or isinstance(frame, Path):
                    raise
                told = str(error).removeprefix(f"the given {condition.noun}: ")
                raise DataError(f"{source}: frame {i} {told}") from None
    if not raws:
        raise DataError("a sequence needs at least one layout; give files, a folder or an animated GIF")
    for i, raw in enumerate(raws):
        if raw.shape != raws[0].shape:
            (height, width), (first_height, first_width) = raw.shape[-2:], raws[0].shape[-2:]
            raise DataError(
                f"layout {i} of the sequence is {width}x{height}, but the first is {first_width}x{first_height}; "
                "give --size to bring all to one size"
            )
    return raws


def frames_of(path: Path, condition: AnyCondition) -> Sequence[Path | Image.Image]:
    """The files of a folder in natural order, the frames of a moving picture, or else the file itself."""
    if path.is_dir():
        files = pictures.images_in(path, suffixes=condition.suffixes)
        if not files:
            wanted = "pictures" if condition.suffixes == pictures.SUFFIXES else ", ".join(sorted(condition.suffixes))
            raise DataError(f"{path}: has no {wanted} in it; give the folder that holds the layouts themselves")
        return files
    if path.suffix.lower() not in pictures.SUFFIXES and path.suffix.lower() in condition.suffixes:
        return [path]
    with pictures.open_picture(path):
        pass  # complains, in words, about what is no picture at all
    with Image.open(path) as moving:
        count = getattr(moving, "n_frames", 1)
        if count == 1:
            return [path]
        frames = []
        for i in range(count):
            try:
                moving.seek(i)
                frames.append(_exact(moving, condition))
            except (OSError, EOFError, SyntaxError, ValueError) as error:
                raise DataError(f"{path}: frame {i} is cut short or damaged ({error}); write the file again") from None
    return frames


def _exact(frame: Image.Image, condition: AnyCondition) -> Image.Image:
    """One frame apart from its file.

    Programs that write GIFs reorder palettes as they like, so in a label GIF the colour counts, never the index: that
    of a class, or in a grey GIF the grey value as id. PNG and TIFF keep their indices.
    """
    if frame.format != "GIF":
        return frame.copy()
    picture = frame.convert("RGB")
    if not isinstance(condition, Labels):
        return picture
    values = np.array(picture)
    grey = bool((values == values[..., :1]).all())
    if grey and not {(int(v),) * 3 for v in np.unique(values)} <= set(condition.palette):
        return Image.fromarray(np.ascontiguousarray(values[..., 0]))
    return picture
