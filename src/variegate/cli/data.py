"""Verbs about data: what a folder is, what is rare in it, and streets as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import ConfigError, DataError
from .parsing import Direction, parse_size


@dataclass(frozen=True)
class Check:
    """Say what a folder of pictures is, what is wrong with it, and how to mend it."""

    path: Positional[str]
    direction: Direction | None = None
    condition: str | None = None
    """how to derive conditions from plain pictures: edges, grey, self, superres:4, inpaint, inpaint:centre,
    inpaint:FOLDER (of masks, white inside the hole); or take landmarks, landmarks:HEAT or normals beside them;
    class, vectors:FILE or none; several joined by +, as in class+edges"""
    unpaired: bool = False
    """conditions and images do not belong together"""
    limit: int | None = None
    """open at most this many pairs of each split"""

    def run(self) -> None:
        from ..data.checks.check import check

        report = check(self.path, self.direction, self.condition, self.limit, self.unpaired)
        print(report.text())
        if not report.ok:
            raise SystemExit(1)


@dataclass(frozen=True)
class FindLandmarks:
    """Find landmarks in pictures that each show one face, and write landmarks.json beside them."""

    path: Positional[Path]
    """a folder of pictures, or of train/, val/ and test/"""
    detector: Path
    """an ONNX network, RGB in [0, 1] to x, y as shares of the sides; a name is looked for in VARIEGATE_WEIGHTS too"""

    def run(self) -> None:
        from ..data.readers.landmark_search import find_landmarks
        from ..networks.detectors import OnnxLandmarks

        detector = OnnxLandmarks(self.detector)
        for file in find_landmarks(self.path, detector):
            print(f"{file}: {detector.points} landmarks of each picture, by {detector.name} ({detector.digest})")


@dataclass(frozen=True)
class Rarity:
    """Show the commonest and the rarest images of each class, as `--rebalance` would weigh them."""

    path: Positional[str]
    out: Path = Path("rarity")
    """the folder for rarity.png and rarity.json"""
    size: str | None = None
    """the size of training: 64, or height x width such as 96x128; the pictures' own unless given"""
    count: int = 5
    """images at each end of a row"""
    classes: int = 5
    """classes that are shown, largest area first"""

    def run(self) -> None:
        from ..data.dataset.pairs import open_data
        from ..data.statistics.rarity_sheet import explained, rarity_sheet

        pairs = open_data(self.path, parse_size(self.size))
        written = rarity_sheet(pairs, self.out, self.count, self.classes)
        print(f"{pairs.description}\n{explained()}\n{written}\n{written.with_suffix('.json')}")


@dataclass(frozen=True)
class Neighbours:
    """Show which other images training would take as answers to a condition, to choose a threshold by."""

    path: Positional[str]
    out: Path = Path("neighbours")
    """the folder for neighbours.png and neighbours.json"""
    size: str | None = None
    """the size of training: 64, or height x width such as 96x128; the pictures' own unless given"""
    threshold: float | None = None
    """distance of conditions below which pairs are neighbours; half of the pairs have one unless given"""
    most: int = 7
    """images of one condition, its own included"""
    count: int = 6
    """pairs that are shown"""
    direction: Direction | None = None
    condition: str | None = None
    """as in `variegate data check`"""

    def run(self) -> None:
        from ..data.dataset.pairs import open_data
        from ..data.statistics.neighbours_sheet import neighbours_sheet

        pairs = open_data(self.path, parse_size(self.size), direction=self.direction, condition=self.condition)
        written = neighbours_sheet(pairs, self.out, self.threshold, self.most, self.count)
        print(f"{pairs.description}\n{written.text}\n{written.picture}\n{written.picture.with_suffix('.json')}")


@dataclass(frozen=True)
class Export:
    """Write the streets as pictures: label maps, images and the factors of each; or one street with a moving car."""

    out: Positional[Path]
    """a new folder; with --frames a new file such as moving.gif"""
    count: int = 200
    """streets to train on; a tenth as many are added for validation and for testing each"""
    size: str = "64"
    """64 or 64x128 (height x width), multiples of 8"""
    seed: int = 0
    frames: int | None = None
    """write one GIF of so many label maps instead, in which a car drives through a street; for `variegate sequence`"""

    def run(self) -> None:
        from ..data.scenes.layouts import save_animation
        from ..data.streets.streets import PALETTE, Streets, export, moving_car

        size = parse_size(self.size) or (64, 64)
        if self.frames is not None:
            if self.out.exists():
                raise DataError(f"{self.out} already exists; choose a new file for the animated label map.")
            print(save_animation(self.out, moving_car(size, self.frames, self.seed), PALETTE))
            return
        if self.out.suffix.lower() == ".gif":
            raise ConfigError(f"{self.out}: is the name of an animated label map; add --frames 8, or name a folder")
        held = max(1, self.count // 10)
        counts = {"train": self.count, "val": held, "test": held}
        print(export(self.out, *(Streets(size, n, self.seed, split) for split, n in counts.items())))
