"""The methods by name. Every module of these packages is imported, so that components and presets register."""

from importlib import import_module
from pkgutil import iter_modules

from .. import generators, objectives, randomness
from .registry import METHODS, listing, method, method_from_mapping, preset

__all__ = ["METHODS", "listing", "method", "method_from_mapping", "preset"]

for _room, _path in ((room.__name__, room.__path__) for room in (randomness, generators, objectives)):
    for _module in iter_modules(_path):
        import_module(f"{_room}.{_module.name}")
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
