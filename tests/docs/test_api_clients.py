"""The clients on the API's page run against a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.shared import ROOT
from helpers.studio import serving

PAGE = (ROOT / "docs" / "api.md").read_text()
PROGRAMS = {
    "sh": ["bash", "-e", "-c"],
    "python": [sys.executable, "-c"],
    "js": ["node", "--input-type=module", "--eval"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with serving() as (address, token, _):
        here = str(Path(sys.executable).parent)
        yield {**os.environ, "STUDIO": address, "TOKEN": token, "PATH": f"{here}:{os.environ['PATH']}"}


@pytest.mark.parametrize("language", PROGRAMS)
def test_a_client_of_the_page_runs(language: str, server: dict[str, str], tmp_path: Path) -> None:
    program = PROGRAMS[language]
    if shutil.which(program[0]) is None or (language == "sh" and shutil.which("curl") is None):
        pytest.skip(f"{program[0]} or curl is not here")
    [code] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run([*program, code], cwd=tmp_path, env=server, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    if language == "sh":
        assert len(json.loads((tmp_path / "samples.json").read_text())["images"]) == 4
    elif language == "python":
        assert len([*tmp_path.glob("5-*.png")]) == 8
    else:
        assert done.stdout.startswith("5 ")
