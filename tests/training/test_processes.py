"""Two processes that share a batch, or one that divides it, learn what one process learns from all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers import together
from helpers.runs import logged, python, saved_steps, state_of, unequal
from helpers.together import JOBS, STEPS, options_of
from variegate.core.device import one_thread
from variegate.methods import METHODS

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--max-restarts", "3")
# every kind of objective; mrgan trains a moment-predictor first, flow-student a flow
METHODS_HERE = [
    "pix2pix",
    "msgan",
    "bicyclegan",
    "munit",
    "mrgan-inpainting",
    "rcgan",
    "flow-student",
    "crn",
    "latent-dropout",
    "pixelcnn-autoencoder",
    "conv-autoencoder",
    "cimle",
]
OTHERS = [name for name in METHODS if name not in METHODS_HERE]
EQUAL = [*METHODS_HERE, "held", "divided", "pool"]
DIVISIBLE = ("bicyclegan", "crn", "latent-dropout", "pixelcnn-autoencoder", "conv-autoencoder")
DIVISIBLE_OTHERS = ("pix2pixhd", "dsgan", "basisgan-hd", "basisgan-inpainting", "flow", "pixelcnn", "gated-pixelcnn")
Folders = tuple[Path, Path]


def train(folder: Path, *jobs: str, words: tuple[str, ...] = ()) -> None:
    with one_thread():
        for job in jobs:
            together.train(job, folder / job, *words)


def train_together(folder: Path, *jobs: str) -> None:
    ended = python("together.py", str(folder), *jobs, launcher=TORCHRUN)
    assert ended.returncode == 0, ended.stderr[-3000:]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The same runs by one process and by two; `elsewhere` was begun by one, and one process of `killed` was killed."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    train(one, *METHODS_HERE, *JOBS)
    train(two, "elsewhere", words=("--steps", "2"))
    train_together(two, *METHODS_HERE, *JOBS)
    return one, two


def last_step(job: str) -> int:
    return int(options_of(job)["steps"])


def close(one: Tensor, two: Tensor, limit: float, scale: float) -> bool:
    return one.shape == two.shape and bool((one.float() - two.float()).abs().max() <= limit * scale)


def differing(one: dict[str, Any], two: dict[str, Any], limit: float) -> list[str]:
    """Names of what is not the same to summation order in two checkpoints.

    Weights are compared by the running means of their gradients, in units of the largest: where a normalisation follows
    a bias, its gradient is rounding error, of which Adam makes a step of full size.
    """
    found = []
    for part in (name for name in one if name.startswith("optimizer/")):
        states = one[part]["state"]
        name = next(name for name in ("exp_avg", "square_avg") if name in states[min(states)])
        scale = max(float(state[name].abs().max()) for state in states.values())
        found += [
            f"{part}.{i}" for i in states if not close(states[i][name], two[part]["state"][i][name], limit, scale)
        ]
    for part in ("generator", "ema", "objective"):
        for name, value in one[part].items():
            if "running_" in name or name.startswith("matches.") or name in ("reward", "errors"):
                scale = max(1e-3, float(value.abs().max())) if value.numel() else 1.0
                same = value.shape == two[part][name].shape
                found += (
                    [] if same and (not value.numel() or close(value, two[part][name], 100 * limit, scale)) else [name]
                )
    return found


def assert_same(one: Path, two: Path, step: int, limit: float = 1e-4) -> None:
    assert differing(state_of(one, step), state_of(two, step), limit) == []
    for first, second in zip(logged(one), logged(two), strict=True):
        assert first.keys() == second.keys()
        for key, value in first.items():
            if key != "val/code_sensitivity":  # a ratio of tiny numbers in networks that have hardly begun
                assert second[key] == pytest.approx(value, rel=10 * limit, abs=limit), key


@pytest.mark.parametrize("job", EQUAL)
def test_two_processes_learn_what_one_learns_from_the_whole_batch(folders: Folders, job: str) -> None:
    assert_same(folders[0] / job, folders[1] / job, last_step(job))


@pytest.mark.parametrize("job", EQUAL)
def test_together_they_see_its_items_keys_and_codes_in_its_order(folders: Folders, job: str) -> None:
    whole = torch.load(folders[0] / job / "rank0.pt", weights_only=True)["seen"]
    ranks = [torch.load(folders[1] / job / f"rank{rank}.pt", weights_only=True)["seen"] for rank in (0, 1)]
    assert len(whole) == len(ranks[0]) == len(ranks[1]) > 0
    for every, *parts in zip(whole, *ranks, strict=True):
        for name, rows in every.items():
            pools = len(parts[0][name]) == len(rows)
            joined = parts[0][name] if pools else torch.stack([part[name] for part in parts], dim=1).flatten(0, 1)
            assert torch.equal(joined, rows), name
            assert not pools or torch.equal(parts[1][name], rows), name


@pytest.mark.parametrize("job", [job for job in [*METHODS_HERE, *JOBS] if job != "broken"])
def test_processes_end_with_the_same_generator(folders: Folders, job: str) -> None:
    ranks = [torch.load(folders[1] / job / f"rank{rank}.pt", weights_only=True)["weights"] for rank in (0, 1)]
    assert unequal(*ranks) == []
    assert unequal(ranks[0], state_of(folders[1] / job, last_step(job))["generator"]) == []


def test_one_process_writes_the_run_folder_for_all(folders: Folders) -> None:
    for job in METHODS_HERE:
        assert len(list((folders[1] / job).glob("events.out.tfevents.*"))) == 1
        keys = [(line["step"], key) for line in logged(folders[1] / job) for key in line if key != "step"]
        assert len(keys) == len(set(keys))


def test_a_run_goes_on_with_another_number_of_processes_and_back(folders: Folders) -> None:
    """One process, two, and one again, each from inside a pool, are one process throughout."""
    one, two = folders
    train(two, "elsewhere", words=("--steps", "6", "--resume"))
    assert_same(one / "pool", two / "elsewhere", 6)


def test_a_run_whose_worker_was_killed_goes_on_from_its_last_checkpoint(folders: Folders) -> None:
    one, two = (folder / "killed" for folder in folders)
    assert saved_steps(two)[-1] == last_step("killed")
    again = torch.load(two / "rank1.pt", weights_only=True)["seen"]
    assert len(again) == 2, "the restarted processes repeat the steps after the checkpoint of step 4, and no others"
    assert_same(one, two, last_step("killed"))
    assert not list((two / "checkpoints").glob(".*"))


def test_in_bf16_two_processes_with_micro_batches_have_nearly_the_losses_of_one(folders: Folders) -> None:
    """Gradients of parts are rounded to eight bits before they are added."""
    one, two, exact = (logged(folder / job) for folder, job in zip([*folders, folders[0]], ["bf16", "bf16", "divided"]))
    for first, second in zip(one, two, strict=True):
        assert second == pytest.approx(first, rel=0.02)
    assert [line for line in one if "generator/l1" in line] != [line for line in exact if "generator/l1" in line]


@pytest.mark.parametrize("name", DIVISIBLE)
def test_micro_batches_learn_what_the_whole_batch_does(folders: Folders, tmp_path: Path, name: str) -> None:
    train(tmp_path, name, words=("--accumulate", "2"))
    assert_same(folders[0] / name, tmp_path / name, STEPS)


@pytest.mark.slow
def test_the_other_methods_learn_the_same_with_two_processes_and_with_micro_batches(tmp_path: Path) -> None:
    one, two, parts = (tmp_path / name for name in ("one", "two", "parts"))
    train(one, *OTHERS)
    train_together(two, *OTHERS)
    for name in OTHERS:
        assert_same(one / name, two / name, STEPS)
        if name in DIVISIBLE_OTHERS:
            train(parts, name, words=("--accumulate", "2"))
            assert_same(one / name, parts / name, STEPS)


def test_a_process_that_cannot_read_its_share_of_a_pool_ends_all(folders: Folders) -> None:
    assert [(folders[1] / "broken" / f"ended{rank}").read_text() for rank in (0, 1)] == ["2", "2"]
    assert not saved_steps(folders[1] / "broken")
