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
from .drawer import Dropped
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
    work: Callable[[Job], File]
    state: State = "queued"
    error: str | None = None
    file: File | None = None

    @property
    def unfinished(self) -> bool:
        return self.state in ("queued", "running")


class Jobs:
    """The newest jobs with their files, in memory."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "jobs")

    def add(self, work: Callable[[Job], File]) -> Job:
        """Raises Refusal (429) if too many wait."""
        job = Job(secrets.token_hex(8), work)
        with self._lock:
            if sum(one.unfinished for one in self._jobs.values()) >= WAITING:
                raise Refusal(429, f"{WAITING} jobs wait already; try again in 5 s", 5)
            self._jobs[job.identity] = job
        self._pool.submit(self._run, job)
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
        if job.unfinished:
            job.state = "cancelled"
        return job

    def close(self) -> None:
        with self._lock:
            for job in self._jobs.values():
                if job.unfinished:
                    job.state = "cancelled"
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job) -> None:
        if job.state == "cancelled":
            return
        job.state = "running"
        try:
            file = job.work(job)
        except Dropped:
            job.state = "cancelled"
        except (VariegateError, Refusal) as error:
            job.state, job.error = "failed", str(error)
        except Exception as error:
            job.state, job.error = "failed", f"this is a fault of variegate: {type(error).__name__}: {error}"
        else:
            if job.state != "cancelled":
                job.file, job.state = file, "done"
        self._let_go()

    def _let_go(self) -> None:
        """Forget the oldest finished jobs beyond what is kept."""
        with self._lock:
            done = [job for job in self._jobs.values() if not job.unfinished]
            held = sum(len(job.file.content) for job in done if job.file)
            for job in done[:-1]:
                if len(self._jobs) <= KEPT and held <= KEPT_BYTES:
                    return
                held -= len(job.file.content) if job.file else 0
                del self._jobs[job.identity]
