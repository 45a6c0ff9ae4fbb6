"""Time of `import variegate` and `variegate --help` in a fresh interpreter, including its own start-up.

A row's `ratio` is the measured time over the time allowed.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

from .measure import Task
from .results import Row, Settings, row

REPEATS = 9
CASES = {
    "import variegate": ("import variegate", 0.3),
    "variegate --help": ("import sys; sys.argv = ['variegate', '--help']; from variegate.cli import main; main()", 0.5),
}


def rows(settings: Settings) -> list[Row]:
    return [measure(case, code, allowed, settings) for case, (code, allowed) in CASES.items()]


def measure(case: str, code: str, allowed: float, settings: Settings) -> Row:
    if "cli" in code and find_spec("variegate.cli.dispatch") is None:
        return row(case, None, 1.0, seconds=None, allowed=allowed, note="there is no variegate.cli")
    timed = settings.compare(interpreter(code), interpreter("pass"), REPEATS)
    seconds, bare = timed.seconds
    details = {"seconds": seconds, "allowed": allowed, "seconds_bare_python": bare, "pairs": timed.pairs}
    return row(case, seconds / allowed, 1.0, **details)


def interpreter(code: str) -> Task:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
