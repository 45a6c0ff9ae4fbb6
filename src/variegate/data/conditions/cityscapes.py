"""The 19 classes of Cityscapes, shared by GTA-5 and BDD100K, and a last one for everything else.

Label maps number them in two ways: train ids 0..18 with 255 for the rest, or "label ids" 0..34, where most classes that
are not evaluated have their own id. Palette and RGB files are read by colour, whatever their indices.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Numbering = Literal["trainIds", "labelIds"]
Colour = tuple[int, int, int]

CLASSES: dict[str, tuple[int, Colour]] = {  # in train id order: label id and colour
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}
OTHER = len(CLASSES)
NAMES = (*CLASSES, "other")
PALETTE: tuple[Colour, ...] = (*(colour for _, colour in CLASSES.values()), (0, 0, 0))
# dynamic, ground, parking, rail track, guard rail, bridge, tunnel, caravan, trailer; pole groups are the colour of pole
IGNORED: tuple[Colour, ...] = (
    (111, 74, 0),
    (81, 0, 81),
    (250, 170, 160),
    (230, 150, 140),
    (180, 165, 180),
    (150, 100, 100),
    (150, 120, 90),
    (0, 0, 90),
    (0, 0, 110),
)
LAST_LABEL_ID = 34  # GTA-5's licence plates; Cityscapes ends at 33
IN_FILES: dict[Numbering, str] = {  # what files of grey ids may contain, besides 255
    "trainIds": f"train ids 0..18 (label ids 0..{LAST_LABEL_ID} in files with labelIds in their name)",
    "labelIds": f"label ids 0..{LAST_LABEL_ID}",
}
LEAST_COLOURS = 4  # with fewer class colours, a match may be a coincidence

FROM_LABEL_ID = np.full(256, OTHER, dtype=np.uint8)
for train_id, (label_id, _) in enumerate(CLASSES.values()):
    FROM_LABEL_ID[label_id] = train_id


def by_colour(colours: Iterable[Colour]) -> bool:
    """Whether a file's colours can be those of these classes: no others, and not only black."""
    found = set(colours)
    return found <= {*PALETTE, *IGNORED} and found != {(0, 0, 0)}


def street_values(
    values: NDArray[Any], colours: NDArray[np.uint8] | None, usual: Numbering, where: str
) -> tuple[NDArray[Any], None]:
    """The contents of a file as classes (H, W), or as colours (H, W, 3) if it has the palette of these classes.

    Args:
        values: indices (H, W) into the palette `colours` (n, 3), or grey ids.
        usual: numbering of grey ids in files whose name does not specify it.
    """
    if colours is not None and int(values.max()) < len(colours):
        used = colours[np.unique(values)].tolist()
        if by_colour((red, green, blue) for red, green, blue in used):
            return colours[values], None
    return (from_label_ids(values) if numbering_of(where, usual) == "labelIds" else values), None


def numbering_of(name: str, usual: Numbering) -> Numbering:
    """How a file of grey ids numbers the classes: as its name says, otherwise `usual`."""
    if "labelTrainIds" in name or "_train_id" in name:
        return "trainIds"
    return "labelIds" if "labelIds" in name else usual


def from_label_ids(values: NDArray[Any]) -> NDArray[Any]:
    """Map label ids (H, W) to classes 0..19, -1 and 255 to `other`; invalid ids stay, to be reported later."""
    known = (values <= LAST_LABEL_ID) | (values == 255)
    mapped: NDArray[Any] = np.where(known, FROM_LABEL_ID[np.clip(values, 0, 255)], values)
    return mapped
