"""How processes that torchrun started find each other, also after it has restarted all of them.

Their addresses lie in a store that outlives them: torchrun keeps one for all restarts. A process that is faster than
another would find the address of a dead one there, and wait for it forever. So all first agree on a new name, under
which nothing lies.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

from torch import distributed
from torch.distributed.rendezvous import rendezvous

PAUSE = 0.01  # seconds between two looks of the first process


def join(backend: str, timeout: timedelta, **more: Any) -> None:
    """Join the processes that torchrun started.

    Args:
        more: as for `init_process_group`.
    """
    store, rank, size = next(rendezvous("env://", timeout=timeout))
    store = distributed.PrefixStore(agree_on_name(store, rank, size, timeout), store)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout, **more)


def agree_on_name(store: distributed.Store, rank: int, size: int, timeout: timedelta) -> str:
    """The first process's own name, which it gives to all others in answer to theirs; names are never used again.

    Raises:
        TimeoutError: a process did not come.
    """
    own = uuid.uuid4().hex
    if rank:
        store.set(f"name/{rank}", own)
        store.wait([f"answer/{own}"], timeout)
        given = str(store.get(f"answer/{own}").decode())
        store.set(f"heard/{given}/{rank}", "")
        return given
    missing, end = set(range(1, size)), time.monotonic() + timeout.total_seconds()
    while missing:
        for other in [one for one in missing if store.check([f"name/{one}"])]:
            name = store.get(f"name/{other}").decode()  # maybe that of a dead process, until its successor comes
            store.set(f"answer/{name}", own)
        missing = {one for one in missing if not store.check([f"heard/{own}/{one}"])}
        if time.monotonic() > end:
            raise TimeoutError(f"processes {sorted(missing)} of {size} did not come within {timeout}")
        time.sleep(PAUSE)
    return own
