"""Which devices this machine has, and with how many threads it computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import ConfigError


def require_device(name: str) -> None:
    """Raise ConfigError unless this machine has a device of that name."""
    import torch

    try:
        torch.zeros(1, device=name).cpu()
    except (RuntimeError, AssertionError):  # the latter: torch was built without CUDA
        found = torch.accelerator.current_accelerator(check_available=True)
        here = "cpu" if found is None else f"{found.type} or cpu"
        raise ConfigError(f"--device {name}: there is no such device here; give {here}") from None


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch with one thread within the context: the last bits of sums depend on how threads split them."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
