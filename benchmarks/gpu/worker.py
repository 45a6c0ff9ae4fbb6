"""A process that measures rows one by one, so that a row that hangs or crashes ends with it and the others go on."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

from .cases import Case

FATAL = ("CUDA error", "device-side assert", "cuDNN error", "CUBLAS")  # after which a process can do nothing more
SECONDS_TO_END = 20


def sentence(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text[:300]}"


def serve(channel: Connection, device: str, seed: int) -> None:
    """Measure the cases that arrive until there are no more."""
    from variegate.core.memory import keep_freed_memory

    from .measure import row

    keep_freed_memory()
    while (case := channel.recv()) is not None:
        try:
            channel.send(row(case, device, seed))
        except Exception as error:
            channel.send({"problem": sentence(error)})
            if any(word in str(error) for word in FATAL):
                return
        free(device)


def free(device: str) -> None:
    import gc

    import torch

    torch.compiler.reset()
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


class Worker:
    """The other end: a process that is started when it is needed, and again when it has ended."""

    def __init__(self, device: str, seed: int) -> None:
        self.device, self.seed = device, seed
        self.process: Any = None

    def row(self, case: Case, seconds: float) -> dict[str, Any]:
        """A case's row; its problem if it takes longer than some seconds, or its process ends."""
        if self.process is None or not self.process.is_alive():
            self.start()
        self.channel.send(case)
        try:
            if self.channel.poll(seconds):
                return dict(self.channel.recv())
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            self.process = None
            return {"problem": f"its process ended with status {code}"}
        self.kill()
        return {"problem": f"it took longer than {seconds:g} seconds"}

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.channel, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.device, self.seed), daemon=True)
        self.process.start()
        other.close()

    def stop(self) -> None:
        """End the process when it has nothing to do."""
        if self.process is not None and self.process.is_alive():
            self.channel.send(None)
            self.process.join(SECONDS_TO_END)
        self.kill()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None
