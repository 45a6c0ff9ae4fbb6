"""Objectives: who is moved by which loss, and which sample is nearest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from helpers.variants import CONDITION, IMAGE, conditions, generator_of, preset, size_of
from variegate.core.interfaces import Batch, Generator, Objective, Shapes
from variegate.methods import method
from variegate.objectives.adversarial import Adversarial
from variegate.objectives.matches import targets_of
from variegate.objectives.nearest_sample import NearestSample
from variegate.training.moves import update

pytestmark = pytest.mark.core

CIMLE = "cimle field encoder"
SMALL = {"objective.candidates": 5, "objective.inner_steps": 3, "objective.inner_batch": 2}


def batch_of(name: str, count: int, weight: bool = False) -> Batch:
    stream = torch.Generator().manual_seed(1)
    image = torch.rand(count, IMAGE, *size_of(name), generator=stream) * 2 - 1
    mask = torch.rand(count, 1, *size_of(name), generator=stream) if weight else None
    index = torch.arange(count)
    return Batch(conditions(name, count), image, index, index * 1000 + 3, mask)


def nearest_sample(chunk: int = 64, **options: str) -> NearestSample:
    made = preset(CIMLE).objective.model_copy(
        update={"candidates": 5, "inner_steps": 3, "inner_batch": 2, "chunk": chunk, **options}
    )
    objective = made.build(Shapes(CONDITION, IMAGE, size_of(CIMLE)), None)
    assert isinstance(objective, NearestSample)
    return objective


def winners_of(objective: NearestSample, generator: Generator, batch: Batch) -> Tensor:
    return objective.match(generator, batch, targets_of(batch))[0][:, 0, 0]


def brute_force(generator: Generator, batch: Batch, candidates: int) -> list[int]:
    """sigma(i) = argmin_j L(y_i, T(x_i, z_ij)), one pair at a time, distances spelt out."""
    winners = []
    for i in range(len(batch.image)):
        costs = []
        for j in range(candidates):
            code = generator.draw([(int(batch.key[i]), j)])
            with torch.no_grad():
                image = generator(batch.condition[i : i + 1], code[None])[0, 0]
            mask = None if batch.weight is None else batch.weight[i]
            costs.append(laplacian_l1(image, batch.image[i], mask))
        winners.append(min(range(candidates), key=lambda j: costs[j]))
    return winners


def laplacian_l1(a: Tensor, b: Tensor, mask: Tensor | None) -> float:
    """Bands of the difference of two images (C, H, W): a pyramid is linear."""
    gap, cost = (a - b)[None], 0.0
    for _ in range(4):
        if min(gap.shape[-2:]) < 4:
            break
        small = gap.unflatten(-1, (-1, 2)).mean(-1).unflatten(-2, (-1, 2)).mean(-2)
        cost += weighed(gap - F.interpolate(small, gap.shape[-2:], mode="bilinear"), mask)
        gap = small
    return cost + weighed(gap, mask)


def weighed(band: Tensor, mask: Tensor | None) -> float:
    if mask is None:
        return float(band.abs().mean())
    ratio = mask.shape[-1] // band.shape[-1]
    return float((band.abs() * F.avg_pool2d(mask[None], ratio)).mean())


@pytest.mark.parametrize("weight", [False, True])
def test_matching_is_the_argmin_over_every_candidate_of_a_slot(weight: bool) -> None:
    generator, batch = generator_of(CIMLE), batch_of(CIMLE, 6, weight)
    expected = brute_force(generator, batch, 5)
    assert len(set(expected)) > 1
    assert winners_of(nearest_sample(), generator, batch).tolist() == expected


@pytest.mark.parametrize("chunk", [1, 5, 11, 1000])
def test_the_winners_do_not_depend_on_how_many_candidates_fit_in_memory(chunk: int) -> None:
    generator, batch = generator_of(CIMLE), batch_of(CIMLE, 5)
    found = [winners_of(nearest_sample(size), generator, batch) for size in (chunk, 64)]
    assert torch.equal(*found)


def test_two_slots_of_one_image_own_different_codes() -> None:
    generator, batch = generator_of(CIMLE), batch_of(CIMLE, 1)
    twice = Batch(
        batch.condition.expand(2, -1, -1, -1),
        batch.image.expand(2, -1, -1, -1),
        batch.index.expand(2),
        torch.tensor([3, 4]),
    )
    drawn = generator.draw_for(twice.key, 5)
    assert not torch.equal(drawn[0], drawn[1])
    assert winners_of(nearest_sample(), generator, twice).shape == (2,)


class Watched(nn.Module):
    """A generator that remembers the conditions and codes it was asked for."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator, self.calls, self.parts = generator, [], generator.parts

    def forward(self, condition: Tensor, code: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.calls.append((condition, code))
        return self.generator(condition, code)

    def draw(self, seeds: Any) -> Tensor:
        return self.generator.draw(seeds)

    def draw_for(self, keys: Tensor, samples: int) -> Tensor:
        return self.generator.draw_for(keys, samples)


def test_every_inner_step_trains_with_the_winning_code_redrawn_from_its_seed() -> None:
    generator, batch = generator_of(CIMLE), batch_of(CIMLE, 4)
    objective, watched = nearest_sample(), Watched(generator)
    winners = brute_force(generator, batch, 5)
    moves = 0
    for losses in objective.updates(watched, batch, 0):
        moves += 1
        with torch.no_grad():  # the winning code is fixed even though the generator moves on
            next(generator.parameters()).add_(0.1)
        assert list(losses) == ["generator"]
    assert moves == len(watched.calls) == 3
    for condition, code in watched.calls:
        assert code.shape[:2] == (2, 1)
        for row in range(2):
            slot = next(i for i in range(4) if torch.equal(batch.condition[i], condition[row]))
            assert torch.equal(code[row, 0], generator.draw([(int(batch.key[slot]), winners[slot])])[0])


def test_the_loss_of_an_inner_step_is_the_matching_distance_of_the_winner() -> None:
    generator, batch = generator_of(CIMLE), batch_of(CIMLE, 1, weight=True)
    objective = nearest_sample()
    winner = brute_force(generator, batch, 5)[0]
    losses = next(objective.updates(generator, batch, 0))
    image = generator(batch.condition, generator.draw([(3, winner)])[None])[0, 0]
    assert batch.weight is not None
    expected = laplacian_l1(image.detach(), batch.image[0], batch.weight[0])
    assert losses["generator"]["nearest"].item() == pytest.approx(expected, rel=1e-5)


def test_matching_leaves_no_graph_and_the_training_loss_reaches_the_generator_only() -> None:
    generator, batch = generator_of(CIMLE), batch_of(CIMLE, 4)
    objective = method("cimle", {**SMALL, "widths": [8, 8, 6, 4], "perceptual": "random"}).build_objective(
        Shapes(CONDITION, IMAGE, size_of(CIMLE))
    )
    assert isinstance(objective, NearestSample)
    assert not objective.match(generator, batch, targets_of(batch))[1].requires_grad
    losses = next(objective.updates(generator, batch, 0))
    losses["generator"]["nearest"].backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())
    assert list(objective.players(generator)) == ["generator"]
    assert all(parameter.grad is None for parameter in objective.features.parameters())


def test_nearest_samples_pull_every_mode_where_a_mean_would_be_grey() -> None:
    """One condition, black and white images in turn: the samples split instead of meeting in the middle."""
    torch.manual_seed(0)
    generator = method(
        "cimle", {"widths": [8, 8], "randomness.channels": 2, "randomness.hidden": 8, "perceptual": "laplacian"}
    ).build_generator(Shapes(1, 3, (8, 8)))
    objective = method(
        "cimle", {"perceptual": "laplacian", "candidates": 6, "inner_steps": 8, "inner_batch": 8}
    ).build_objective(Shapes(1, 3, (8, 8)))
    optimizer = torch.optim.Adam(generator.parameters(), 3e-3)
    image = torch.tensor([-0.8, 0.8] * 4)[:, None, None, None].expand(8, 3, 8, 8)
    for step in range(25):
        batch = Batch(torch.ones(8, 1, 8, 8), image, torch.arange(8), torch.arange(8) + 8 * step)
        for losses in objective.updates(generator, batch, step):
            optimizer.zero_grad()
            losses["generator"]["nearest"].backward()
            optimizer.step()
    with torch.no_grad():
        drawn = generator(torch.ones(1, 1, 8, 8), generator.draw([(10**6, i) for i in range(32)])[None])
    values = drawn[0].mean(dim=(1, 2, 3))
    assert int((values < -0.3).sum()) >= 4
    assert int((values > 0.3).sum()) >= 4


# adversarial


@pytest.fixture
def duel() -> Iterator[tuple[Generator, Adversarial, Batch]]:
    name = "basisgan"
    objective = (
        preset(name)
        .objective.model_copy(update={"width": 4, "layers": 1})
        .build(Shapes(CONDITION, IMAGE, (16, 16)), None)
    )
    assert isinstance(objective, Adversarial)
    return generator_of(name).train(), objective, batch_of(name, 2)


def copies(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(module: nn.Module, saved: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(module.parameters(), saved, strict=True))


def test_each_move_changes_its_own_player_and_leaves_no_gradient_in_the_other(duel: Any) -> None:
    generator, objective, batch = duel
    players = {name: list(parameters) for name, parameters in objective.players(generator).items()}
    fabric, training = Fabric(accelerator="cpu", devices=1), preset("basisgan").training
    optimizers = {name: fabric.setup_optimizers(torch.optim.SGD(own, lr=0.1)) for name, own in players.items()}
    modules = {"generator": generator, "discriminator": objective.discriminator}
    order = []
    for losses in objective.updates(generator, batch, 0):
        (mover,) = losses
        other = next(name for name in players if name != mover)
        before, gradients = copies(modules[other]), [p.grad for p in players[other]]
        kept = [None if grad is None else grad.clone() for grad in gradients]
        own = copies(modules[mover])
        update(fabric, losses, players, optimizers, training)
        assert same(modules[other], before)
        assert not same(modules[mover], own)
        for parameter, grad in zip(players[other], kept):
            assert (parameter.grad is None) == (grad is None)
            assert grad is None or torch.equal(parameter.grad, grad)
        order.append(mover)
    assert order == ["discriminator", "generator"]


def test_the_generator_is_judged_by_the_discriminator_that_has_just_moved(duel: Any) -> None:
    generator, objective, batch = duel
    moves = objective.updates(generator, batch, 0)
    next(moves)
    with torch.no_grad():
        for parameter in objective.discriminator.parameters():
            parameter.zero_()
        objective.discriminator.blocks[-1].bias.fill_(2.0)  # now it calls everything real, with logit 2
    losses = next(moves)
    assert losses["generator"]["adversarial"].item() == pytest.approx(float(F.softplus(torch.tensor(-2.0))), rel=1e-4)


def test_the_reconstruction_term_is_the_weighted_l1_of_the_same_fake(duel: Any) -> None:
    generator, objective, batch = duel
    generator.eval()
    moves = objective.updates(generator, batch, 0)
    next(moves)
    fake = generator(batch.condition, generator.draw_for(batch.key, 1))[:, 0]
    expected = 100 * (fake - batch.image).abs().mean().item()
    assert next(moves)["generator"]["l1"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["basisgan", CIMLE])
def test_an_objective_is_nothing_but_its_state(name: str) -> None:
    """Built again from another seed and given the saved state, it asks for the same moves."""
    generator, batch = generator_of(name), batch_of(name, 2)
    options = {"layers": 1, "width": 4} if name == "basisgan" else {"inner_steps": 2, "candidates": 2}
    config = preset(name).objective.model_copy(update=options)

    def built(seed: int) -> Objective:
        torch.manual_seed(seed)
        return config.build(Shapes(CONDITION, IMAGE, size_of(name)), None)

    one, two = built(1), built(2)
    two.load_state_dict(one.state_dict())
    values = []
    for objective in (one, two):
        torch.manual_seed(0)
        moves = [
            {term: value.item() for terms in losses.values() for term, value in terms.items()}
            for losses in objective.updates(generator, batch, 0)
        ]
        values.append(moves)
    assert values[0] == values[1]
