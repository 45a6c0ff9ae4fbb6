"""Pairs as used in training: cropped, mirrored, with their neighbours, and collated into batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from ...core.errors import ConfigError, DataError
from ...core.images import is_constant, to_float
from ...core.interfaces import Batch
from ..conditions import Condition, Landmarks
from .pairs import Pairs

VISIT_WORD = 2**64 - 1  # far from the second words 0, 1, ... of training codes, which are also keyed by the visit


class Visit(TypedDict):
    """One training item, before collation."""

    condition: Tensor  # (c, H, W), as returned by `condition.read`
    image: Tensor  # uint8 (C, H, W)
    index: int
    key: int
    neighbours: NotRequired[Tensor]  # uint8 (N, C, H, W), zero where there are fewer than N
    present: NotRequired[Tensor]  # bool (N,)


class Visits(Dataset[Visit | DataError]):
    """Pairs as used in training: resized to `jitter` times the size, cropped to the size, randomly mirrored.

    Condition and image are cropped and mirrored alike, depending only on the visit's key. Holes are cut after the crop:
    no crop moves or loses them, and an item has the same hole at every visit, unless holes are fresh. The blocks of
    superres:K are also made after the crop, so that they start at the first pixel of the network input. Neighbours are
    cropped and mirrored like the image.

    Args:
        others: indices of each pair's neighbours (len(pairs), N), -1 where there are fewer than N.
        fresh_holes: each visit's key decides on its hole, instead of the item.
    """

    def __init__(
        self,
        pairs: Pairs,
        jitter: float = 1.0,
        flip: bool = False,
        others: NDArray[np.int32] | None = None,
        fresh_holes: bool = False,
    ) -> None:
        if jitter < 1:
            raise ConfigError(f"jitter must be at least 1 (no jitter), got {jitter}")
        if flip:
            pairs.condition.check_mirroring()
        if fresh_holes:
            pairs.check_fresh_holes()
        height, width = self.size = pairs.size
        self.flip, self.others, self.fresh_holes = flip, others, fresh_holes
        late = pairs.derived is not None and pairs.derived.after_crop
        if late and jitter > 1 and pairs.condition.part(Landmarks) is not None:
            raise ConfigError(
                f"condition {pairs.condition.spelling} is made after the crop, which would not move the landmarks; "
                "give --training.jitter 1"
            )
        self._make = pairs.make if late else None
        whole = pairs.underived() if late else pairs
        self.pairs = whole.resized((round(height * jitter), round(width * jitter)))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, visit: tuple[int, int]) -> Visit | DataError:
        """The visit, or why it cannot be read: raised in a worker, its sentence would be lost among tracebacks."""
        try:
            return self._read(*visit)
        except DataError as error:
            return error

    def _read(self, index: int, key: int) -> Visit:
        condition, image = self.pairs.raw(index)
        words = np.array([key, VISIT_WORD], dtype=np.uint64)
        rng = np.random.Generator(np.random.Philox(key=words))
        (height, width), (tall, wide) = self.size, self.pairs.size
        top, left = int(rng.integers(tall - height + 1)), int(rng.integers(wide - width + 1))
        mirror = self.flip and rng.random() < 0.5
        window = (slice(None), slice(top, top + height), slice(left, left + width))
        condition, image = condition[window], image[window]
        if mirror:
            condition, image = self.pairs.condition.mirror(condition), image.flip(-1)
        if self._make is not None:
            condition = self._make(condition, index, key if self.fresh_holes else None)
        item: Visit = {"condition": condition, "image": image, "index": index, "key": key}
        if self.others is not None:
            numbers = [int(number) for number in self.others[index]]
            images = [self.pairs.raw(k)[1][window] if k >= 0 else torch.zeros_like(image) for k in numbers]
            item["neighbours"] = torch.stack(images).flip(-1) if mirror else torch.stack(images)
            item["present"] = torch.tensor([k >= 0 for k in numbers])
        return item


def collate(visits: Sequence[Visit | DataError]) -> dict[str, Tensor] | DataError:
    """Collate visits into one batch; constant conditions are reduced to one pixel, (B, c, 1, 1). Or the first error."""
    read: list[Visit] = []
    for visit in visits:
        if isinstance(visit, DataError):
            return visit
        read.append({**visit, "condition": pixel_of(visit["condition"])})
    raw: dict[str, Tensor] = default_collate(read)
    return raw


def pixel_of(planes: Tensor) -> Tensor:
    """Reduce a view of constant planes (c, H, W) to (c, 1, 1); return other planes unchanged."""
    return planes[:, :1, :1] if is_constant(planes) else planes


def to_batch(raw: Mapping[str, Tensor], condition: Condition, pool: bool = False) -> Batch:
    """Convert collated visits on the device to network input: condition (B, K, H, W), images in [-1, 1].

    Args:
        pool: conditions stay as read, since encoded label maps of hundreds of slots fill gigabytes; see `Batch.encode`.
    """
    given = raw["condition"].expand(-1, -1, *raw["image"].shape[-2:])
    encoded = given if pool else condition.encode(given)
    encode = condition.encode if pool else None
    batch = Batch(encoded, to_float(raw["image"]), raw["index"], raw["key"], encode=encode)
    if "neighbours" in raw:
        batch = batch._replace(neighbours=to_float(raw["neighbours"]), present=raw["present"])
    return batch
