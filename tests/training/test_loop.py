"""The one loop is the loop that one would write by hand."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from runs import SIZE, settings, start, state_of, unequal
from torch.nn import functional as F
from torch.utils.data import default_collate

from variegate.data.pairs import Visits, open_data, to_batch
from variegate.data.sampler import Endless

pytestmark = pytest.mark.core

STEPS = 5


def test_the_loop_equals_a_hand_written_pix2pix_weight_for_weight(tmp_path: Path) -> None:
    config = settings("pix2pix", STEPS, {"noise": "input"}, seed=7)
    assert start(config, tmp_path / "run")
    state = state_of(tmp_path / "run", STEPS)

    pairs = open_data(config.data, SIZE)
    torch.manual_seed(7)
    generator = config.method.build_generator(pairs.condition.channels, 3, SIZE)
    discriminator = config.method.build_objective(pairs.condition.channels, 3, SIZE).discriminator
    average = copy.deepcopy(generator)
    opt_g, opt_d = (
        torch.optim.Adam(m.parameters(), 2e-4, (0.5, 0.999), fused=True) for m in (generator, discriminator)
    )
    visits, order = Visits(pairs, 286 / 256, flip=True), iter(Endless(len(pairs), 2, seed=7))
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
            for old, new in zip(average.parameters(), generator.parameters()):
                old.lerp_(new, 1 - 0.999)
            for old, new in zip(average.buffers(), generator.buffers()):
                old.copy_(new)

    assert unequal(state["generator"], generator.state_dict()) == []
    own = {f"discriminator.{name}": value for name, value in discriminator.state_dict().items()}
    assert unequal(state["objective"], own) == []
    assert unequal(state["average"], average.state_dict()) == []
    assert unequal(state["optimizer/generator"]["state"], opt_g.state_dict()["state"]) == []


def cross_entropy(logits: torch.Tensor, verdict: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, verdict))


def test_gradients_are_clipped_per_player_before_the_step(tmp_path: Path) -> None:
    """With plain steps of size 1 the change of the weights is the clipped gradient."""
    from lightning_fabric import Fabric

    from variegate.training.loop import update

    fabric = Fabric(accelerator="cpu", devices=1)
    parameter = torch.nn.Parameter(torch.zeros(4))
    training = settings("pix2pix", 1, {"clip_norm": "0.5"}).method.training
    optimizer = fabric.setup_optimizers(torch.optim.SGD([parameter], lr=1.0))
    losses = {"generator": {"a": (parameter * 3).sum(), "b": (parameter * 1).sum()}}
    logs = update(fabric, losses, {"generator": [parameter]}, {"generator": optimizer}, training)
    assert float(parameter.detach().norm()) == pytest.approx(0.5, rel=1e-4)
    assert set(logs) == {"generator/a", "generator/b"}


def test_players_of_one_move_step_together_from_gradients_at_the_same_point() -> None:
    from lightning_fabric import Fabric

    from variegate.training.loop import update

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
