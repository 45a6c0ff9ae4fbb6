"""`variegate data pack`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import ConfigError
from .parsing import Direction, parse_size

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class Pack:
    """Pack a folder into tar shards, which train faster from slow or shared disks. They are WebDataset files."""

    path: Positional[str]
    """a folder of pairs, of classes or of images, or condition=DIR,image=DIR"""
    out: Path
    """a new folder for the shards and their index; give it as --data"""
    shard_size: str = "256MB"
    """how large a shard may grow"""
    per_shard: int | None = None
    """how many samples a shard holds at most"""
    size: str | None = None
    """as for train, which then needs no --size: 64 or 96x128 (height x width). Files are kept as they are"""
    condition: str | None = None
    """as for train, which then needs no --condition"""
    direction: Direction | None = None
    """as for train, which then needs no --direction"""
    unpaired: bool = False
    """as for train, which then needs no --unpaired"""
    white_level: int | None = None
    """as for train, which then needs no --white-level"""

    def run(self) -> None:
        from ..core.config import from_mapping
        from ..data.dataset.opening import DataConfig
        from ..data.dataset.packing import Limits, pack

        given = {
            "size": parse_size(self.size),
            "condition": self.condition,
            "direction": self.direction,
            "unpaired": self.unpaired or None,
            "white_level": self.white_level,
        }
        given = {name: value for name, value in given.items() if value is not None}
        config = from_mapping(DataConfig, {"path": self.path, **given}, "data")
        print(f"{self.out}: {pack(config, self.out, Limits(bytes_in(self.shard_size), self.per_shard))}")


def bytes_in(text: str) -> int:
    """Parse `256MB` or `1.5GB`.

    Raises:
        ConfigError: it is no size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?B?)", text.strip().upper())
    unit = None if found is None else found[2] if found[2].endswith("B") or not found[2] else f"{found[2]}B"
    if found is None or unit not in UNITS:
        raise ConfigError(f"--shard-size must be a size such as 256MB or 1GB, got {text}")
    return int(float(found[1]) * UNITS[unit])
