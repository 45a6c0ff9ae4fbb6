"""What keeps the house readable: short files and functions, few parameters, no talking and no exits in the library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import variegate

pytestmark = pytest.mark.core

HOUSE = Path(variegate.__file__).parent
FILES = {str(file.relative_to(HOUSE)): file for file in sorted(HOUSE.rglob("*.py"))}
LINES_OF_A_FILE, LINES_OF_A_FUNCTION, PARAMETERS = 300, 60, 6
NETWORKS = ("networks/", "generators/", "randomness/")  # whose constructors have as many as they need


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for name, file in FILES.items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield name, node


def test_files_are_short() -> None:
    lines = {name: len(file.read_text().splitlines()) for name, file in FILES.items()}
    assert not {name: count for name, count in lines.items() if count > LINES_OF_A_FILE}


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest imports them by their bare names, and one would hide the other."""
    names = [file.name for file in Path(__file__).parents[1].rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}


def test_functions_are_short() -> None:
    long = {f"{name}: {node.name}": (node.end_lineno or 0) - node.lineno + 1 for name, node in functions()}
    assert not {name: count for name, count in long.items() if count > LINES_OF_A_FUNCTION}


def test_functions_take_few_parameters() -> None:
    many = []
    for name, node in functions():
        given = node.args
        names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        constructor = node.name == "__init__" and name.startswith(NETWORKS)
        if len([one for one in names if one not in ("self", "cls")]) > PARAMETERS and not constructor:
            many.append(f"{name}: {node.name}")
    assert not many


def test_only_the_command_line_prints_and_exits() -> None:
    talking = []
    for name, file in FILES.items():
        for node in ast.walk(ast.parse(file.read_text())):
            called = (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "exit")
            )
            leaves = isinstance(node, ast.Name | ast.Attribute) and "SystemExit" in ast.dump(node)
            if (called or leaves) and not name.startswith("cli/"):
                talking.append(f"{name}:{node.lineno}")
    assert not talking
