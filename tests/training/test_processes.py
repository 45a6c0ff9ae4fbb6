"""Two processes that share a batch learn what one process learns from all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers.runs import logged, python, state_of, unequal
from helpers.together import RUNS, STEPS

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same runs by one process and by two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for folder, launcher in ((one, ()), (two, TORCHRUN)):
        ended = python("together.py", str(folder), *RUNS, launcher=launcher)
        assert ended.returncode == 0, ended.stderr[-3000:]
    return one, two


@pytest.mark.parametrize("name", ["instance", "basis"])
def test_two_processes_equal_one_on_the_same_global_batch(folders: tuple[Path, Path], name: str) -> None:
    one, two = (state_of(folder / name, STEPS) for folder in folders)
    for part in ("generator", "ema", "objective"):
        for key, value in one[part].items():
            if key.endswith("bias"):
                continue  # where instance norm follows, its gradient is rounding error that Adam blows up
            assert torch.allclose(value, two[part][key], rtol=1e-3, atol=1e-5), f"{part}.{key}"
    for first, second in zip(*(logged(folder / name) for folder in folders), strict=True):
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert second[key] == pytest.approx(value, rel=1e-3, abs=1e-4), key


@pytest.mark.parametrize("name", list(RUNS))
def test_processes_hold_the_same_generator_after_training(folders: tuple[Path, Path], name: str) -> None:
    ranks = [torch.load(folders[1] / name / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    running = ("running_mean", "running_var")  # each process has its own share of the batch
    weights = [{k: v for k, v in state.items() if not k.endswith(running)} for state in ranks]
    assert unequal(*weights) == []
    start = torch.load(folders[0] / name / "rank0.pt", weights_only=True)
    assert set(start) == set(ranks[0])


def test_a_checkpoint_inside_a_pool_has_the_winners_of_all_processes(folders: tuple[Path, Path]) -> None:
    one, two = (state_of(folder / "pool", STEPS)["objective"] for folder in folders)
    assert two["matches.winners"].shape == one["matches.winners"].shape == (4, 1, 1)
    assert two["matches.closest"].isfinite().all()


def test_one_process_writes_the_run_folder_for_all(folders: tuple[Path, Path]) -> None:
    for name in RUNS:
        assert len(list((folders[1] / name).glob("events.out.tfevents.*"))) == 1
        keys = [(line["step"], key) for line in logged(folders[1] / name) for key in line if key != "step"]
        assert len(keys) == len(set(keys))
