"""The conditions of bulk sampling, as typed and as read: folders, splits, files, items, words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ..core.errors import DataError
from ..core.interfaces import Size
from ..data.conditions import Condition, condition_from_mapping
from ..data.dataset.pairs import Pairs
from ..data.files import images as image_files
from ..data.readers.items import SPLITS
from ..runs.folder import RunFolder
from ..runs.saved_model import model_folder, read_record
from .plan import Given, different


def find_conditions(run: Path, texts: Sequence[str], word: Callable[[str], str] = str) -> tuple[Given, ...]:
    """The conditions that texts mean: all files of a folder, all items of a split, or one file, item or word each.

    Args:
        word: names a condition in words.

    Raises:
        DataError: one of them is none of these, or holds nothing.
    """
    condition, data = condition_from_mapping(read_record(model_folder(run)).condition), _Data(run)
    found = [one for text in texts for one in _expand(text, condition, data, word)]
    return tuple(Given(name, one.source, one.item) for name, one in zip(different(one.name for one in found), found))


@dataclass
class _Data:
    """The splits of a run's data, each opened once."""

    run: Path
    splits: dict[str, Pairs] = field(default_factory=dict)

    def __getitem__(self, split: str) -> Pairs:
        if split not in self.splits:
            self.splits[split] = RunFolder(self.run).pairs(split)
        return self.splits[split]


def _expand(text: str, condition: Condition, data: _Data, word: Callable[[str], str]) -> list[Given]:
    split, colon, number = text.partition(":")
    if Path(text).is_dir() and condition.suffixes:
        files = image_files.images_in(Path(text), suffixes=condition.suffixes)
        if not files:
            raise DataError(
                f"{text}: contains no {condition.noun}s ({', '.join(sorted(condition.suffixes))}); "
                "give the folder that directly contains them"
            )
        return [Given(file.stem, str(file.absolute())) for file in files]
    if Path(text).is_file() and condition.suffixes:
        return [Given(Path(text).stem, str(Path(text).absolute()))]
    if split in SPLITS and (not colon or number.isdecimal()):
        pairs = data[split]
        if colon and int(number) >= len(pairs):
            raise DataError(f"{text}: {pairs.name} has {len(pairs)} pairs in {split}, counted from 0")
        return [Given(f"{split}{i}", split, i) for i in ([int(number)] if colon else range(len(pairs)))]
    if condition.suffixes:
        raise DataError(f"{text}: there is no such file or folder; give one, or a split of the run's data: test")
    return [Given(word(text), text)]


class Reader:
    """Reads raw conditions (c, H, W), at `size` if they are files or words."""

    def __init__(self, run: Path, condition: Condition, size: Size | None) -> None:
        self.condition, self.size, self._data = condition, size, _Data(run)

    def read(self, given: Given) -> Tensor:
        """Raises DataError if it cannot be read."""
        if given.item is not None:
            return self.condition.read(self._data[given.source].raw(given.item)[0], self.size)
        source = Path(given.source) if self.condition.suffixes else given.source
        return self.condition.read(source, self.size)
