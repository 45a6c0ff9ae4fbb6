"""A studio with the bundled model, in this process, and what tests send to it."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from variegate.studio.app import make_app
from variegate.studio.security import own_hosts
from variegate.studio.service import Studio
from variegate.studio.shelf import Shelf

TOKEN = "token-of-the-test"
AUTHORISED = {"authorization": f"Bearer {TOKEN}"}


@contextmanager
def client_of(*places: Path, public: bool = False) -> Iterator[TestClient]:
    """A client of a studio with these models; with none, the bundled one."""
    app = make_app(Studio(Shelf(places)), own_hosts("127.0.0.1", 80), TOKEN, public)
    with TestClient(app, base_url="http://127.0.0.1", headers=AUTHORISED) as client:
        yield client


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """`variegate studio` as a process of its own: its address, its token, and the process."""
    command = [sys.executable, "-m", "variegate", "studio", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            where = re.search(r"http://\S+?(?=[/#\s])", process.stdout.readline())
            token = process.stdout.readline().split()[-1]
            assert where is not None
            yield where[0], token, process
        finally:
            if process.poll() is None:
                process.kill()


def labels(ids: np.ndarray) -> dict[str, Any]:
    height, width = ids.shape
    return {"kind": "labels", "height": height, "width": width, "ids": base64.b64encode(ids.tobytes()).decode()}


def street(side: int = 64) -> dict[str, Any]:
    """Sky, a building with a roof, a road."""
    ids = np.zeros((side, side), np.uint8)
    ids[side // 4 :, side // 8 : -side // 8] = 1
    ids[side // 4 : side // 3, side // 8 : -side // 8] = 3
    ids[-side // 4 :] = 6
    return labels(ids)


def pixels(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


def png(picture: np.ndarray, **save: Any) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", **save)
    return base64.b64encode(file.getvalue()).decode()
