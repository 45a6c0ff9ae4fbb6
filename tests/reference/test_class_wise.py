"""The class-wise diversity loss against loops written from the paper (Chen & Koltun, ICCV 2017, section 3.4)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from variegate.core.codes import every_choice
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Shapes
from variegate.losses.class_wise import class_distances, class_wise_best
from variegate.losses.perceptual import feature_l1
from variegate.methods import method
from variegate.networks import weights as network_weights
from variegate.networks.perceptual import VGG19
from variegate.objectives.class_wise import ClassWise, ClassWiseConfig, classes

pytestmark = pytest.mark.core

HEADS, CLASSES = 3, 4
SHAPES = ((3, 8, 12), (5, 4, 6), (2, 2, 3))
WEIGHTS = (1.0, 0.7, 16.0)


def case(seed: int = 0) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    images = [torch.randn(2, HEADS, *shape, generator=stream) for shape in SHAPES]
    target = [torch.randn(2, *shape, generator=stream) for shape in SHAPES]
    ids = torch.randint(CLASSES, (2, 8, 12), generator=stream)
    mask = torch.rand(2, 1, 8, 12, generator=stream)
    return images, target, F.one_hot(ids, CLASSES).permute(0, 3, 1, 2).float(), mask


def slow(images: list[Tensor], target: list[Tensor], labels: Tensor, mask: Tensor | None) -> list[float]:
    """L of every item, pixel by pixel, in doubles of Python."""
    losses = []
    for row in range(len(labels)):
        errors = [[0.0] * HEADS for _ in range(CLASSES)]
        for x, y, weight in zip(images, target, WEIGHTS):
            channels, height, width = y[row].shape
            ratio = labels.shape[-1] // width
            for p in range(CLASSES):
                for i in range(HEADS):
                    total = 0.0
                    for v in range(height):
                        for u in range(width):
                            share = 0.0
                            for b in range(v * ratio, (v + 1) * ratio):
                                for a in range(u * ratio, (u + 1) * ratio):
                                    pixel = 1.0 if mask is None else float(mask[row, 0, b, a])
                                    share += float(labels[row, p, b, a]) * pixel / ratio**2
                            gap = sum(abs(float(x[row, i, c, v, u]) - float(y[row, c, v, u])) for c in range(channels))
                            total += share * gap / channels
                    errors[p][i] += weight * total / (height * width)
        best, mean = sum(min(e) for e in errors), sum(sum(e) / HEADS for e in errors)
        losses.append(0.999 * best + 0.001 * mean)
    return losses


@pytest.mark.parametrize("masked", [False, True])
def test_the_loss_is_that_of_a_loop_over_classes_heads_and_pixels(masked: bool) -> None:
    images, target, labels, mask = case()
    given = mask if masked else None
    loss = class_wise_best(class_distances(images, target, WEIGHTS, labels, given))
    assert loss.tolist() == pytest.approx(slow(images, target, labels, given), rel=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_over_all_classes_the_distances_of_a_head_are_its_perceptual_distance(masked: bool) -> None:
    images, target, labels, mask = case(1)
    given = mask if masked else None
    summed = class_distances(images, target, WEIGHTS, labels, given).sum(dim=2)
    for head in range(HEADS):
        own = feature_l1([layer[:, head] for layer in images], target, WEIGHTS, given)
        torch.testing.assert_close(summed[:, head], own)


def test_each_class_trains_the_head_that_draws_it_best() -> None:
    """The left half is best in head 0, the right half in head 1: the gradient of the minimum keeps to those."""
    target = [torch.zeros(1, 1, 2, 4)]
    image = torch.full((1, 2, 1, 2, 4), 2.0)
    image[0, 0, 0, :, :2] = 1.0
    image[0, 1, 0, :, 2:] = 1.0
    image.requires_grad_()
    labels = torch.zeros(1, 2, 2, 4)
    labels[0, 0, :, :2] = labels[0, 1, :, 2:] = 1
    class_wise_best(class_distances([image], target, [1.0], labels), others=0.0).sum().backward()
    assert image.grad is not None
    moved = image.grad[0, :, 0] != 0
    assert moved[0].tolist() == [[True, True, False, False]] * 2
    assert moved[1].tolist() == [[False, False, True, True]] * 2


def objective(name: str = "crn", **options: str) -> ClassWise:
    made = method(name, {"perceptual": "laplacian", **options}).build_objective(Shapes(CLASSES, 3, (8, 16)))
    assert isinstance(made, ClassWise)
    return made


def batch(mask: Tensor | None = None) -> Batch:
    stream = torch.Generator().manual_seed(3)
    condition = F.one_hot(torch.randint(CLASSES, (2, 8, 16), generator=stream), CLASSES).permute(0, 3, 1, 2).float()
    image = torch.rand(2, 3, 8, 16, generator=stream) * 2 - 1
    return Batch(condition, image, torch.arange(2), torch.tensor([5, 9]), mask)


@pytest.mark.parametrize("masked", [False, True])
def test_a_step_compares_every_head_once_with_the_image(masked: bool) -> None:
    given = batch(torch.rand(2, 1, 8, 16) if masked else None)
    torch.manual_seed(0)
    generator = method("crn", {"heads": 4, "widths": [6, 4]}).build_generator(Shapes(CLASSES, 3, (8, 16)))
    made = objective(heads=4)
    [losses] = list(made.updates(generator, given, 0))
    conv = generator.get_submodule("stages.output.conv.inner")
    features = generator.encode(given.condition).state[-1]
    heads = conv(features).unflatten(1, (3, 4)).transpose(1, 2)  # 4 R, 4 G, 4 B
    layers = [
        torch.stack([made.features(heads[:, i])[level] for i in range(4)], 1)
        for level in range(len(made.features(given.image)))
    ]
    target = made.features(given.image)
    distances = class_distances(layers, target, [1.0] * len(target), given.condition, given.weight)
    torch.testing.assert_close(losses["generator"]["perceptual"], class_wise_best(distances).mean())
    losses["generator"]["perceptual"].backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


@pytest.mark.parametrize("options", [{"heads": 1}, {"noise": "input", "randomness.hidden": 6}])
def test_with_one_head_it_is_plain_regression_with_the_code_of_the_visit(options: dict[str, Any]) -> None:
    given = batch(torch.rand(2, 1, 8, 16))
    torch.manual_seed(0)
    generator = method("crn", {**options, "widths": [6, 4]}).build_generator(Shapes(CLASSES, 3, (8, 16)))
    made = objective(**options)
    [losses] = list(made.updates(generator, given, 0))
    codes = torch.stack([generator.draw([(key, 0)]) for key in (5, 9)])
    maps = made.features(generator(given.condition, codes)[:, 0])
    target = made.features(given.image)
    expected = feature_l1(maps, target, [1.0] * len(maps), given.weight).mean()
    torch.testing.assert_close(losses["generator"]["perceptual"], expected)


def test_every_head_has_one_code_and_no_other_head_has_it() -> None:
    for heads in (2, 9, 100):
        assert (every_choice(heads)[:, 0] * heads).long().tolist() == list(range(heads))


def test_boundaries_are_no_class_and_images_are_refused_in_words() -> None:
    labels = batch().condition
    boundaries = torch.rand(2, 1, 8, 16).round()
    assert torch.equal(classes(torch.cat([labels, boundaries], dim=1)), labels)
    assert torch.equal(classes(labels), labels)
    with pytest.raises(ConfigError, match="not label maps; train on label maps or give --heads 1"):
        classes(torch.rand(2, 3, 8, 16))


def test_published_weights_belong_to_vgg_alone_and_depend_on_data_and_height(monkeypatch: pytest.MonkeyPatch) -> None:
    state = VGG19(None).state_dict()
    monkeypatch.setattr(network_weights, "load", lambda name: type("Found", (), {"state": state})())
    wanted = {
        ("cityscapes", 256): (1, 1 / 1.6, 1 / 2.3, 1 / 1.8, 1 / 2.8, 10 / 0.8),
        ("cityscapes", 512): (1, 1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5),
        ("cityscapes", 1024): (1, 1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5),
        ("gta", 256): (1, 1 / 1.4, 1 / 1.8, 1 / 1.3, 1 / 2.2, 10 / 0.62),
    }
    for (dataset, height), numbers in wanted.items():
        made = method("crn", {"dataset": dataset}).build_objective(Shapes(CLASSES, 3, (height, 2 * height)))
        assert isinstance(made, ClassWise)
        assert made.weights == numbers
    assert ClassWiseConfig(perceptual="laplacian").build(Shapes(CLASSES, 3, (8, 16)), None).weights is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective.heads": 3}, r"objective.heads is 3, but randomness.heads is 9; give --heads"),
        ({"noise": "input", "objective.heads": 3}, r"randomness noise_input has one head; set it to 1"),
    ],
)
def test_heads_that_do_not_agree_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method("crn", options)


def test_a_wrong_number_of_weights_is_told_in_one_sentence() -> None:
    images, target, labels, _ = case()
    with pytest.raises(ConfigError, match=r"objective.weights must have 3 values, one per feature map, got 2"):
        class_distances(images, target, [1.0, 2.0], labels)


def test_its_loss_can_be_weighed_by_rarity() -> None:
    for rebalance in ("data", "loss", "both"):
        assert method("crn", {"rebalance": rebalance}).training.rebalance == rebalance
