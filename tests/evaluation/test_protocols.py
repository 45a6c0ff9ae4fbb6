"""No number without its protocol; intervals, pairs and presets are what they say."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from helpers.shared import shared_weights
from variegate.core.errors import ConfigError, DataError
from variegate.core.images import to_float
from variegate.data import DataConfig
from variegate.evaluation.measuring import measure, sets
from variegate.evaluation.measuring.drawn import draw_samples
from variegate.evaluation.measuring.gathering import Gathered
from variegate.evaluation.measuring.sets import set_metrics
from variegate.evaluation.metrics.diversity import Pixel, choose_pairs, diversity, pairwise_diversity
from variegate.evaluation.metrics.extractors import Extractor
from variegate.evaluation.metrics.fidelity import MEASURES, per_sample
from variegate.evaluation.metrics.low_resolution import against_low_resolution
from variegate.evaluation.protocols import NamedProtocol, named_protocol, protocols
from variegate.methods.mrgan import glcic
from variegate.methods.pix2pix import pix2pix
from variegate.networks import weights
from variegate.runs.measured import Measured, Protocol, Results, libraries, student

pytestmark = pytest.mark.core

RECORD = Protocol(name="pixel", metric="L1", libraries=libraries("torch"), value_range="[0, 1]")


def samples(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 6, 7, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_number_cannot_be_made_without_its_protocol() -> None:
    with pytest.raises(ValidationError, match="protocol"):
        Measured(value=1.0, n=1, unit="", better="higher")  # type: ignore[call-arg]
    with pytest.raises(DataError, match="no protocol"):
        Results.from_dict({"metrics": {"lpips": {"value": 1.0}}, "protocol": {}})


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30).filter(lambda values: np.std(values) > 1e-3))
def test_interval_is_students(values: list[float]) -> None:
    mean, interval = student(values)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    assert interval == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-9)


def test_one_condition_has_no_interval_and_none_is_an_error() -> None:
    assert Measured.mean([0.5], unit="", better="higher", protocol=RECORD).ci is None
    with pytest.raises(DataError, match="at least one"):
        Measured.mean([], unit="", better="higher", protocol=RECORD)
    with pytest.raises(DataError, match="condition 1"):
        Measured.mean([0.5, math.nan], unit="", better="higher", protocol=RECORD)


def test_results_survive_json_and_keep_protocols_beside_numbers() -> None:
    value = Measured.mean([0.1, 0.2, 0.4], unit="u", better="lower", protocol=RECORD)
    results = Results({"pixel": value})
    content = json.loads(results.to_json())
    assert set(content) == {"metrics", "protocol"}
    assert set(content["metrics"]) == set(content["protocol"]) == {"pixel"}
    assert content["metrics"]["pixel"]["value"] == value.value
    assert Results.from_dict(content).measured == {"pixel": value.model_copy(update={"values": None})}
    with pytest.raises(ConfigError, match="twice"):
        results.add({"pixel": value})


def test_versions_are_those_installed() -> None:
    assert libraries("torch", "no-such-package") == {
        "torch": torch.__version__.split("+")[0],
        "no-such-package": "absent",
    }


@given(st.integers(2, 12), st.integers(0, 1000))
def test_pairs_join_two_different_samples_once(count: int, seed: int) -> None:
    every = count * (count - 1) // 2
    for pairing, expected in (("all", every), ("consecutive", count - 1), ("disjoint", count // 2)):
        first, second = choose_pairs(count, pairing, None, seed)  # type: ignore[arg-type]
        assert len(first) == expected
        assert (first < second).all()
    first, second = choose_pairs(count, "random", max(1, every // 2), seed)
    assert len({*zip(first.tolist(), second.tolist())}) == max(1, every // 2)
    again = choose_pairs(count, "random", max(1, every // 2), seed)
    assert np.array_equal(first, again[0])


def test_more_random_pairs_than_there_are_is_refused() -> None:
    with pytest.raises(DataError, match="at most 3 for 3 samples"):
        choose_pairs(3, "random", 4, 0)
    with pytest.raises(DataError, match="at least 2"):
        choose_pairs(1, "all", None, 0)


@pytest.mark.parametrize("preset", protocols().values(), ids=lambda preset: preset.name)
def test_a_protocol_draws_the_pairs_it_announces(preset: NamedProtocol) -> None:
    if preset.samples:
        first, _ = choose_pairs(preset.samples, preset.pairing, preset.pairs, 0)
        assert len(first) == preset.count()
        assert str(preset.count()) in preset.in_words()
    assert preset.paper in preset.notes()[0]


def test_papers_protocols() -> None:
    table = {name: (preset.inputs, preset.count()) for name, preset in protocols().items() if preset.samples}
    assert table["bicyclegan"] == (100, 19)
    assert table["msgan"] == (100, 50)
    assert table["dsgan"] == (100, 20)
    assert table["mrgan"] == (300, 10)
    assert table["imle"] == (100, 40)
    assert table["basisgan"] == table["msgan"]
    assert protocols()["dsgan"].version == "0.0"
    assert protocols()["dsgan"].in_sets == 20
    assert protocols()["pixelcnn"].samples == 0
    with pytest.raises(ConfigError, match="bicyclegan"):
        named_protocol("bicycle-gan")


def test_distances_of_sets_use_as_many_samples_as_the_protocol_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Means(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(len(images))
            return images.mean(dim=(2, 3))

    seen: list[int] = []
    monkeypatch.setenv("VARIEGATE_CACHE", str(tmp_path))
    found = Extractor(Means(), "means", 3, "means of colours", "none", {"means": "0"}, ("torch",))
    monkeypatch.setattr(sets, "extractor", lambda _: found)
    pairs = DataConfig(path="streets:6", size=(32, 32)).open()
    generator = pix2pix(width=4).build_generator(pairs.shapes).eval()
    drawn = draw_samples(generator, pairs, inputs=3, samples=4, seed=0, which="both")
    for most, count in ((None, 12), (2, 6)):
        gathered = Gathered()
        set_metrics(gathered, drawn, pairs, most)
        record = gathered.results.measured["frechet_means"].protocol
        assert f"{count} against 6" in record.notes[0]
        assert ("the first 2 samples" in record.notes[0]) == (most == 2)
    assert sum(seen) == 6 + 12, "features of an image are computed once"


@pytest.mark.parametrize(("features", "network", "told"), [(3, "auto", 0), (50, "auto", 1), (50, "alexnet", 0)])
def test_a_frechet_distance_of_fewer_images_than_features_is_given_only_if_asked_for(
    features: int, network: Any, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Means(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(2, 3)).repeat(1, 17)[:, :features]

    found = Extractor(Means(), "means", features, "means of colours", "none", {}, ("torch",))
    monkeypatch.setattr(sets, "extractor", lambda _: found)
    pairs = DataConfig(path="streets:20", size=(32, 32)).open()
    drawn = draw_samples(pix2pix(width=4).build_generator(pairs.shapes).eval(), pairs, 5, 3, 0, "both")
    gathered = Gathered()
    set_metrics(gathered, drawn, pairs, network=network)
    assert ("frechet_means" in gathered.results.measured) == (not told)
    assert "kid_means" in gathered.results.measured
    assert sum("15 samples are fewer than its 50 features" in line for line in gathered.skipped) == told


def test_what_is_measured_of_holes_is_measured_inside_them() -> None:
    pairs = DataConfig(path="streets:4", size=(32, 32), condition="inpaint:centre").open()
    generator = glcic(width=4).build_generator(pairs.shapes).eval()
    measured = measure.measure(generator, pairs, pairs, "quick", perceptual=False).results.measured
    drawn = draw_samples(generator, pairs, inputs=4, samples=2, seed=0, which="both")
    for hole, images, (whole, _) in zip(drawn.holes, drawn.inside(), drawn.with_truth()):
        assert hole is not None
        assert images.shape == (2, 3, 1, int(hole.sum()))
        assert torch.equal(images.squeeze(2), whole[0][..., hole])
    values = [
        float(per_sample(whole, truth, MEASURES["rmse"], hole).mean())
        for hole, (whole, truth) in zip(drawn.holes, drawn.with_truth())
    ]
    assert measured["rmse_mean"].value == pytest.approx(sum(values) / 4, rel=1e-3)
    for name in ("rmse_mean", "diversity_pixel", "centre_max", "code_sensitivity"):
        protocol = measured[name].protocol
        assert protocol.size == (32, 32)
        assert any("inside the hole" in note for note in protocol.notes)


def test_lpips_of_holes_says_that_it_is_inside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_weights(monkeypatch, *(weights.KNOWN[name].file for name in ("alexnet", "squeezenet1_1")))
    for condition, told in (("inpaint:centre", True), ("edges", False)):
        pairs = DataConfig(path="streets:4", size=(32, 32), condition=condition).open()
        generator = (glcic if told else pix2pix)(width=4).build_generator(pairs.shapes).eval()
        found = measure.measure(generator, pairs, pairs, "quick", extractor="squeezenet", layouts=1).results.measured
        assert any("inside the hole" in note for note in found["lpips"].protocol.notes) == told
        assert not any("inside the hole" in note for note in found["frechet_squeezenet"].protocol.notes)


def test_super_resolution_stands_beside_the_bicubic_enlargement_and_what_was_given() -> None:
    pairs = DataConfig(path="streets:3", size=(32, 32), condition="superres:4").open()
    low = [Image.fromarray(pairs.raw(i)[0][:, ::4, ::4].permute(1, 2, 0).numpy()) for i in range(3)]
    truths = [to_float(pairs.raw(i)[1]) for i in range(3)]
    large = [torch.from_numpy(np.array(one.resize((32, 32), Image.Resampling.BICUBIC))) for one in low]
    expected = [float((a.permute(2, 0, 1) - (b + 1) * 127.5).square().mean().sqrt()) for a, b in zip(large, truths)]
    exact = ((truth.expand(1, 2, -1, -1, -1), truth[None]) for truth in truths)
    raws = [pairs.raw(i)[0] for i in range(3)]
    found = against_low_resolution(exact, raws, 4, ["rmse", "psnr"])
    assert found["rmse_bicubic"].value == pytest.approx(sum(expected) / 3, rel=0.03)
    assert found["psnr_bicubic"].value == pytest.approx(np.mean([20 * math.log10(255 / e) for e in expected]), rel=0.02)
    assert found["reduced_error"].value == 0
    assert found["reduced_error"].protocol.samples == 2
    darker = ((truth.expand(1, 2, -1, -1, -1) - 0.2, truth[None]) for truth in truths)
    assert 15 < against_low_resolution(darker, raws, 4, ["rmse"])["reduced_error"].value < 26
    generator = pix2pix(width=4).build_generator(pairs.shapes).eval()
    measured = measure.measure(generator, pairs, pairs, "quick", perceptual=False).results.measured
    assert {"rmse_bicubic", "ssim_bicubic", "reduced_error"} <= set(measured)


def test_diversity_is_the_mean_over_conditions_of_the_mean_over_pairs() -> None:
    conditions = [samples(5, seed) for seed in range(3)]
    result = diversity(iter(conditions), Pixel(), "quick")
    values = []
    for images in conditions:
        pairs = [(i, j) for i in range(5) for j in range(i)]
        values.append(np.mean([(images[i] - images[j]).abs().mean().item() / 2 for i, j in pairs]))
    assert result.value == pytest.approx(np.mean(values), rel=1e-5)
    assert result.n == result.protocol.inputs == 3
    assert result.protocol.pairs == "10 all"
    assert result.protocol.size == (6, 7)
    assert any("3 inputs instead of the 10" in note for note in result.protocol.notes)


def test_equal_samples_have_no_diversity() -> None:
    assert pairwise_diversity(samples(1).expand(4, -1, -1, -1), Pixel()) == 0


def test_random_pairs_follow_the_seed() -> None:
    images = samples(8)
    values = [pairwise_diversity(images, Pixel(), 6, seed) for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


def test_too_few_samples_for_the_protocol_are_named() -> None:
    with pytest.raises(DataError, match=r"condition 1 has 4 samples, but 'quick' needs 5"):
        diversity([samples(5), samples(4)], Pixel(), "quick")
