"""Forked children of one process that has imported torch already: what a child does, and how it ended."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from variegate.core.errors import VariegateError

SLOW = (
    *("lightning_fabric", "torch.utils.tensorboard", "torch._dynamo", "torch.onnx", "torchvision", "rich.progress"),
    *(
        "PIL.PngImagePlugin",
        "PIL.JpegImagePlugin",
        "PIL.GifImagePlugin",
        "variegate.training.loop",
        "variegate.model.model",
    ),
)
SLEEPING = 30  # times the limit by the clock, after which a child that computes nothing is taken to hang
ENDS = {0: "done", 2: "refused", 1: "traceback"}


class Ended(NamedTuple):
    """How a child ended.

    Attributes:
        how: done, refused (the library's own error), traceback, killed, or hung (and was then killed).
        words: the error's sentence, or the traceback's last line.
        result: what it returned, if done.
        seconds: wall-clock time.
    """

    how: str
    words: str
    result: Any
    seconds: float


class Child:
    """A forked process that runs a function; what it prints goes to a file."""

    def __init__(self, act: Callable[[], Any], log: Path) -> None:
        self.log, self.began = log, time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        self.answer = tempfile.TemporaryFile()  # noqa: SIM115 closed in wait
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            run(act, log, self.answer.fileno())
        self.status: int | None = None

    def ended(self) -> bool:
        """Whether it has ended, without waiting."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def kill(self) -> None:
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)

    def spent(self) -> float:
        """Seconds of processor time, so that a busy machine is no fault; by the clock where the system does not say."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return time.monotonic() - self.began
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait(self, limit: float = 120.0) -> Ended:
        hung = False
        while not self.ended():
            if self.spent() > limit or time.monotonic() - self.began > SLEEPING * limit:
                hung = True
                self.kill()
                _, self.status = os.waitpid(self.pid, 0)
                break
            time.sleep(0.002)
        seconds = time.monotonic() - self.began
        with self.answer:
            self.answer.seek(0)
            said = self.answer.read()
        code = os.waitstatus_to_exitcode(self.status or 0)
        if hung or code not in ENDS:
            words = f"no answer after {limit:g} s" if hung else f"ended by signal {-code}"
            return Ended("hung" if hung else "killed", words, None, seconds)
        content = json.loads(said)
        return Ended(ENDS[code], content.get("words", ""), content.get("result"), seconds)


def run(act: Callable[[], Any], log: Path, answer: int) -> None:
    """In the child: run, answer, end without the parent's clean-up."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    code, content = 0, {}
    try:
        content = {"result": act()}
    except VariegateError as error:
        code, content = 2, {"words": str(error)}
    except BaseException as error:
        traceback.print_exc()
        code, content = 1, {"words": traceback.format_exception_only(error)[-1].strip()}
    sys.stdout.flush()
    sys.stderr.flush()
    with open(answer, "wb", closefd=False) as stream:
        stream.write(json.dumps(content).encode())
    os._exit(code)


def warm() -> None:
    """Import once, before anything is forked, what every child would otherwise import."""
    for name in SLOW:
        with suppress(ImportError):
            import_module(name)


def in_child(act: Callable[[], Any], log: Path, limit: float = 120.0) -> Ended:
    return Child(act, log).wait(limit)
