"""Spread around the centre and of activations equals NumPy; one person's images spread less than five persons'."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import models

from helpers.shared import shared
from variegate.core.errors import DataError
from variegate.evaluation.metrics.plugged import plug
from variegate.evaluation.metrics.spread import Levels, centre_distances, feature_spread
from variegate.networks import features, weights


def conditions(count: int = 3, samples: int = 5, side: int = 40) -> list[Tensor]:
    rng = torch.Generator().manual_seed(0)
    return [torch.rand(samples, 3, side, side + 3, generator=rng) * 2 - 1 for _ in range(count)]


def colours(images: Tensor) -> Tensor:
    return images.mean(dim=(2, 3))


@pytest.fixture
def untrained_squeezenet(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """torchvision's SqueezeNet with random weights, in the place of the trained ones."""
    torch.manual_seed(0)
    network = models.squeezenet1_1(weights=None).eval()
    given = weights.Weights(network.state_dict(), "0123456789ab", "random")
    monkeypatch.setattr(features.weights, "load", lambda name: given)
    return network


@pytest.mark.core
def test_distances_to_the_centre_equal_numpy() -> None:
    rows = conditions()
    found = centre_distances(iter(rows))
    levels = [(row.double().numpy() + 1) * 127.5 for row in rows]
    apart = np.array([[np.sqrt(((one - row.mean(axis=0)) ** 2).mean()) for one in row] for row in levels])
    assert found["centre_max"].value == pytest.approx(apart.max(axis=1).mean())
    assert found["centre_mean"].value == pytest.approx(apart.mean())
    record = found["centre_max"].protocol
    assert (record.inputs, record.samples, record.size) == (3, 5, (40, 43))
    assert "unverified" in record.notes[0]
    assert centre_distances([rows[0][:1].expand(4, -1, -1, -1)])["centre_max"].value == pytest.approx(0, abs=1e-9)


@pytest.mark.core
def test_deviations_of_levels_equal_numpy_on_torchvisions_layers(untrained_squeezenet: torch.nn.Module) -> None:
    rows = conditions()
    found = feature_spread(iter(rows), Levels("squeeze"), plug(colours, "embedding"))
    mean, std = torch.tensor(features.IMAGENET_MEAN), torch.tensor(features.IMAGENET_STD)
    expected: dict[str, list[float]] = {}
    for row in rows:
        x = ((row + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        level = 0
        for index, layer in enumerate(untrained_squeezenet.get_submodule("features").children()):
            x = layer(x)
            if index in features.BACKBONES["squeeze"].taps:
                level += 1
                value = x.detach().double().numpy().std(axis=0, ddof=1).mean()
                expected.setdefault(f"std_squeeze_{level}", []).append(value)
        expected.setdefault("std_identity", []).append(colours(row).double().numpy().std(axis=0, ddof=1).mean())
    assert list(found) == [*expected, "diversity_score"]
    for name, values in expected.items():
        assert found[name].value == pytest.approx(np.mean(values), rel=1e-5)
    assert found["diversity_score"].value == pytest.approx(
        sum(np.mean(values) for values in expected.values()), rel=1e-5
    )
    record = found["diversity_score"].protocol
    assert record.metric == f"sum of {', '.join(expected)}"
    assert record.weights == {"squeeze (random)": "0123456789ab"}
    assert "colours" in str(record.extractor)
    assert any("unverified" in note for note in record.notes)
    assert "features.12" in found["std_squeeze_7"].protocol.metric


@pytest.mark.core
def test_an_embedding_alone_gives_no_score_and_bad_ones_are_refused() -> None:
    assert list(feature_spread(conditions(1), None, plug(colours, "embedding"))) == ["std_identity"]
    assert feature_spread(conditions(1), None) == {}
    with pytest.raises(DataError, match="an embedding must have shape"):
        feature_spread(conditions(1), None, plug(lambda x: x, "embedding"))
    with pytest.raises(DataError, match="at least 2"):
        feature_spread(conditions(1, samples=1), None, plug(colours, "embedding"))


def test_identity_spreads_less_among_images_of_one_person() -> None:
    """Five images of one person against one image each of five persons, eight times."""
    pytest.importorskip("onnxruntime")
    network = shared("weights", "mobilefacenet_128d.onnx")
    people = sorted(shared("data", "faces_identity").iterdir())[:8]
    shown = [[np.array(Image.open(file)) for file in sorted(person.glob("*.jpg"))[:5]] for person in people]
    faces = torch.from_numpy(np.array(shown)).permute(0, 1, 4, 2, 3) / 127.5 - 1  # (8, 5, 3, 96, 96)
    embedding = plug(network, "embedding")
    one = feature_spread(faces, None, embedding)["std_identity"]
    several = [torch.stack([faces[(first + i) % 8, i] for i in range(5)]) for first in range(8)]
    many = feature_spread(several, None, embedding)["std_identity"]
    assert one.value < 0.8 * many.value
    assert one.ci is not None
    assert many.ci is not None
    assert one.ci[1] < many.ci[0]
    assert one.protocol.weights == {network.name: weights.file_digest(network)}
    assert one.protocol.resize == "112 x 112, bilinear, antialiased"
