"""A gated layer against figure 2 and equation 4 of the paper, written out, and the map made of a vector (eq. 5)."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from variegate.networks.pixelcnn.deconvolution import Deconvolution
from variegate.networks.pixelcnn.gated_stacks import GatedLayer


def at(x: Tensor, y: int, column: int) -> Tensor:
    """Maps (p,) of a pixel; zeros outside."""
    inside = 0 <= y < x.shape[1] and 0 <= column < x.shape[2]
    return x[:, y, column] if inside else x.new_zeros(len(x))


def gated(x: Tensor) -> Tensor:
    half = len(x) // 2
    return x[:half].tanh() * x[half:].sigmoid()


def written_out(layer: GatedLayer, down: Tensor, along: Tensor, h: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Of grey images, where mask B hides nothing of the pixel itself and mask A all: pixel by pixel, (p, H, W)."""
    height, width = down.shape[1:]
    p, middle = layer.output.out_channels, n // 2
    told = layer.condition.weight[:, :, 0, 0] @ h  # type: ignore[union-attr, index, operator]

    def vertical(y: int, x: int) -> Tensor:
        """Before its gate, in the pixel's row: all windows end with that row."""
        found = layer.vertical.bias
        for up in range(middle + 1):
            for side in range(-middle, middle + 1):
                found = found + layer.vertical.weight[:, :, middle - up, middle + side] @ at(down, y - up, x + side)
        return found  # type: ignore[return-value]

    below, ahead = down.new_zeros(p, height, width), down.new_zeros(p, height, width)
    for y in range(height):
        for x in range(width):
            below[:, y, x] = gated(vertical(y, x) + told[: 2 * p])
            above = vertical(y - 1, x) if y else down.new_zeros(2 * p)
            found = layer.horizontal.bias + layer.link.bias + layer.link.weight[:, :, 0, 0] @ above  # type: ignore[operator]
            for back in range(middle + 1) if layer.residual else range(1, middle + 1):
                found = found + layer.horizontal.weight[:, :, 0, middle - back] @ at(along, y, x - back)
            result = layer.output.weight[:, :, 0, 0] @ gated(found + told[2 * p :]) + layer.output.bias
            ahead[:, y, x] = result + along[:, y, x] if layer.residual else result
    return below, ahead


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize(("kind", "inputs"), [("A", 1), ("B", 4)])
@torch.no_grad()
def test_a_layer_is_figure_2_with_the_condition_in_both_stacks(kind: Literal["A", "B"], inputs: int, n: int) -> None:
    torch.manual_seed(0)
    layer = GatedLayer(inputs, 4, n, kind, 1, 3).double()
    assert layer.residual == (kind == "B")
    down, along, h = torch.randn(inputs, 4, 5), torch.randn(inputs, 4, 5), torch.randn(3)
    down, along, h = down.double(), along.double(), h.double()
    projected = layer.condition(h.view(1, 3, 1, 1))  # type: ignore[misc]
    found = layer(down[None], along[None], projected)
    for one, expected in zip(found, written_out(layer, down, along, h, n), strict=True):
        assert torch.allclose(one[0], expected, atol=1e-12)


@torch.no_grad()
def test_a_map_of_a_vector_differs_from_place_to_place_and_is_no_linear_one() -> None:
    torch.manual_seed(0)
    unfold = Deconvolution(5, 6, (12, 20))
    first, second = torch.randn(2, 1, 5, 1, 1)
    maps = unfold(first, (12, 20))
    assert maps.shape == (1, 6, 12, 20)
    assert float(maps.flatten(2).std(dim=2).min()) > 0
    zero = unfold(torch.zeros_like(first), (12, 20))
    assert not torch.allclose(maps + unfold(second, (12, 20)), unfold(first + second, (12, 20)) + zero, atol=1e-4)
