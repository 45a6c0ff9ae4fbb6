"""What the doctor sees in samples, logs, predictors and data, each on a case that has it and one that does not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.tiny import save
from variegate.cli import main
from variegate.core.interfaces import Shapes
from variegate.data import open_data
from variegate.data.dataset.pairs import Pairs
from variegate.evaluation.doctor import diagnosis, signs
from variegate.evaluation.doctor.data import diversity_of, examine
from variegate.methods import method

pytestmark = pytest.mark.core


class Stub:
    """Enough of a model: `draw` makes images (S, 3, H, W) from codes (S, 1)."""

    def __init__(self, pairs: Pairs, draw: Any) -> None:
        self.condition = pairs.condition
        self.generator = Drawer(draw)


class Drawer(torch.nn.Module):
    code_size, alternatives, agree, fixed_codes = 1, None, None, None

    def __init__(self, draw: Any) -> None:
        super().__init__()
        self.weight, self.made, self.asked = torch.nn.Parameter(torch.zeros(1)), draw, 0

    def draw(self, places: list[tuple[int, int]]) -> Tensor:
        return torch.tensor([[float(index)] for _, index in places])

    def encode(self, condition: Tensor) -> Tensor:
        return condition

    def decode_all(self, features: Tensor, codes: Tensor) -> Tensor:
        self.asked += 1
        return self.made(codes[0], self.asked)[None]


@pytest.fixture(scope="module")
def held() -> Pairs:
    return open_data("streets:60", size=32, split="test")


@pytest.fixture(scope="module")
def training() -> Pairs:
    return open_data("streets:60", size=32)


def noise(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_few_different_images_are_few_modes_and_all_different_ones_are_not(held: Pairs) -> None:
    looks = noise(3)
    few = Stub(held, lambda codes, _: looks[codes[:, 0].long() % 3] + 0.01 * noise(len(codes)))
    healthy, told = signs.few_modes(few, held) or (True, "")  # type: ignore[arg-type]
    assert not healthy
    assert "24 samples of a condition are only 3 different images" in told
    odds = Stub(held, lambda codes, _: looks[(codes[:, 0] > 20).long()] + 0.001 * noise(len(codes)))
    assert "only 2 different images" in (signs.few_modes(odds, held) or (True, ""))[1], "also if one is much rarer"  # type: ignore[arg-type]
    many = noise(24)
    assert signs.few_modes(Stub(held, lambda codes, _: many[codes[:, 0].long()]), held) is None  # type: ignore[arg-type]
    one = Stub(held, lambda codes, _: looks[:1].expand(len(codes), -1, -1, -1))
    assert signs.few_modes(one, held) is None, "that the code is ignored is said elsewhere"  # type: ignore[arg-type]


def test_groups_are_connected_however_long_the_chain() -> None:
    near = torch.zeros(9, 9, dtype=torch.bool)
    for i in range(7):
        near[i, i + 1] = near[i + 1, i] = True
    assert signs.connected(near) == 2


def test_training_images_are_recognised_as_copies(held: Pairs, training: Pairs) -> None:
    real = [training.raw(i)[1].float() / 127.5 - 1 for i in range(8)]
    healthy, told = signs.copies(Stub(held, lambda codes, n: real[n - 1][None]), held, training) or (True, "")  # type: ignore[arg-type]
    assert not healthy
    assert "Copies: samples are 0% as far from their nearest training image" in told
    own = [held.raw(i)[1].float() / 127.5 - 1 for i in range(len(held))]
    model = Stub(held, lambda codes, n: own[(n - 1) % len(own)][None])
    assert signs.copies(model, held, training) is None  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cut() -> Pairs:
    """Held-out streets whose centre is a hole."""
    return open_data("streets:60", size=32, split="test", condition="inpaint:centre")


def filled(pairs: Pairs, draw: Any, around: Any) -> Stub:
    """Images of `draw` in holes and of `around` elsewhere, functions of codes (S, 1) and the number of the call."""
    hole = pairs.hole(0)
    assert hole is not None
    return Stub(pairs, lambda codes, n: torch.where(hole, draw(codes, n), around(codes, n)))


def test_signs_look_at_holes_only(cut: Pairs, training: Pairs) -> None:
    grey, many, looks = torch.zeros(1, 3, 32, 32), noise(24), noise(3)
    contrast = diagnosis.contrast(filled(cut, lambda *_: grey, lambda codes, _: noise(len(codes))), cut)  # type: ignore[arg-type]
    assert not contrast[0]
    assert "the standard deviation of their pixels in the hole is 0.000" in contrast[1]
    assert diagnosis.contrast(filled(cut, lambda codes, _: noise(len(codes)), lambda *_: grey), cut)[0]  # type: ignore[arg-type]
    few = filled(cut, lambda codes, _: looks[codes[:, 0].long() % 3], lambda codes, _: many[codes[:, 0].long()])
    assert "only 3 different images" in (signs.few_modes(few, cut) or (True, ""))[1]  # type: ignore[arg-type]
    real = [training.raw(i)[1].float() / 127.5 - 1 for i in range(8)]
    own = [cut.raw(i % len(cut))[1].float() / 127.5 - 1 for i in range(8)]
    copied = filled(cut, lambda _, n: real[n - 1][None], lambda _, n: own[n - 1][None])
    assert "Copies: samples are 0% as far" in (signs.copies(copied, cut, training) or (True, ""))[1]  # type: ignore[arg-type]
    known = filled(cut, lambda _, n: own[n - 1][None], lambda _, n: real[n - 1][None])
    assert signs.copies(known, cut, training) is None  # type: ignore[arg-type]


def test_errors_and_branches_are_of_holes_only(cut: Pairs) -> None:
    hole = cut.condition.hole(torch.stack([cut.raw(i)[0] for i in range(2)]))
    assert hole is not None
    assert signs.inside(torch.where(hole, 0.5, 7.0).expand(-1, 3, -1, -1), hole) == 0.5
    assert signs.inside(torch.full((2, 3, 32, 32), 7.0), None) == 7

    class Branched(Stub):
        """Of two branches, the first is right around the hole, the second inside it."""

        def fixed_codes(self) -> Tensor:
            return torch.zeros(2, 1)

        def decode(self, raw: Tensor, codes: Tensor) -> Tensor:
            real = next(image for other, image in map(cut.raw, range(len(cut))) if torch.equal(other, raw)) / 255
            right = torch.stack([~hole[0], hole[0]])
            return torch.where(right, real, 1 - real.round())

    assert diagnosis.use_of_branches(Branched(cut, None), cut).tolist() == [0, len(cut)]  # type: ignore[arg-type]


@pytest.mark.parametrize("chance", [math.log(2), 0.25, 3.0], ids=["vanilla", "lsgan", "weighted"])
def test_a_discriminator_without_loss_has_won(chance: float) -> None:
    shares = [1.0] * 3 + [0.5] * 27 + [0.001] * 20
    log = [{"step": i, "discriminator/adversarial": chance * share} for i, share in enumerate(shares)]
    healthy, told = signs.discriminator_won(log) or (True, "")
    assert not healthy
    assert f"its loss fell from {chance:.2g} at first to {chance * 0.001:.2g}" in told
    assert signs.discriminator_won(log[:30]) is None
    assert signs.discriminator_won(log[:5]) is None
    assert signs.discriminator_won([{"step": 1, "generator/l1": 0.0}] * 50) is None


def test_saved_statistics_that_are_far_from_a_batchs_are_told(held: Pairs) -> None:
    built = method("srgan", {"width": 4}).build_generator(Shapes(held.condition.channels, 3, held.size)).eval()
    model = Stub(held, None)
    model.generator = built
    for part in model.generator.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.fill_(3.0)  # type: ignore[union-attr]
    before = {name: value.clone() for name, value in model.generator.state_dict().items()}
    healthy, told = signs.batch_statistics(model, held, batch=3) or (True, "")
    assert not healthy
    assert "Batch norm" in told
    after = model.generator.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items()), "looking changes nothing"
    assert not any(part.training for part in model.generator.modules())


def coloured(root: Path, colour: Any, shape: Any, count: int = 24) -> Path:
    """Pairs as two folders, `condition` and `image`, each one a function of its number."""
    for i in range(count):
        save(root / "condition" / f"{i}.png", shape(i))
        save(root / "image" / f"{i}.png", colour(i))
    return root


def plain(level: int) -> np.ndarray:
    return np.full((16, 16, 3), level, dtype=np.uint8)


def test_data_with_one_image_for_a_condition_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    looks = rng.integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)
    shape = lambda i: plain(60 * (i % 4))  # noqa: E731
    same = coloured(tmp_path / "same", lambda i: looks[i % 4], shape)
    healthy, told = diversity_of(open_data(str(same)))
    assert not healthy
    assert "a condition has one image only" in told
    free = coloured(tmp_path / "free", lambda i: looks[i], shape)
    healthy, told = diversity_of(open_data(str(free)))
    assert healthy
    assert "there is diversity to learn" in told
    black = coloured(tmp_path / "black", lambda i: plain(9), shape)
    assert diversity_of(open_data(str(black))) == (
        False,
        "All images are the same, so there is nothing to learn; give other data.",
    )


def test_conditions_that_tell_everything_and_those_that_leave_something(tmp_path: Path) -> None:
    told_all = coloured(tmp_path / "all", lambda i: plain(10 * i), lambda i: plain(250 - 10 * i))
    healthy, told = diversity_of(open_data(str(told_all)))
    assert not healthy
    assert "conditions leave little open" in told
    rng = np.random.default_rng(1)
    free = rng.integers(0, 256, (25, 16, 16, 3), dtype=np.uint8)
    twice = coloured(tmp_path / "twice", lambda i: free[i], lambda i: free[-i - 1])
    for side in ("condition", "image"):
        (twice / side / "1.png").write_bytes((twice / side / "0.png").read_bytes())
    assert diversity_of(open_data(str(twice)))[0], "one pair that occurs twice says nothing of the data"
    assert examine("streets:60", size=32)[0], "layouts leave time, paint and weather open"


def test_the_command_reads_data_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "streets:60", "--size", "32"])
    assert "streets: " in capsys.readouterr().out
    black = coloured(tmp_path / "black", lambda i: plain(9), lambda i: plain(i))
    with pytest.raises(SystemExit):
        main(["doctor", str(black)])
    assert "nothing to learn" in capsys.readouterr().out
