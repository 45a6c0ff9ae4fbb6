"""With `fresh_holes` an image has another hole at every visit, whoever reads it, and the same after a stop."""

from __future__ import annotations

import os
import signal
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from helpers.runs import at_batch, logged, state_of, unequal
from helpers.tiny import photo, save
from variegate.core.config import Training, from_mapping
from variegate.core.errors import ConfigError, Interrupted
from variegate.data import open_data
from variegate.data.dataset.pairs import Pairs
from variegate.data.dataset.sampler import visit_key
from variegate.data.dataset.visits import Visits
from variegate.data.derived.holes import chances
from variegate.methods import method
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings
from variegate.training.loop import stream
from variegate.training.start import RunConfig, start

pytestmark = pytest.mark.core


def streets(condition: str = "inpaint") -> Pairs:
    return open_data("streets:8", 32, condition=condition)


def masks_of(visits: Visits, item: int, keys: range) -> list[Tensor]:
    return [visits[item, key]["condition"][3] for key in keys]


def distinct(masks: list[Tensor]) -> int:
    return len({mask.numpy().tobytes() for mask in masks})


def test_every_visit_has_its_own_hole_which_lies_in_its_crop() -> None:
    pairs = streets()
    visits, keys = Visits(pairs, jitter=1.2, flip=True, fresh_holes=True), range(40)
    assert distinct(masks_of(visits, 3, keys)) > 30
    for key in keys:
        visit = visits[3, key]
        hole = visit["condition"][3] > 0
        assert 12 * 12 <= hole.sum() <= 16 * 16
        assert bool((visit["condition"][:3, hole] == 255).all())
        assert torch.equal(visit["condition"][:3, ~hole], visit["image"][:, ~hole])
    again = Visits(streets(), jitter=1.2, flip=True, fresh_holes=True)
    assert all(map(torch.equal, masks_of(visits, 3, keys), masks_of(again, 3, keys)))


def test_crops_and_mirrors_are_those_of_fixed_holes_and_pairs_outside_training_keep_theirs() -> None:
    pairs = streets()
    fresh, fixed = (Visits(pairs, 1.2, True, None, flag) for flag in (True, False))
    assert all(torch.equal(fresh[3, key]["image"], fixed[3, key]["image"]) for key in range(20))
    assert distinct(masks_of(fixed, 3, range(20))) == 1
    for one, other in ((pairs, streets()), (pairs.validation(), streets().validation())):
        assert torch.equal(one.raw(0)[0], other.raw(0)[0])
    assert torch.equal(pairs.raw(3)[0][3], fixed[3, 0]["condition"][3])


def test_holes_are_drawn_apart_from_those_of_items_and_from_the_order_of_visits() -> None:
    key = visit_key(2**22 - 1, 2**40 - 1)
    visits = Visits(streets(), fresh_holes=True)
    assert torch.equal(visits[0, key]["condition"][3], visits[0, key]["condition"][3])
    assert not np.allclose(chances(key), chances(2**63 + key))


def test_masks_of_a_folder_take_turns(tmp_path: Path) -> None:
    for i in range(6):
        save(tmp_path / "photos" / f"{i}.png", photo(16, 16))
    for i in range(3):
        mask = np.zeros((16, 16), np.uint8)
        mask[5 * i : 5 * i + 4] = 255
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
    pairs = open_data(tmp_path / "photos", condition=f"inpaint:{tmp_path / 'masks'}")
    assert distinct(masks_of(Visits(pairs, fresh_holes=True), 0, range(30))) == 3
    for i in (1, 2):
        (tmp_path / "masks" / f"{i}.png").unlink()
    with pytest.raises(ConfigError, match="whose hole is always the same"):
        Visits(open_data(tmp_path / "photos", condition=f"inpaint:{tmp_path / 'masks'}"), fresh_holes=True)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("inpaint:centre", "does nothing with --condition inpaint:centre, whose hole is always the same"),
        ("labels", "labels cuts no holes"),
        ("superres:4", "superres:4 cuts no holes"),
    ],
)
def test_where_it_does_nothing_it_is_refused(condition: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Visits(streets(condition), fresh_holes=True)


def test_neighbours_of_fixed_holes_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave one of the two out"):
        method("latent-dropout", {"fresh_holes": True, "neighbours.threshold": 0.3, "neighbours.most": 2})


def batches(rank: int = 0, world: int = 1, step: int = 0, workers: int = 0) -> list[Any]:
    fabric = SimpleNamespace(global_rank=rank, world_size=world, to_device=lambda raw: raw)
    chosen = method("glcic", {"width": 4})
    chosen = chosen.model_copy(update={"training": Training(batch_size=4, jitter=1.2, flip=True, fresh_holes=True)})
    run = ExecutionSettings(quiet=True, workers=workers, channels_last=False)
    return [*islice(stream(streets(), chosen, run, fabric, step), 5)]


def test_training_sees_the_same_holes_after_a_stop_in_two_processes_and_with_workers() -> None:
    whole = batches()
    assert torch.equal(batches(step=3)[0].condition, whole[3].condition)
    for rank in (0, 1):
        assert torch.equal(batches(rank, 2)[4].condition, whole[4].condition[rank::2])
    assert all(torch.equal(one.condition, two.condition) for one, two in zip(batches(workers=2), whole))
    seen: dict[int, list[Tensor]] = {}
    for batch in whole[:4]:
        for index, condition in zip(batch.index.tolist(), batch.condition):
            seen.setdefault(index, []).append(condition[3])
    assert {len(masks) for masks in seen.values()} == {2}, "two epochs"
    assert sum(distinct(masks) == 2 for masks in seen.values()) >= 7


def test_a_predictor_has_them_too_and_a_stopped_run_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"width": 4, "samples": 3, "batch_size": 4, "training.steps": 6, "previous.training.steps": 3}
    chosen = method("mrgan-inpainting", {**options, "fresh_holes": True})
    run = from_mapping(ExecutionSettings, {"device": "cpu", "quiet": True, "channels_last": False}, "run")
    config = RunConfig(method=chosen, data={"path": "streets:8", "size": (16, 16), "condition": "inpaint"}, run=run)
    start(config, tmp_path / "whole")
    assert RunFolder(tmp_path / "whole" / "previous").config.method.training.fresh_holes
    at_batch(monkeypatch, 4, lambda: os.kill(os.getpid(), signal.SIGTERM))  # the predictor has 3
    with pytest.raises(Interrupted):
        start(config, tmp_path / "run")
    monkeypatch.undo()
    start(config, tmp_path / "run", resume=True)
    assert unequal(state_of(tmp_path / "run", 6), state_of(tmp_path / "whole", 6)) == []
    assert logged(tmp_path / "run") == logged(tmp_path / "whole")
    plain = config.model_copy(update={"method": method("mrgan-inpainting", options)})
    start(plain, tmp_path / "plain")
    assert unequal(state_of(tmp_path / "plain", 6), state_of(tmp_path / "whole", 6)) != []
