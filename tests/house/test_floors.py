"""The house plan: which room stands on which floor, and no room imports from its own floor or one above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import variegate

pytestmark = pytest.mark.core

HOUSE = Path(variegate.__file__).parent
FLOORS = (
    {"core"},
    {"losses", "networks"},
    {"data", "objectives", "randomness"},
    {"generators"},
    {"methods"},
    {"runs"},
    {"embedding", "model", "training"},
    {"compression", "evaluation"},
    {"cluster", "demos", "studio"},
    {"cli"},
)
DATA = (
    {"files", "streets"},
    {"derived"},
    {"conditions"},
    {"readers", "scenes"},
    {"dataset"},
    {"checks", "statistics"},
)
EVALUATION = (
    {"protocols"},
    {"metrics"},
    {"measuring"},
    {"doctor"},
    {"pages"},
    {"compare.py", "evaluate.py", "filters.py", "given.py"},
)
ROOMS = [(HOUSE, FLOORS), (HOUSE / "data", DATA), (HOUSE / "evaluation", EVALUATION)]
DOORS = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}  # beside the rooms


def modules_used(file: Path, at_once: bool = False) -> Iterator[str]:
    """Full names of what a file imports: wherever in it, or only `at_once`, when it is imported itself."""
    package, tree = ["variegate", *file.relative_to(HOUSE).parent.parts], ast.parse(file.read_text())
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def wrong_ways(root: Path, floors: tuple[set[str], ...]) -> list[str]:
    """Imports between rooms of a folder that do not lead down."""
    floor_of = {room: number for number, rooms in enumerate(floors) for room in rooms}
    name = ".".join(["variegate", *root.relative_to(HOUSE).parts])
    wrong = []
    for room, floor in floor_of.items():
        for file in (root / room).rglob("*.py"):
            for module in modules_used(file):
                other = module.removeprefix(f"{name}.").partition(".")[0]
                if module.startswith(f"{name}.") and other in floor_of and other != room and floor_of[other] >= floor:
                    wrong.append(f"{file.relative_to(HOUSE)} imports {other}")
    return wrong


@pytest.mark.parametrize(("root", "floors"), ROOMS, ids=["house", "data", "evaluation"])
def test_imports_lead_down(root: Path, floors: tuple[set[str], ...]) -> None:
    assert not wrong_ways(root, floors)


def test_training_runs_methods_without_knowing_their_names() -> None:
    used = [module for file in (HOUSE / "training").rglob("*.py") for module in modules_used(file)]
    assert not [module for module in used if module.startswith("variegate.methods")]


@pytest.mark.parametrize(("root", "floors"), ROOMS, ids=["house", "data", "evaluation"])
def test_every_file_is_in_a_room_of_the_plan(root: Path, floors: tuple[set[str], ...]) -> None:
    assert {path.name for path in root.iterdir()} - DOORS == set().union(*floors)


def test_the_doors_import_no_room_when_they_are_opened() -> None:
    tree = ast.parse((HOUSE / "__init__.py").read_text())
    assert not [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level]


def test_no_two_files_of_a_room_import_each_other() -> None:
    for room in set().union(*FLOORS):
        uses = {
            ".".join(["variegate", *file.relative_to(HOUSE).with_suffix("").parts]): file
            for file in (HOUSE / room).rglob("*.py")
        }
        below = {
            name: {one for one in uses for used in modules_used(file, at_once=True) if f"{used}.".startswith(f"{one}.")}
            for name, file in uses.items()
        }
        while below:
            leaves = {name for name, used in below.items() if not (used - {name}) & set(below)}
            assert leaves, f"a circle among {', '.join(sorted(below))}"
            below = {name: used for name, used in below.items() if name not in leaves}
