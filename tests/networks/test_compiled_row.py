"""Single images that compiled code draws, against those drawn through NumPy, which other tests hold to full passes."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from variegate.core.interfaces import Shapes
from variegate.generators import pixelcnn
from variegate.generators.pixelcnn import PixelCNN, PixelCNNConfig
from variegate.networks import pixelcnn as room
from variegate.networks.pixelcnn.compiled_steps import compiled
from variegate.randomness.none import NoRandomness

WITHOUT = "numba (variegate[compiled]) is not installed"
SIZE = (5, 6)


def built(colours: int, conditions: int, **settings: Any) -> PixelCNN:
    """Small, with weights that are all different and strong enough to matter."""
    torch.manual_seed(0)
    small = {"layers": 3, "width": 12, "head": 9, "first_filter": 5, "scaled": False, **settings}
    generator = PixelCNNConfig.model_validate(small).build(NoRandomness(), Shapes(conditions, colours, SIZE))
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.normal_(0, 0.3) if parameter.ndim == 1 else parameter.mul_(2)
    return generator.eval()


@pytest.mark.parametrize(
    ("colours", "settings"),
    [
        (3, {}),
        (1, {"bits": 3, "filter": 5}),
        (3, {"filter": 4, "first_filter": 4, "sampler": {"temperature": 0.6}}),
        (3, {"layers": 1, "bits": 2}),
    ],
)
@pytest.mark.parametrize("known", [0, 8, 30])
@torch.no_grad()
def test_compiled_code_draws_what_numpy_does(
    colours: int, settings: dict[str, Any], known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba", reason=WITHOUT)
    generator = built(colours, 2, **settings)
    condition, image = torch.randn(1, 2, *SIZE), torch.rand(colours, *SIZE) * 2 - 1
    features, codes = generator.encode(condition), generator.draw([(4, 0)])[None]
    rows: list[int] = []
    draw = pixelcnn.CompiledSteps.draw

    def counted(steps: pixelcnn.CompiledSteps, *given: Any) -> None:
        rows.append(1)
        draw(steps, *given)

    monkeypatch.setattr(pixelcnn.CompiledSteps, "draw", counted)
    found = generator.complete(features, codes, image, known)
    assert len(rows) == SIZE[0] - known // SIZE[1]
    monkeypatch.setattr(pixelcnn, "compiled", lambda: None)
    expected = generator.complete(features, codes, image, known)
    assert len(expected.unique()) > 2
    assert torch.allclose(found, expected, atol=1e-6)


@torch.no_grad()
def test_without_numba_and_for_mixtures_numpy_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, f"{room.__name__}.compiled_row", raising=False)
    monkeypatch.delattr(room, "compiled_row", raising=False)
    compiled.cache_clear()
    try:
        assert compiled() is None
    finally:
        compiled.cache_clear()
    monkeypatch.setattr(pixelcnn, "CompiledSteps", None)
    monkeypatch.setattr(pixelcnn, "compiled", lambda: room)
    generator = built(1, 0, output="mixture", components=2)
    drawn = generator(torch.zeros(1, 0, *SIZE), generator.draw([(0, 0)])[None])
    assert drawn.shape == (1, 1, 1, *SIZE)
