"""One condition, many images.

    import variegate
    model = variegate.load("runs/facades")
    out = model.sample("layout.png", n=16, seed=0)

Heavy dependencies are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.errors import VariegateError
    from .evaluation.evaluate import evaluate
    from .model.model import Model, load
    from .model.samples import Samples
    from .training.train import train

__all__ = ["Model", "Samples", "VariegateError", "evaluate", "load", "train"]

_WHERE = {
    "load": "model.model",
    "train": "training.train",
    "evaluate": "evaluation.evaluate",
    "Model": "model.model",
    "Samples": "model.samples",
    "VariegateError": "core.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'variegate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
