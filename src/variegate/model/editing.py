"""Edit a scene: add, move, delete and change objects of a label map, and render it again with the same code.

scene = model.edit("layout.png")
before = scene.draw(index=3)
after = scene.move((20, 52), dx=8, dy=0).change((5, 5), "tree").draw()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import ConfigError, DataError, did_you_mean
from ..core.interfaces import Size
from ..data.conditions import Labels
from ..data.files.instances import boundary, misfit, read_instances
from ..data.files.sources import OneSource, Source, named
from ..data.scenes.regions import Mask, Planes, fill, move, region_at, shift, with_enclosed
from .samples import Samples

Point = tuple[int, int]  # x to the right, y down, in pixels from 0
Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom are just outside
Place = Point | Box | str | NDArray[Any] | Tensor  # or the name of a class, or a mask (H, W), not 0 inside

FARTHEST = 2**31  # pixels; no image reaches that far


class Crop(NamedTuple):
    """A part of another layout, and where to paste it."""

    layout: Source
    box: Box
    at: Point
    """where to put the top left corner of the box; may lie outside the image"""


class Editor:
    """A label map that changes step by step. Every step returns the editor, so steps can be chained.

    An object is selected by a point (x, y) inside it: the connected region of the point's class or, where there are
    instance ids (other than 0), the point's instance. It is moved and deleted with everything that it encloses, such as
    a car with its windows; `change` leaves enclosed regions alone. A box, a mask or the name of a class, for all of its
    pixels, can be given instead of a point.

    Uncovered pixels take the class of the nearest remaining pixel. A step that fails changes nothing.
    """

    def __init__(
        self, condition: Labels, sample: Callable[..., Samples], layout: Source, size: Size | None = None
    ) -> None:
        """See `Model.edit`; `sample` is the model's method."""
        self.condition, self.sample = condition, sample
        self.planes, self.size = planes_of(condition, layout), size
        self.history: list[Planes] = []
        self.drawn: Samples | None = None

    @property
    def layout(self) -> Tensor:
        """The current class ids: uint8 (H, W)."""
        return torch.from_numpy(self.planes[0].astype(np.uint8))

    @property
    def instances(self) -> Tensor | None:
        """The current instance ids, int32 (H, W), if there are any."""
        return torch.from_numpy(self.planes[1].copy()) if len(self.planes) > 1 else None

    def add(self, what: str | int, where: Box | NDArray[Any] | Tensor | Crop) -> Editor:
        """Put a new object of a class on top: a box, a mask (H, W), or the pixels of that class in a crop."""
        number = class_id(self.condition, what)
        if isinstance(where, Crop):
            return self._paste(number, where)
        if len(np.shape(where)) == 1 and len(where) == 2:
            raise ConfigError(f"cannot add {what} at point {where}; give a box (left, top, right, bottom) or a mask")
        return self._paint(self._place(where), number, new=True)

    def move(self, where: Place, dx: int, dy: int) -> Editor:
        """Move an object to the right by dx and down by dy, on top of what is there."""
        mask = self._object(where)
        if not shift(mask, dx, dy).any():
            raise ConfigError(f"moving the object by {dx}, {dy} takes it out of the image; move it less, or use delete")
        return self._now(move(self.planes, mask, dx, dy) if not mask.all() else self._nothing_left("move"))

    def delete(self, where: Place) -> Editor:
        """Remove an object; its pixels take the nearest remaining class."""
        mask = self._object(where)
        return self._now(fill(self.planes, mask) if not mask.all() else self._nothing_left("delete"))

    def change(self, where: Place, to: str | int) -> Editor:
        """Change the class of an object, a box or a mask; instance ids stay."""
        return self._paint(self._place(where), class_id(self.condition, to), new=False)

    def undo(self) -> Editor:
        """Undo the last step."""
        if not self.history:
            raise ConfigError("there is no step to undo")
        self.planes = self.history.pop()
        return self

    def draw(
        self, n: int | None = None, seed: int | None = None, index: int | None = None, codes: Tensor | None = None
    ) -> Samples:
        """Sample images of the current layout; without arguments, with the codes of the last `draw`.

        Args:
            n, seed, index: images `index` .. `index + n - 1` of `seed`; defaults: 1, 0 and 0.
            codes: codes (n, D) to use instead.
        """
        source = self._source()
        if codes is not None:
            self.drawn = self.sample(source, codes=codes, size=self.size)
        elif self.drawn is not None and n is None and seed is None and index is None:
            again = self.sample(source, codes=self.drawn.codes, size=self.size)
            self.drawn = replace(again, seeds=self.drawn.seeds)
        else:
            self.drawn = self.sample(source, 1 if n is None else n, seed or 0, first=index or 0, size=self.size)
        return self.drawn

    def class_at(self, x: int, y: int) -> str:
        """The name of the class at a point."""
        self._inside(x, y)
        return self.condition.names[int(self.planes[0, y, x])]

    def _source(self) -> Tensor:
        """What `condition.read` would return for this scene: uint8 (1 or 2, H, W)."""
        if not self.condition.boundaries:
            return self.layout[None]
        return torch.stack([self.layout, torch.from_numpy(boundary(self.planes[-1]))])

    def _now(self, planes: Planes) -> Editor:
        self.history.append(self.planes)
        self.planes = planes
        return self

    def _paint(self, mask: Mask, number: int, new: bool) -> Editor:
        planes = self.planes.copy()
        planes[0, mask] = number
        if new:
            planes[1:, mask] = self._next_instance()
        return self._now(planes)

    def _paste(self, number: int, crop: Crop) -> Editor:
        """Paste the crop's pixels of a class, with everything that they enclose, as one new object."""
        other = planes_of(self.condition, crop.layout)[0]
        left, top, right, bottom = clip_box(crop.box, *other.shape)
        part = other[top:bottom, left:right]
        mask = with_enclosed(part == number)
        if not mask.any():
            name, there = self.condition.names[number], self._there(part)
            raise ConfigError(f"the crop {crop.box} of the other layout has no {name}, only {there}")
        height, width = self.planes.shape[1:]
        rows, columns = np.nonzero(mask)
        x, y = columns + whole_number(crop.at[0]), rows + whole_number(crop.at[1])
        seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if not seen.any():
            raise ConfigError(f"the crop would be pasted at {crop.at}, outside the image of {width}x{height}")
        planes = self.planes.copy()
        planes[1:, y[seen], x[seen]] = self._next_instance()
        planes[0, y[seen], x[seen]] = part[mask][seen]
        return self._now(planes)

    def _there(self, ids: NDArray[Any]) -> str:
        return ", ".join(self.condition.names[i] for i in np.unique(ids))

    def _next_instance(self) -> int:
        return int(self.planes[-1].max()) + 1

    def _object(self, where: Place) -> Mask:
        return with_enclosed(self._place(where))

    def _place(self, where: Place) -> Mask:
        """A point's region, a class, a box or a mask as (H, W)."""
        height, width = self.planes.shape[1:]
        if isinstance(where, str):
            found: Mask = self.planes[0] == class_id(self.condition, where)
            if not found.any():
                raise ConfigError(f"this label map has no {where}, only {self._there(self.planes[0])}")
            return found
        if len(np.shape(where)) == 1 and len(where) == 2:
            x, y = (whole_number(value) for value in where)
            self._inside(x, y)
            return region_at(self.planes, x, y)
        mask = np.zeros((height, width), dtype=bool)
        if len(np.shape(where)) == 1 and len(where) == 4:
            left, top, right, bottom = clip_box(where, height, width)  # type: ignore[arg-type]
            mask[top:bottom, left:right] = True
            return mask
        given = np.asarray(where.detach().cpu() if isinstance(where, Tensor) else where)
        if given.shape != mask.shape:
            raise ConfigError(
                f"expected a point (x, y), a box (left, top, right, bottom) or a mask of shape {mask.shape}, "
                f"got shape {given.shape}"
            )
        if not given.any():
            raise ConfigError("the mask is 0 everywhere; set it to non-zero where the object is")
        return given != 0

    def _inside(self, x: int, y: int) -> None:
        height, width = self.planes.shape[1:]
        if not (0 <= x < width and 0 <= y < height):
            raise ConfigError(
                f"point {x},{y} is outside the image; x goes from 0 to {width - 1} and y from 0 to {height - 1}"
            )

    def _nothing_left(self, verb: str) -> Planes:
        raise ConfigError(f"cannot {verb} the whole image, because nothing would remain to fill it; use change")


def class_id(condition: Labels, what: str | int) -> int:
    """The id of a class, given its name or id.

    Raises:
        ConfigError: there is no such class.
    """
    if what in condition.names:
        return condition.names.index(str(what))
    if not isinstance(what, str) or what.isdecimal():
        if 0 <= int(what) < condition.classes:
            return int(what)
        raise ConfigError(f"there is no class {what}; ids go from 0 to {condition.classes - 1}")
    raise ConfigError(f"there is no class {what!r}; {did_you_mean(what, condition.names)}")


def planes_of(condition: Labels, layout: Source) -> Planes:
    """Class ids, and instance ids if `layout` is a pair (label map, instance map): int32 (1 or 2, H, W), not resized.

    Raises:
        DataError: the layout cannot be read, or has instance boundaries without instance ids.
    """
    alone = condition.model_copy(update={"boundaries": False})
    if isinstance(layout, tuple):
        given, instances = layout
        ids = alone.read(given)[0].numpy().astype(np.int32)
        return np.stack([ids, instance_ids(instances, ids.shape)])
    raw = condition.read(layout).numpy()
    if condition.boundaries and not np.array_equal(raw[1], boundary(raw[0])):
        raise DataError(
            f"{named(layout, condition.noun)}: has instance boundaries but no instance ids; "
            "give a pair (label map, instance map), or --instances on the command line"
        )
    return raw[:1].astype(np.int32)


def instance_ids(source: OneSource, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Read instance ids (H, W). Raises DataError if they differ in size from the label map."""
    where = named(source, "instance map")
    ids = read_instances(source, where)
    if ids.shape != shape:
        raise DataError(f"{where}: {misfit(ids.shape, shape)}")
    return ids.astype(np.int32)


def clip_box(box: Box, height: int, width: int) -> Box:
    """The part of a box that lies inside the image.

    Raises:
        ConfigError: the box is empty, or lies outside the image.
    """
    left, top, right, bottom = (whole_number(value) for value in box)
    if right <= left or bottom <= top:
        raise ConfigError(f"box {left},{top},{right},{bottom} is empty; give left, top, right, bottom in pixels")
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise ConfigError(f"box {left},{top},{right},{bottom} is outside the image of {width}x{height}")
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def whole_number(value: Any) -> int:
    if not abs(value) < FARTHEST or int(value) != value:
        raise ConfigError(f"coordinates must be whole pixels below {FARTHEST}, got {value}")
    return int(value)
