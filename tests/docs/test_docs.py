"""Every command in README and docs runs, in the order of the pages, in one folder, as a reader would type it.

Long ones are shortened: steps, and the demo to its quick form. A line that several pages have runs once. Commands on
images that are not here are skipped. All of them run in this process, since every new one would import torch again.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.tables import TABLES, updated

from helpers.shared import ROOT, SHARED
from variegate.cli import main

NAMES = (
    "getting-started",
    "scenes",
    "methods",
    "your-own-data",
    "measuring",
    "real-images",
    "studio",
    "studies",
    "bulk",
    "shards",
    "large-images",
    "sharing",
    "reliability",
    "many-processes",
)
PAGES = ["README.md", *(f"docs/{name}.md" for name in NAMES)]
MADE_BY_MAKE = ("make ", "git ", "cd ")  # continuous integration runs these


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
            lines = block.replace("\\\n", " ").strip().splitlines()
            found += [(page, line.partition("  #")[0].strip()) for line in lines if not line.startswith("#")]
    pages = {line: page for page, line in reversed(found) if line and not line.startswith(MADE_BY_MAKE)}
    return [(page, line) for line, page in reversed(pages.items())]


def shortened(line: str) -> str:
    line = re.sub(r"--steps \d+", "--steps 2", line)
    line = re.sub(r"--(objective\.)?inner-steps \d+", "--inner-steps 2", line)
    line = re.sub(r"--batch-size \d+", "--batch-size 4", line)
    line = re.sub(r"--minutes \d+", "--minutes 0.6 --size 32", line)
    if line.startswith("variegate demo"):
        line += " --quick"
    return line.replace("../shared", str(SHARED))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


def exit_status(words: list[str]) -> object:
    try:
        main(words)
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda text: text[:60])
def test_a_command_of_the_documentation_runs(
    page: str, line: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "../shared" in line and not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here; set VARIEGATE_SHARED")
    needed = [word for word in shlex.split(line) if word.startswith("runs/") and "--out" not in line]
    if needed and "/real-images" in f"/{page}" and not (desk / needed[0]).exists():
        pytest.skip(f"{needed[0]} was not trained, its images are not here")
    program, *rest = shlex.split(shortened(line))
    assert program == "variegate", f"{page} tells the reader to run {program}, which this test does not know"
    monkeypatch.chdir(desk)
    monkeypatch.setenv("VARIEGATE_CACHE", str(desk / "cache"))
    status = exit_status(rest)
    assert not status, f"{page}: {line}\n{capsys.readouterr().err[-2000:]}"


@pytest.mark.parametrize("page", ["README.md", "docs/scenes.md", "docs/studio.md"])
def test_the_lines_of_python_run(page: str, desk: Path) -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert (desk / "demo").is_dir(), "the commands above make the models that the lines load"
    edited = desk / "edited" / "layout.png"  # of the size that the page's places are for
    layout = edited if "scenes" in page else min((desk / "my-streets" / "test_label").glob("*.png"))
    for name in ("layout.png", "other.png"):
        shutil.copy(layout, desk / name)
    done = subprocess.run([sys.executable, "-c", block], cwd=desk, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", TABLES)
def test_tables_are_those_of_the_registry(page: str) -> None:
    assert (ROOT / "docs" / page).read_text() == updated(page), "stale; `python -m docs.tables` writes it anew"
