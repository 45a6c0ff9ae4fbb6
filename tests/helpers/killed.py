"""Trains until it kills itself as `kill -9` would: `killed.py METHOD FOLDER STEPS (batch|checkpoint) NUMBER`.

`batch` dies when the NUMBER-th batch arrives; `checkpoint` dies with the NUMBER-th checkpoint half written.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from helpers.runs import settings, start
from variegate.training import loop


def main(name: str, folder: str, steps: str, where: str, number: str) -> None:
    seen = 0
    original_batch, original_save = loop.to_batch, torch.save

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def to_batch(*args: Any) -> Any:
        nonlocal seen
        seen += where == "batch"
        if where == "batch" and seen == int(number):
            die()
        return original_batch(*args)

    def save(state: dict[str, Any], path: Path) -> None:
        nonlocal seen
        seen += where == "checkpoint"
        original_save(state, path)
        if where == "checkpoint" and seen == int(number):
            path.write_bytes(path.read_bytes()[:1000])
            die()

    loop.to_batch, torch.save = to_batch, save
    start(settings(name, int(steps), save_every=2), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
