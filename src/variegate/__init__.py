"""One condition, many images.

    import variegate
    model = variegate.load("runs/facades")
    out = model.sample("layout.png", n=16, seed=0)

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import evaluate, load, train
    from .core.errors import VariegateError
    from .model.model import Model
    from .model.samples import Samples

__all__ = ["Model", "Samples", "VariegateError", "evaluate", "load", "train"]

_WHERE = {
    "load": "api",
    "train": "api",
    "evaluate": "api",
    "Model": "model.model",
    "Samples": "model.samples",
    "VariegateError": "core.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'variegate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
