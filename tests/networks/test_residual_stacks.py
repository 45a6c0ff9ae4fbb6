"""Residual stacks against the authors' code of PixelCNN++ (model.py, nn.py), written out for grey images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from variegate.networks.pixelcnn.masked import Masked
from variegate.networks.pixelcnn.residual_stacks import Branch, Halving, ResidualBlock, ResidualStacks, Resolution

WIDTH = 4


def concat_elu(x: Tensor) -> Tensor:
    return F.elu(torch.cat([x, -x], dim=1))


def for_concat(layer: nn.Conv2d) -> Tensor:
    """Weights whose inputs are all maps, then all of their negatives, as the authors order them."""
    weight = layer.weights() if isinstance(layer, Masked) else layer.weight
    return torch.cat([weight[:, 0::2], weight[:, 1::2]], dim=1)


def down_shifted(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    return F.conv2d(F.pad(x, (1, 1, 1, 0)), weight, bias, stride)


def down_right_shifted(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    return F.conv2d(F.pad(x, (1, 0, 1, 0)), weight, bias, stride)


def gated_resnet(x: Tensor, branch: Branch, h: Tensor, conv, *others: tuple[Tensor, nn.Conv2d]) -> Tensor:  # type: ignore[no-untyped-def]
    """`others` stand for `nin` of `a`, which the code concatenates."""
    c1 = conv(concat_elu(x), for_concat(branch.first), branch.first.bias)
    for a, layer in others:
        c1 = c1 + F.conv2d(concat_elu(a), for_concat(layer), layer.bias)
    c2 = conv(concat_elu(c1), for_concat(branch.second), branch.second.bias) + h
    a, b = c2.chunk(2, dim=1)
    return x + a * torch.sigmoid(b)


def deconv(x: Tensor, way: Halving) -> Tensor:
    weight = way.transposed.weights().view(WIDTH, 2, 2, WIDTH).permute(3, 0, 1, 2)
    bias = way.transposed.bias.view(WIDTH, 2, 2)  # type: ignore[union-attr]
    return F.conv_transpose2d(x, weight, stride=2) + bias.repeat(1, x.shape[2], x.shape[3])


def written_out(stack: ResidualStacks, image: Tensor, condition: Tensor) -> Tensor:
    levels: list[Resolution] = [stack.whole]
    while levels[-1].lower is not None:
        levels.append(levels[-1].lower)
    sizes = [condition]
    for _ in levels[1:]:
        sizes.append(F.avg_pool2d(sizes[-1], 2))

    def told(block: ResidualBlock, level: int) -> tuple[Tensor, Tensor]:
        above, ahead = block.condition(sizes[level]).chunk(2, dim=1)  # type: ignore[misc]
        return above, ahead

    u = [F.pad(down_shifted(image, stack.vertical.weight, stack.vertical.bias), (0, 0, 1, 0))[:, :, :-1]]
    first = F.conv2d(F.pad(image, (1, 0, 0, 0)), stack.horizontal.weights(), stack.horizontal.bias)
    ul = [first + F.conv2d(u[0], stack.link.weight, stack.link.bias)]
    for i, level in enumerate(levels):
        for block in level.before:
            above, ahead = told(block, i)  # type: ignore[arg-type]
            u.append(gated_resnet(u[-1], block.vertical, above, down_shifted))
            ul.append(gated_resnet(ul[-1], block.horizontal, ahead, down_right_shifted, (u[-1], block.link)))
        if level.lower is not None:
            for kept, way, conv in ((u, level.vertical, down_shifted), (ul, level.horizontal, down_right_shifted)):
                kept.append(conv(kept[-1], way.strided.weights(), way.strided.bias, 2))
    down, along = u.pop(), ul.pop()
    for i, level in reversed(list(enumerate(levels))):
        if level.lower is not None:
            down, along = deconv(down, level.vertical), deconv(along, level.horizontal)
        for block in level.after:
            above, ahead = told(block, i)  # type: ignore[arg-type]
            down = gated_resnet(down, block.vertical, above, down_shifted, (u.pop(), block.vertical.skip))
            others = ((down, block.link), (ul.pop(), block.horizontal.skip))
            along = gated_resnet(along, block.horizontal, ahead, down_right_shifted, *others)
    assert not u
    assert not ul
    return along


@pytest.mark.parametrize(("layers", "halvings"), [(3, 2), (5, 1), (2, 0)])
@torch.no_grad()
def test_the_stacks_are_those_of_the_authors_code(layers: int, halvings: int) -> None:
    torch.manual_seed(0)
    stack = ResidualStacks(1, WIDTH, layers, 3, 3, conditions=2, halvings=halvings).double()
    image, condition = torch.randn(2, 1, 8, 12).double(), torch.randn(2, 2, 8, 12).double()
    expected = written_out(stack, image, condition)
    found = stack(image, stack.projections(condition))
    assert torch.allclose(found, expected, atol=1e-12)
    assert float(found.std()) > 0.1


def test_the_papers_layers_are_five_blocks_at_each_of_three_resolutions() -> None:
    with torch.device("meta"):
        level: Resolution | None = ResidualStacks(3, 6, 15, 3, 3).whole
    counts = []
    while level is not None:
        counts.append((len(level.before), len(level.after)))
        level = level.lower
    assert counts == [(5, 6), (5, 6), (5, 5)]
