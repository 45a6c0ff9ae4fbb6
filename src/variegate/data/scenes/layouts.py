"""Layouts as files: palette images, animations, and the frames of a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...core.errors import DataError
from ...core.files import replacing
from ...core.interfaces import Size
from ..conditions import Condition, Labels
from ..conditions.labels import Colour
from ..files import images as image_files
from ..files.sources import Source


def palette_image(ids: NDArray[Any] | Tensor, palette: Sequence[Colour]) -> Image.Image:
    """Class ids (H, W) as an image whose palette index is the id."""
    image = Image.fromarray(np.asarray(ids).astype(np.uint8))
    image.putpalette([value for colour in palette for value in colour])  # also turns the mode from L to P
    return image


def save_animation(path: str | Path, layouts: Iterable[Tensor], palette: Sequence[Colour], per_second: int = 6) -> Path:
    """Save layouts (1, H, W) or (H, W) as a GIF in exact palette colours; equal neighbours become one longer frame.

    Raises:
        DataError: the file is not a .gif, or two classes share a colour, which the file could not tell apart.
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise DataError(f"{path}: animated label maps are written as GIF; name the file {path.stem or 'layouts'}.gif")
    if len(set(palette)) < len(palette):
        raise DataError(f"{path}: two classes have the same colour; give each class its own in classes.json")
    first, *rest = [palette_image(ids.reshape(ids.shape[-2:]), palette) for ids in layouts]
    with replacing(path) as aside:
        first.save(aside, "GIF", save_all=True, append_images=rest, duration=1000 // per_second, loop=0)
    return path


def read_layouts(sources: Iterable[Source], condition: Condition, size: Size | None = None) -> list[Tensor]:
    """Read the raw conditions of a sequence, uint8 (c, H, W) each, all of one size.

    Args:
        sources: anything `condition.read` accepts, folders of such files, and files with several frames.

    Raises:
        DataError: a file cannot be read, there are no layouts, or they differ in size.
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
                "give --size to resize all to one size"
            )
    return raws


def frames_of(path: Path, condition: Condition) -> Sequence[Path | Image.Image]:
    """The files of a folder in natural order, the frames of an animation, or else the file itself."""
    if path.is_dir():
        files = image_files.images_in(path, suffixes=condition.suffixes)
        if not files:
            wanted = "images" if condition.suffixes == image_files.SUFFIXES else ", ".join(sorted(condition.suffixes))
            raise DataError(f"{path}: contains no {wanted}; give the folder that directly contains the layouts")
        return files
    if path.suffix.lower() not in image_files.SUFFIXES and path.suffix.lower() in condition.suffixes:
        return [path]
    with image_files.open_image(path):
        pass  # reports a file that is not an image at all
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
                raise DataError(f"{path}: frame {i} is truncated or damaged ({error}); write the file again") from None
    return frames


def _exact(frame: Image.Image, condition: Condition) -> Image.Image:
    """Copy one frame out of its file.

    GIF writers reorder palettes freely, so a label GIF is read by colour, never by index: a pixel's colour is that of
    its class, or in a grey GIF its grey value is the id. PNG and TIFF keep their indices.
    """
    if frame.format != "GIF":
        return frame.copy()
    image = frame.convert("RGB")
    if not isinstance(condition, Labels):
        return image
    values = np.array(image)
    grey = bool((values == values[..., :1]).all())
    if grey and not {(int(v),) * 3 for v in np.unique(values)} <= set(condition.palette):
        return Image.fromarray(np.ascontiguousarray(values[..., 0]))
    return image
