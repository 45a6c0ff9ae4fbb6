"""Work whose answer is a file, done one after the other beside the requests."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from ..core.errors import VariegateError
from .sampling_queue import Dropped
from .security import Refusal

KEPT = 32  # jobs
KEPT_BYTES = 256 * 2**20
WAITING = 16

State = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass
class File:
    content: bytes
    kind: str  # of the content, such as image/png
    name: str


@dataclass
class Job:
    identity: str
    state: State = "queued"
    error: str | None = None
    file: File | None = None

    @property
    def unfinished(self) -> bool:
        return self.state in ("queued", "running")

    def end(self, state: State, error: str | None = None, file: File | None = None) -> None:
        """End it, unless it has ended."""
        if self.unfinished:
            self.state, self.error, self.file = state, error, file


Work = Callable[[Job], File]


class Jobs:
    """The newest jobs with their files, in memory."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "jobs")

    def add(self, work: Work) -> Job:
        """Raises Refusal (429) if too many wait."""
        job = Job(secrets.token_hex(8))
        with self._lock:
            if sum(one.unfinished for one in self._jobs.values()) >= WAITING:
                raise Refusal(429, f"{WAITING} jobs wait already; try again in 5 s", 5)
            self._jobs[job.identity] = job
            self._let_go()
        self._pool.submit(self._run, job, work)
        return job

    def find(self, identity: str) -> Job:
        """Raises Refusal (404) if there is none, or its file has been let go for newer ones."""
        with self._lock:
            if identity not in self._jobs:
                raise Refusal(404, "there is no such job; files of older jobs are let go for those of newer ones")
            return self._jobs[identity]

    def cancel(self, identity: str) -> Job:
        """A job that runs ends at its next step."""
        job = self.find(identity)
        with self._lock:
            job.end("cancelled")
        return job

    def close(self) -> None:
        """Cancel all."""
        with self._lock:
            for job in self._jobs.values():
                job.end("cancelled")
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job, work: Work) -> None:
        with self._lock:
            if not job.unfinished:
                return
            job.state = "running"
        file, state, error = None, "done", None
        try:
            file = work(job)
        except Dropped:
            state = "cancelled"
        except (VariegateError, Refusal) as failure:
            state, error = "failed", str(failure)
        except Exception as failure:
            state, error = "failed", f"this is a fault of variegate: {type(failure).__name__}: {failure}"
        with self._lock:
            job.end(state, error, file)  # type: ignore[arg-type]
            self._let_go()

    def _let_go(self) -> None:
        """Forget the oldest finished jobs beyond what is kept."""
        done = [job for job in self._jobs.values() if not job.unfinished]
        held = sum(len(job.file.content) for job in done if job.file)
        for job in done[:-1]:
            if len(self._jobs) <= KEPT and held <= KEPT_BYTES:
                return
            held -= len(job.file.content) if job.file else 0
            del self._jobs[job.identity]
