"""What names of folders and files tell: splits in any spelling, roles in a pair, and which files belong together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

Role = Literal["labels", "image", "a", "b", "input", "target", "instances", "normals", "view"]

SPLIT_WORDS = {
    "train": ("training", "train", "trn"),
    "val": ("validation", "valid", "val", "dev"),
    "test": ("testing", "test", "tst"),
}
ROLE_WORDS: dict[Role, str] = {
    "labels": "label labels lbl lbls annot annotation annotations mask masks seg segs segm segmentation segmentations "
    "semantic semantics gt groundtruth labelid labelids labelmap labelmaps layout layouts segmentationclass "
    "segmentationclasspng",
    "image": "img imgs image images rgb photo photos picture pictures jpegimages jpg jpeg color colour frames",
    "a": "A",  # only in capitals, since a/ and b/ may be classes
    "b": "B",
    "input": "input inputs source src low lr lq lowres sketch sketches edge edges canny depth grey gray noisy blur "
    "blurred hazy rainy condition conditions before degraded",
    "target": "target targets output outputs high hr hq highres clean sharp after result results",
    "instances": "inst instance instances",
    "normals": "normal normals",
    "view": "segmentationobject segmentationobjectpng segmentationclassvisualization segmentationobjectvisualization "
    "visualization vis preview previews thumbs thumbnails overlay overlays",
}
ROLES: dict[str, Role] = {word: role for role, words in ROLE_WORDS.items() for word in words.split()}
EMPTY = ("", "set", "data", "split")  # what may follow a split without a meaning
# what programs append to the names of one side of a pair
ADDED = re.compile(
    r"[\s_.-]*(mask|masks|label|labels|labelids|labeltrainids|lbl|seg|segmentation|annot|gt|groundtruth|"
    r"rgb|img|image|photo|real|lr|hr|lowres|highres|low|high|input|target|edges|sketch|depth|normals?|x[2-9])\d*$|"
    r"[\s_-]+[ab]$",
    re.IGNORECASE,
)


def role_of(name: str) -> Role | None:
    """The role in a pair that a folder's name indicates."""
    return ROLES.get(name) or ROLES.get(re.sub(r"[\s_.-]", "", name).lower())


def split_in(name: str) -> tuple[str | None, str]:
    """The split that a folder's name mentions, and the rest of the name: train_label, labels-val, TrainA, imagesTr."""
    for split, words in SPLIT_WORDS.items():
        for word in words:
            if found := re.match(rf"(?i){word}", name):
                rest = name[found.end() :]
                stripped = rest.strip(" _.-")
                clear = rest == "" or rest[0] in " _.-" or rest[0].isupper() or role_of(stripped) is not None
                if clear or stripped.isdecimal() or stripped.lower() in EMPTY:
                    return split, "" if stripped.isdecimal() or stripped.lower() in EMPTY else stripped
            if found := re.fullmatch(rf"(?i)(.+?)[\s_.-]+{word}\d*", name):
                return split, found[1]
    for ending, split in (("Tr", "train"), ("Ts", "test"), ("Va", "val")):
        if name.endswith(ending) and role_of(name[:-2]) is not None:
            return split, name[:-2]
    return None, name


def key_of(stem: str) -> str:
    """A name as people see it: composed and decomposed letters are equal."""
    return unicodedata.normalize("NFC", stem)


def core_of(stem: str) -> str:
    """The name without what programs append to one side of a pair: 0_mask and 0x2 both become 0."""
    key = key_of(stem)
    shorter = ADDED.sub("", key)
    return shorter or key


def is_counter(names: Iterable[str]) -> bool:
    """Whether names are just numbers, perhaps after a common word, which any two folders may share by coincidence.

    The split or folder before a name is no part of it.
    """
    return len({re.sub(r"\d+", "", name.rpartition("/")[2]) for name in names}) <= 1
