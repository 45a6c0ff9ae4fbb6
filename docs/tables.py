"""`python -m docs.tables`: regenerate the tables of components and methods in these pages from the registry.

Each table lies between `<!-- NAME -->` and `<!-- /NAME -->`; a test fails if one is stale.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args, get_type_hints

from variegate.core.method import Component, GeneratorConfig, Method, ObjectiveConfig, RandomnessConfig
from variegate.methods import METHODS
from variegate.methods.registry import choices_of

FOLDER = Path(__file__).parent
METHODS_MADE = {name: METHODS[name]() for name in sorted(METHODS)}


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def components(family: type[Component], column: str) -> str:
    """Build a table with one row per kind: what it is, and which methods use it."""
    rows = []
    for kind, config in sorted(family.kinds.items()):
        if not config.__module__.startswith("variegate."):  # third-party
            continue
        used = [f"`{name}`" for name, method in METHODS_MADE.items() if getattr(method, family.group).kind == kind]
        rows.append([f"`{kind}`", config.summary, ", ".join(used) or "as part of others"])
    return table([family.group, column, "methods"], rows)


def methods() -> str:
    """Build a table with one row per method: its summary, components and own options."""
    rows = []
    for name, method in METHODS_MADE.items():
        parts = " + ".join(f"`{getattr(method, part).kind}`" for part in ("generator", "randomness", "objective"))
        rows.append([f"`{name}`", f"{method.summary}<br>*{method.paper}*", parts, options(METHODS[name])])
    return table(["method", "what it does", "components", "its own options, with defaults"], rows)


def options(make: Callable[..., Method]) -> str:
    return ", ".join(option(make, name, given.default) for name, given in inspect.signature(make).parameters.items())


def option(make: Callable[..., Method], name: str, default: Any) -> str:
    """Format an option with its default and other choices: `--noise dropout` (or `input`, `none`)."""
    typed, others = f"--{name.replace('_', '-')}", [str(one) for one in choices_of(make, name) if one != default]
    if default is None:
        kind = next(one for one in get_args(get_type_hints(make)[name]) if one is not type(None))
        return f"`{typed}` ({'a whole number' if kind is int else 'a number'})"
    value = str(default).lower() if isinstance(default, bool) else default
    more = f" (or {', '.join(f'`{one}`' for one in others)})" if others else ""
    return f"`{typed} {value}`{more}"


TABLES = {
    "how-it-works.md": {
        "networks": lambda: components(GeneratorConfig, "network"),
        "randomness": lambda: components(RandomnessConfig, "what the code is"),
        "objectives": lambda: components(ObjectiveConfig, "what it optimises"),
    },
    "methods.md": {"methods": methods},
}


def updated(page: str) -> str:
    """Return the text of a page with its tables regenerated."""
    text = (FOLDER / page).read_text()
    for name, make in TABLES[page].items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not opening or not closing:
            raise ValueError(f"{page}: no markers for the table {name!r}; add <!-- {name} --> and <!-- /{name} -->")
        text = f"{before}{opening}\n{make()}\n\n{closing}{after}"
    return text


if __name__ == "__main__":
    for page in TABLES:
        (FOLDER / page).write_text(updated(page))
