"""Which devices this machine has."""

from __future__ import annotations

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
