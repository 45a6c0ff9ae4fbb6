"""GLCIC's discriminator against an independent transcription of MR-GAN's table, and where its local box lies."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from variegate.core.interfaces import Size
from variegate.networks.discriminators.completion import GlobalLocal, Local, corner, crop
from variegate.networks.discriminators.patch import Judgement, logits

pytestmark = pytest.mark.core


@torch.no_grad()
def scramble(module: nn.Module) -> None:
    """Weights, biases and statistics that are all different, so that none can stand in for another."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point() and tensor.ndim < 2:
            tensor.normal_(0.5, 0.2)


def masks(size: Size, *holes: tuple[int, int, int, int]) -> Tensor:
    """(B, 1, H, W), 1 inside each item's hole (top, left, height, width) and -1 outside."""
    mask = -torch.ones(len(holes), 1, *size)
    for k, (top, left, height, width) in enumerate(holes):
        mask[k, :, top : top + height, left : left + width] = 1
    return mask


def seeing(mask: Tensor) -> Tensor:
    """Conditions (B, 4, H, W) with that mask; what else they hold is not to matter."""
    return torch.cat([torch.randn(len(mask), 3, *mask.shape[-2:]), mask], dim=1)


def branch(outputs: list[int], flat: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip([3, *outputs], outputs):
        layers += [nn.Conv2d(before, after, 5, stride=2, padding=2), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 32))


class Table(nn.Module):
    """Of 2.3, for 64x64 images, which take one layer less than 128x128, and 2 instead of 64 channels wide."""

    def __init__(self) -> None:
        super().__init__()
        self.whole, self.local = branch([2, 4, 8, 16, 16], 64), branch([2, 4, 8, 16], 64)
        self.join = nn.Linear(64, 1)

    def forward(self, image: Tensor, boxes: list[tuple[int, int]]) -> Tensor:
        parts = [own[:, top : top + 32, left : left + 32] for own, (top, left) in zip(image, boxes, strict=True)]
        return self.join(torch.cat([self.whole(image), self.local(torch.stack(parts))], dim=1))


def test_it_has_exactly_the_papers_parameters_for_128_pixels_and_sees_the_image_alone() -> None:
    with torch.device("meta"):
        discriminator = GlobalLocal(3, (128, 128))
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 32_480_769


def test_it_computes_the_table_of_the_paper() -> None:
    torch.manual_seed(0)
    # in training mode, where batch norms keep signals large
    discriminator, table = GlobalLocal(3, (64, 64), width=2), Table()
    scramble(discriminator)
    own = discriminator.state_dict()
    table.load_state_dict(dict(zip(table.state_dict(), own.values(), strict=True)))
    image = torch.rand(4, 3, 64, 64) * 2 - 1
    mask = masks((64, 64), (20, 10, 24, 32), (0, 0, 24, 24), (40, 39, 24, 25), (30, 5, 28, 30))
    boxes = [(16, 10), (0, 0), (32, 32), (28, 4)]
    with torch.no_grad():
        [verdict] = logits(discriminator(seeing(mask), image))
        expected = table(image, boxes)
    assert verdict.shape == (4, 1, 1, 1)
    assert torch.allclose(verdict.flatten(1), expected, rtol=1e-4, atol=1e-5)
    assert float(verdict.std()) > 0.01


@pytest.mark.parametrize(("side", "whole", "local"), [(128, 6, 5), (64, 5, 4), (32, 4, 3)])
def test_both_branches_end_at_two_by_two(side: int, whole: int, local: int) -> None:
    maps = judged((side, side))[0]
    assert len(maps) == whole + local + 1
    assert maps[whole - 1].shape[-2:] == (2, 2)
    assert maps[-2].shape[-2:] == (2, 2)


def judged(size: Size) -> Judgement:
    with torch.device("meta"):  # shapes without arithmetic
        discriminator = GlobalLocal(3, size, width=2)
        judgement: Judgement = discriminator(torch.empty(2, 4, *size), torch.empty(2, 3, *size))
    return judgement


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (16, 20), (33, 50), (96, 64), (256, 512)])
def test_images_of_other_sizes_are_judged_too(size: Size) -> None:
    maps = judged(size)[0]
    assert maps[-1].shape == (2, 1, 1, 1)
    assert min(maps[-2].shape[-2:]) <= 2


def test_the_host_never_waits_for_the_place_of_the_hole() -> None:
    """On the meta device tensors have no values, so reading one raises."""
    assert judged((32, 48))[0][-1].is_meta


@settings(max_examples=60, derandomize=True, database=None)
@given(st.data())
def test_the_box_is_inside_the_image_contains_the_hole_and_is_centred_on_it(data: st.DataObject) -> None:
    size = data.draw(st.tuples(st.integers(2, 40), st.integers(2, 40)))
    box = (size[0] // 2, size[1] // 2)
    height, width = (data.draw(st.integers(1, side)) for side in box)
    top, left = data.draw(st.integers(0, size[0] - height)), data.draw(st.integers(0, size[1] - width))
    mask = masks(size, (top, left, height, width), (0, 0, height, width))
    if height > 2 and width > 2:  # any shape, with the same bounding box
        mask[0, 0, top + 1 : top + height - 1, left : left + width - 1] = -1
    tops, lefts = corner(mask[:, 0], box)
    for start, length, first, own, side in (
        (int(tops[0]), box[0], top, height, size[0]),
        (int(lefts[0]), box[1], left, width, size[1]),
    ):
        assert 0 <= start <= first
        assert first + own <= start + length <= side
        wanted = first + (own - length) / 2
        assert abs(start - min(max(wanted, 0), side - length)) <= 0.5
    assert (int(tops[1]), int(lefts[1])) == (0, 0), "another item's hole has moved the box"


def test_a_hole_larger_than_the_box_has_the_box_in_its_middle_and_no_hole_in_the_images() -> None:
    tops, lefts = corner(masks((16, 24), (0, 4, 16, 20), (0, 0, 0, 0))[:, 0], (8, 12))
    assert tops.tolist() == [4, 4]
    assert lefts.tolist() == [8, 6]


def test_cropping_cuts_each_item_at_its_own_place_and_sends_gradients_there() -> None:
    image = torch.randn(2, 3, 6, 9, requires_grad=True)
    cut = crop(image, torch.tensor([3, 0]), torch.tensor([1, 5]), (3, 4))
    assert torch.equal(cut[0], image[0, :, 3:6, 1:5])
    assert torch.equal(cut[1], image[1, :, 0:3, 5:9])
    cut.sum().backward()
    expected = torch.zeros(2, 3, 6, 9)
    expected[0, :, 3:6, 1:5] = expected[1, :, 0:3, 5:9] = 1
    assert image.grad is not None
    assert torch.equal(image.grad, expected)


def test_of_the_condition_only_the_mask_is_looked_at() -> None:
    torch.manual_seed(0)
    discriminator = GlobalLocal(3, (32, 32), width=2).eval()
    image, mask = torch.randn(1, 3, 32, 32), masks((32, 32), (0, 0, 16, 16))
    there, again = discriminator(seeing(mask), image), discriminator(mask, image)
    assert all(torch.equal(a, b) for a, b in zip(there[0], again[0], strict=True))
    assert not torch.equal(discriminator(mask.flip(-1), image)[0][-1], there[0][-1])


def test_every_parameter_and_pixel_receives_a_gradient() -> None:
    torch.manual_seed(0)
    discriminator = GlobalLocal(3, (32, 32), width=2).eval()  # in training a bias before batch norm has none
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    discriminator(masks((32, 32), (0, 0, 12, 16), (20, 9, 12, 15)), image)[0][-1].sum().backward()
    missing = [name for name, value in discriminator.named_parameters() if value.grad is None or not value.grad.any()]
    assert missing == []
    assert image.grad is not None
    assert bool(image.grad.flatten(2).any(dim=2).all())


def test_the_local_half_judges_the_box_around_the_hole_and_nothing_else() -> None:
    torch.manual_seed(0)
    both, alone = GlobalLocal(3, (32, 32), width=2).eval(), Local(3, (32, 32), width=2).eval()
    own = {name: value.shape for name, value in alone.local.blocks.state_dict().items()}
    assert own == {name: value.shape for name, value in both.local.blocks.state_dict().items()}
    mask = masks((32, 32), (0, 0, 12, 16), (20, 9, 12, 15))
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    [verdict] = logits(alone(seeing(mask), image))
    assert verdict.shape == (2, 1, 1, 1)
    verdict.sum().backward()
    assert image.grad is not None
    inside = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    inside[0, :, :16, :16] = inside[1, :, 16:, 8:24] = True  # a box is half as high and wide as its image
    assert not image.grad.masked_select(~inside).any()
    assert bool(image.grad.masked_select(inside).any())
    missing = [name for name, value in alone.named_parameters() if value.grad is None or not value.grad.any()]
    assert missing == []
