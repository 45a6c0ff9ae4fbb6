"""The one loop is the loop that one would write by hand."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import default_collate

from helpers.runs import SIZE, settings, start, state_of, unequal
from variegate.core.interfaces import Shapes
from variegate.data import open_data
from variegate.data.dataset.sampler import InfiniteSampler
from variegate.data.dataset.visits import Visits, to_batch

pytestmark = pytest.mark.core

STEPS = 5


def test_the_loop_equals_a_hand_written_pix2pix_weight_for_weight(tmp_path: Path) -> None:
    config = settings("pix2pix", STEPS, {"noise": "input"}, seed=7)
    start(config, tmp_path / "run")
    state = state_of(tmp_path / "run", STEPS)

    pairs = open_data(config.data.path, SIZE)
    torch.manual_seed(7)
    generator = config.method.build_generator(Shapes(pairs.condition.channels, 3, SIZE))
    discriminator = config.method.build_objective(Shapes(pairs.condition.channels, 3, SIZE)).discriminator
    ema = copy.deepcopy(generator)
    opt_g, opt_d = (
        torch.optim.Adam(m.parameters(), 2e-4, (0.5, 0.999), fused=True) for m in (generator, discriminator)
    )
    visits, order = Visits(pairs, 286 / 256, flip=True), iter(InfiniteSampler(len(pairs), 2, seed=7))
    for step in range(STEPS):
        for optimizer in (opt_g, opt_d):
            optimizer.param_groups[0]["lr"] = 2e-4 * (1 if step / STEPS < 0.5 else (1 - step / STEPS) / 0.5)
        batch = to_batch(default_collate([visits[next(order)], visits[next(order)]]), pairs.condition)
        codes = torch.stack([generator.draw([(key, 0)]) for key in batch.key.tolist()])
        fake = generator(batch.condition, codes)[:, 0]
        real_logits = discriminator(batch.condition, batch.image)[0][-1]
        fake_logits = discriminator(batch.condition, fake.detach())[0][-1]
        loss = (cross_entropy(real_logits, 1) + cross_entropy(fake_logits, 0)) / 2
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        loss = cross_entropy(discriminator(batch.condition, fake)[0][-1], 1) + 100 * F.l1_loss(fake, batch.image)
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
        with torch.no_grad():
            for old, new in zip(ema.parameters(), generator.parameters()):
                old.lerp_(new, 1 - min(0.999, (1 + step) / (10 + step)))
            for old, new in zip(ema.buffers(), generator.buffers()):
                old.copy_(new)

    assert unequal(state["generator"], generator.state_dict()) == []
    own = {f"discriminator.{name}": value for name, value in discriminator.state_dict().items()}
    assert unequal(state["objective"], own) == []
    assert unequal(state["ema"], ema.state_dict()) == []
    assert unequal(state["optimizer/generator"]["state"], opt_g.state_dict()["state"]) == []


def cross_entropy(logits: torch.Tensor, verdict: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, verdict))


def test_gradients_are_clipped_per_player_before_the_step(tmp_path: Path) -> None:
    """With plain steps of size 1 the change of the weights is the clipped gradient."""
    from lightning_fabric import Fabric

    from variegate.training.moves import update

    fabric = Fabric(accelerator="cpu", devices=1)
    parameter = torch.nn.Parameter(torch.zeros(4))
    training = settings("pix2pix", 1, {"clip_norm": 0.5}).method.training
    optimizer = fabric.setup_optimizers(torch.optim.SGD([parameter], lr=1.0))
    losses = {"generator": {"a": (parameter * 3).sum(), "b": (parameter * 1).sum()}}
    logs = update(fabric, losses, {"generator": [parameter]}, {"generator": optimizer}, training)
    assert float(parameter.detach().norm()) == pytest.approx(0.5, rel=1e-4)
    assert set(logs) == {"generator/a", "generator/b"}


def test_players_of_one_move_step_together_from_gradients_at_the_same_point() -> None:
    from lightning_fabric import Fabric

    from variegate.training.moves import update

    fabric = Fabric(accelerator="cpu", devices=1)
    one, two = (torch.nn.Parameter(torch.tensor(value)) for value in (2.0, 3.0))
    training = settings("pix2pix", 1).method.training
    players = {"one": [one], "two": [two]}
    optimizers = {
        name: fabric.setup_optimizers(torch.optim.SGD(parameters, lr=0.1)) for name, parameters in players.items()
    }
    product = one * two
    update(fabric, {"one": {"up": product}, "two": {"down": -product}}, players, optimizers, training)
    assert float(one.detach()) == pytest.approx(2 - 0.1 * 3)
    assert float(two.detach()) == pytest.approx(3 + 0.1 * 2), "not yet the moved value of the other player"


def test_a_term_that_two_players_share_is_propagated_once_and_moves_both() -> None:
    from lightning_fabric import Fabric

    from variegate.training.moves import update

    class Counted(torch.autograd.Function):
        passes = 0

        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):  # type: ignore[no-untyped-def]
            Counted.passes += 1
            return gradient

    fabric = Fabric(accelerator="cpu", devices=1)
    one, two = (torch.nn.Parameter(torch.tensor(value)) for value in (2.0, 3.0))
    training = settings("pix2pix", 1).method.training
    players = {"one": [one], "two": [two]}
    optimizers = {
        name: fabric.setup_optimizers(torch.optim.SGD(parameters, lr=0.1)) for name, parameters in players.items()
    }
    joint = {"product": Counted.apply(one * two)}
    losses = {"one": {**joint, "own": one * 5}, "two": joint}
    update(fabric, losses, players, optimizers, training)
    assert Counted.passes == 1
    assert float(one.detach()) == pytest.approx(2 - 0.1 * (3 + 5)), "the shared term and its own"
    assert float(two.detach()) == pytest.approx(3 - 0.1 * 2), "the shared term alone"


def test_held_parameters_do_not_move_until_their_share_of_the_training_is_over(tmp_path: Path) -> None:
    held = {"training.hold.parameters": ["stages.down*"], "training.hold.until": 0.5, "ema_decay": 0}
    config = settings("pix2pix", 4, {"noise": "input", **held}, save_every=1, keep_every=1, seed=3)
    start(config, tmp_path / "run")
    states = [state_of(tmp_path / "run", step)["generator"] for step in (1, 2, 3)]
    down = [
        name for name in states[0] if name.startswith("stages.down") and "running" not in name and "num_b" not in name
    ]
    assert down
    assert all(torch.equal(states[0][name], states[1][name]) for name in down)
    assert not any(torch.equal(states[1][name], states[2][name]) for name in down if name.endswith("conv.weight"))
    assert not torch.equal(states[0]["stages.up1.layer.conv.weight"], states[1]["stages.up1.layer.conv.weight"])
