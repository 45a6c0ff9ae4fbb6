"""What later papers add to nearest-sample matching, and a teacher's images as its targets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.variants import CONDITION, IMAGE, generator_of, preset
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Generator, Shapes
from variegate.methods import method
from variegate.objectives.distillation import Distillation
from variegate.objectives.matches import mixed, power_mean, targets_of
from variegate.objectives.nearest_sample import NearestSample

VECTOR = "cimle vector encoder"
SIZE = (16, 32)
SHAPES = Shapes(CONDITION, IMAGE, SIZE)


def nearest(**options: Any) -> NearestSample:
    few = {"candidates": 6, "inner_steps": 4, "inner_batch": 2, "chunk": 64}
    made = preset(VECTOR).objective.model_copy(update={**few, **options}).build(SHAPES, None)
    assert isinstance(made, NearestSample)
    return made


def batch(count: int = 3, others: int = 0) -> Batch:
    stream = torch.Generator().manual_seed(2)
    image = torch.rand(count, IMAGE, *SIZE, generator=stream) * 2 - 1
    condition = torch.rand(count, CONDITION, *SIZE, generator=stream)
    given = Batch(condition, image, torch.arange(count), torch.arange(count) + 40)
    if not others:
        return given
    more = torch.rand(count, others, IMAGE, *SIZE, generator=stream) * 2 - 1
    present = torch.ones(count, others, dtype=torch.bool)
    present[0, -1] = False
    return given._replace(neighbours=more, present=present)


def every_distance(objective: NearestSample, generator: Generator, given: Batch) -> Tensor:
    """Distances (B, m, T) of all candidates to all targets."""
    targets = targets_of(given).image
    with torch.no_grad():
        images = generator(given.condition, generator.draw_for(given.key, objective.config.candidates))
        rows = [
            [
                [float(objective.distance(sample[None], objective.embed(target[None]), None)) for target in own]
                for sample in drawn
            ]
            for drawn, own in zip(images, targets)
        ]
    return torch.tensor(rows)


def test_every_target_of_a_slot_has_its_own_nearest_candidate() -> None:
    objective, generator, given = nearest(), generator_of(VECTOR), batch(others=2)
    winners, distances = objective.match(generator, given, targets_of(given))
    expected = every_distance(objective, generator, given).min(dim=1)
    assert torch.equal(winners[..., 0], expected.indices)
    assert torch.allclose(distances, expected.values, rtol=1e-4)


def test_targets_that_are_not_there_are_never_trained_on() -> None:
    objective, generator, given = nearest(inner_steps=30), generator_of(VECTOR), batch(others=1)
    trained = []
    objective.embed = lambda images: trained.append(images) or NearestSample.embed(objective, images)  # type: ignore[method-assign]
    for _ in objective.updates(generator, given, 0):
        pass
    assert given.neighbours is not None
    seen = torch.cat(trained[1:])
    assert any(torch.equal(one, given.neighbours[1, 0]) for one in seen)
    assert not any(torch.equal(one, given.neighbours[0, 0]) for one in seen)


def test_candidates_that_are_near_already_are_passed_over() -> None:
    generator, given = generator_of(VECTOR), batch()
    distances = every_distance(nearest(), generator, given)[..., 0]
    ordered = distances.sort(dim=1)
    between = float((ordered.values[0, 0] + ordered.values[0, 1]) / 2)
    winners = nearest(reject=between).match(generator, given, targets_of(given))[0][:, 0, 0]
    allowed = torch.where(distances < between, torch.inf, distances)
    assert winners[0] == ordered.indices[0, 1]
    assert torch.equal(winners, allowed.argmin(dim=1))
    all_near = nearest(reject=1e6).match(generator, given, targets_of(given))[0][:, 0, 0]
    assert torch.equal(all_near, ordered.indices[:, 0]), "if all are near, the nearest is taken"


def test_a_slot_that_came_close_is_matched_again_with_other_codes() -> None:
    generator, given = generator_of(VECTOR), batch(1)
    objective, rounds = nearest(rematch=0.999, inner_steps=6, inner_batch=1), []
    whole = NearestSample.match

    def watched(*arguments: Any) -> tuple[Tensor, Tensor]:
        found = whole(objective, *arguments)
        rounds.append(int(found[0]) // objective.config.candidates)
        return found

    objective.match = watched  # type: ignore[method-assign, assignment]
    optimizer = torch.optim.SGD(generator.parameters(), 0.05)
    for losses in objective.updates(generator, given, 0):
        optimizer.zero_grad()
        losses["generator"]["nearest"].backward()
        optimizer.step()
    assert len(rounds) > 2
    assert rounds == list(range(len(rounds)))


def test_codes_chosen_in_stages_are_as_near_or_nearer() -> None:
    generator, given = generator_of(VECTOR), batch()
    whole, parts = nearest(candidates=40), nearest(candidates=40, stages=2)
    once, twice = (one.match(generator, given, targets_of(given)) for one in (whole, parts))
    assert bool((twice[1] <= once[1] + 1e-6).all())
    assert bool((twice[1] < once[1] - 1e-6).any())
    assert torch.equal(twice[0][..., 0], once[0][..., 0]), "the first part stays that of the first stage"
    codes = parts.codes(generator, given.key, twice[0])
    with torch.no_grad():
        images = generator(given.condition, codes)[:, 0]
    assert torch.allclose(parts.distance(images, parts.embed(given.image), None), twice[1][:, 0], rtol=1e-4)


def test_a_discriminator_moves_first_and_only_if_it_has_a_weight() -> None:
    chosen = method(
        "cimle",
        {
            "generator.widths": [6, 6, 4],
            "perceptual": "laplacian",
            "objective.adversarial": 0.1,
            "objective.width": 4,
            "objective.layers": 1,
            "candidates": 2,
            "inner_steps": 2,
        },
    )
    shapes = Shapes(CONDITION, IMAGE, (16, 16))
    objective, generator = chosen.build_objective(shapes), chosen.build_generator(shapes)
    given = Batch(torch.rand(2, CONDITION, 16, 16), torch.rand(2, IMAGE, 16, 16), torch.arange(2), torch.arange(2))
    moves = [list(losses) for losses in objective.updates(generator, given, 0)]
    assert moves == [["discriminator"], ["generator"]] * 2
    assert set(objective.players(generator)) == {"generator", "discriminator"}
    with pytest.raises(ConfigError, match="learning_rate has no entry for discriminator"):
        method("cimle", {"objective.adversarial": 0.1, "training.learning_rate": {"generator": 1e-4}})


# a teacher


@pytest.mark.parametrize("matching", ["code", "nearest"])
def test_the_teachers_images_are_the_targets(matching: str) -> None:
    chosen = method("flow-student", {"scale": 0.25, "matching": matching, "objective.images": 3, "inner_steps": 3})
    objective, generator = chosen.build_objective(SHAPES), chosen.build_generator(SHAPES)
    assert isinstance(objective, Distillation)
    assert objective.predictor is not None
    given = batch(2)
    taught = objective.teach(given)
    with torch.no_grad():
        alone = objective.predictor(given.condition[1:], objective.predictor.draw_for(given.key[1:], 3))
    assert torch.allclose(taught[1], alone[0], atol=1e-5)
    for losses in objective.updates(generator, given, 0):
        losses["generator"]["nearest"].backward()
    assert all(parameter.grad is None for parameter in objective.predictor.parameters())
    assert any(parameter.grad is not None for parameter in generator.parameters())


def test_a_student_of_codes_is_trained_on_the_image_of_its_own_code() -> None:
    chosen = method("flow-student", {"scale": 0.25, "inner_batch": 1, "inner_steps": 1})
    objective, generator = chosen.build_objective(SHAPES), chosen.build_generator(SHAPES)
    assert isinstance(objective, Distillation)
    given = batch(1)
    loss = next(objective.updates(generator, given, 0))["generator"]["nearest"]
    taught, code = objective.teach(given), generator.draw_for(given.key, 1)
    image = generator(given.condition, code)[:, 0]
    distance = float(objective.distance(image, objective.embed(taught[:, 0]), None))
    assert loss.item() == pytest.approx(-2 * (distance**-0.5 - 1), rel=1e-5)


def test_a_power_below_one_lets_what_is_far_from_its_target_count_less() -> None:
    near, far = torch.tensor(0.01, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    for power, ratio in ((1.0, 1), (0.5, 10), (0.0, 100), (-0.5, 1000)):
        slopes = torch.autograd.grad(power_mean(torch.stack([near, far]), power), [near, far])
        assert float(slopes[0] / slopes[1]) == pytest.approx(ratio, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("flow-student", {"previous": None}, "needs a teacher"),
        ("flow-student", {"generator": {"kind": "unet", "width": 4}}, "give --matching nearest"),
        ("cimle", {"objective.rematch": 1}, "rematch"),
        ("cimle", {"objective.reject": -1}, "reject"),
        ("cimle", {"objective.stages": 0}, "stages"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method(name, options)


CLASSES = "cimle class codes"


def labelled(count: int = 3) -> Batch:
    """A batch whose conditions are one-hot label maps, of upright stripes."""
    given = batch(count)
    stripes = torch.arange(SIZE[1]).div(SIZE[1] // CONDITION, rounding_mode="floor").clamp(max=CONDITION - 1)
    one_hot = torch.nn.functional.one_hot(stripes.expand(SIZE), CONDITION).permute(2, 0, 1).float()
    return given._replace(condition=one_hot.expand(count, -1, -1, -1))


def test_a_class_code_reaches_the_pixels_of_its_class_only() -> None:
    chosen = preset(CLASSES).model_copy(deep=True)
    randomness = chosen.randomness.model_copy(update={"encoder": False}).build(SHAPES)
    assert randomness.parts == (5, 2, 2, 2, 2)
    condition = labelled().condition
    code = torch.randn(3, 13)
    changed = code.clone()
    changed[:, 5 + 2 * 2 : 5 + 3 * 2] += 1  # of class 2
    noise, other = (randomness.prepare(one, condition) for one in (code, changed))
    assert noise.shape[1] == 3 + 2
    differs = (noise != other).any(dim=1)
    assert torch.equal(differs, condition[:, 2] > 0)
    expected = code[:, 5:].unflatten(1, (4, 2))[0, condition[0, :, 3, 7].argmax()]
    assert torch.allclose(noise[0, -2:, 3, 7], expected)


def test_the_mixture_takes_each_class_part_from_its_nearest_candidate() -> None:
    numbers = torch.arange(3)[None, :, None].repeat(1, 1, 4)  # the whole, two classes, and a boundary plane
    distances = torch.tensor([[[3.0, 1.0], [2.0, 2.0], [1.0, 3.0]]])
    assert mixed(numbers, distances).tolist() == [[[0, 0, 0, 0], [0, 2, 0, 0]]]


def test_class_codes_are_as_near_or_nearer() -> None:
    generator, given = generator_of(CLASSES), labelled()
    objective = nearest(candidates=40)
    with torch.no_grad():  # images whose classes look like those of different candidates
        numbers = torch.tensor([[[5, 3, 9, 20, 31]]]).expand(3, -1, -1)
        images = generator(given.condition, objective.codes(generator, given.key, numbers))[:, 0]
    given = given._replace(image=images)
    found, distances = objective.match(generator, given, targets_of(given))
    assert found.shape == (3, 1, 5)
    once = every_distance(objective, generator, given)[..., 0].min(dim=1)
    assert torch.equal(found[:, 0, 0], once.indices), "the part of the whole image stays that of the first stage"
    assert bool((distances[:, 0] <= once.values * (1 + 1e-4)).all())
    assert bool((distances[:, 0] < once.values * (1 - 1e-3)).any())
    with torch.no_grad():
        images = generator(given.condition, objective.codes(generator, given.key, found))[:, 0]
    again = [float(objective.distance(a[None], objective.embed(b[None]), None)) for a, b in zip(images, given.image)]
    assert again == pytest.approx(distances[:, 0].tolist(), rel=1e-4)


def test_class_codes_that_cannot_be() -> None:
    generator, given = generator_of(CLASSES), batch()
    with pytest.raises(
        ConfigError, match=r"randomness\.per_class: .* these conditions are not label maps; train on label"
    ):
        nearest().match(generator, given, targets_of(given))
    small = {"randomness.per_class": 2, "generator.scale": 0.02}
    with pytest.raises(ConfigError, match=r"per_class adds to a vector; set randomness\.vector"):
        method("cimle", small)
    with pytest.raises(ConfigError, match=r"already chooses a code in two stages; omit objective\.stages"):
        method("cimle", {**small, "randomness.vector": 5, "objective.stages": 2})
