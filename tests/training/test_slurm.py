"""What Slurm's environment means for training, and jobs whose processes would wait for each other forever."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from torch import distributed

from variegate.core.errors import ConfigError
from variegate.core.launch import first, processes
from variegate.core.processes import together
from variegate.core.rendezvous import agree_on_name
from variegate.runs.settings import ExecutionSettings


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SLURM_STEP_ID": "0"}, "give --ntasks-per-node, and not --ntasks"),
        ({"SLURM_NTASKS_PER_NODE": "4"}, "one process of a Slurm job of 8 tasks; put srun before the command"),
    ],
)
def test_a_job_that_would_wait_forever_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    for name, value in {"SLURM_NTASKS": "8", **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=words):
        ExecutionSettings(device="cpu").fabric()


def test_the_first_of_slurms_tasks_speaks_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_PROCID", "3")
    assert processes() == 8
    assert not first()
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert first()


def test_what_does_not_train_runs_alone_where_srun_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "8")
    with together():
        assert not distributed.is_initialized()


def test_restarted_processes_agree_on_a_new_name_whatever_dead_ones_left_in_the_store() -> None:
    store, names = distributed.HashStore(), []
    store.set("name/1", "dead")
    for _ in range(3):
        found: dict[int, str] = {}

        def come(rank: int, found: dict[int, str] = found) -> None:
            found[rank] = agree_on_name(store, rank, 3, timedelta(seconds=20))

        threads = [Thread(target=come, args=(rank,)) for rank in (0, 2, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 3
        assert len(set(found.values())) == 1
        names.append(found[0])
    assert len(set(names)) == 3
    with pytest.raises(TimeoutError, match=r"processes \[1\] of 2 did not come"):
        agree_on_name(distributed.HashStore(), 0, 2, timedelta(seconds=0.05))
