"""Join a Ray cluster, or start one on this machine, quietly."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from ..core.errors import ConfigError

LOCAL = "local"
OBJECTS = 200 * 2**20  # bytes of shared memory on this machine; images do not go through it
SECONDS = 5.0  # that a cluster may take to answer


def require_ray() -> None:
    """Raises ConfigError if Ray is missing."""
    if find_spec("ray") is None:
        raise ConfigError("--ray needs the package ray: pip install 'variegate[ray]'")


@contextmanager
def connected(address: str, what: str = "--ray") -> Iterator[Any]:
    """The module `ray`, connected; what is not running yet is started, and ended with it.

    Args:
        address: `local` starts Ray on this machine, `auto` finds one that runs here; else HOST:PORT, or
            ray://HOST:PORT from outside of a cluster.
        what: the option that said so.

    Raises:
        ConfigError: Ray is missing, or none answers there.
    """
    require_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        here: dict[str, Any] = {
            "include_dashboard": False,
            "object_store_memory": OBJECTS,
            "_node_ip_address": "127.0.0.1",
        }
        ray.init("local", **here, **quiet)
    else:
        _knock(address, what)
        try:
            ray.init(address, **quiet)
        except (ConnectionError, RuntimeError, TimeoutError, ValueError, OSError) as error:
            raise ConfigError(
                f"{what} {address}: cannot be joined ({_first_line(error)}); it must have this version of Ray, and one "
                "that asks for a token needs it in RAY_AUTH_TOKEN"
            ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str, what: str) -> None:
    """Raise ConfigError at once where nothing listens; Ray itself would try for a minute."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if address == "auto":
        return
    if not (colon and port.isdecimal()):
        raise ConfigError(f"{what} {address}: is no address; give local, auto or HOST:PORT, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"{what} {address}: no Ray answers there ({_first_line(error)}); start one with `ray start --head`, or "
            "give local"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no answer"])[0].rstrip(".")
