"""Likelihood as an objective, and of images that a user gives."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import variegate
from helpers.variants import CONDITION, IMAGE, conditions, generator_of, model_of, pictures, preset, size_of
from variegate.core.config import from_mapping
from variegate.core.errors import ConfigError, DataError
from variegate.core.interfaces import Batch, Shapes
from variegate.core.method import Method
from variegate.methods import method
from variegate.model.model import Model
from variegate.randomness.latent import LatentConfig
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

pytestmark = pytest.mark.core

NAME = "gated pixelcnn 3 bits"


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of(NAME)


def layout() -> Tensor:
    return conditions(NAME, 1)[0].argmax(dim=0, keepdim=True).to(torch.uint8)


def test_the_loss_is_bits_per_colour_of_a_pixel() -> None:
    generator, size = generator_of(NAME), size_of(NAME)
    image = pictures(3, size).float() / 127.5 - 1
    batch = Batch(conditions(NAME, 3), image, torch.arange(3), torch.arange(3))
    (losses,) = preset(NAME).build_objective(Shapes(CONDITION, IMAGE, size)).updates(generator, batch, 0)
    nats = -generator.log_prob(batch.condition, image).mean()
    assert losses["generator"]["bits_per_dim"].item() == pytest.approx(nats.item() / (math.log(2) * 3 * 8 * 10))
    assert abs(losses["generator"]["bits_per_dim"].item() - 3) < 0.3, "untrained, about as many as there are bits"


@pytest.mark.parametrize(
    ("name", "stacks"), [("gated-pixelcnn", "gated"), ("gated-pixelcnn", "residual"), ("pixelcnn", "plain")]
)
def test_training_finds_images_more_and_more_likely(name: str, stacks: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"layers": 3, "width": 12, "bits": 3, "batch_size": 4, "ema_decay": 0.0}
    options["generator.stacks"] = stacks
    options["training.learning_rate.generator"] = 3e-3
    settings = ExecutionSettings(quiet=True, device="cpu", log_every=1, save_every=40)
    run = variegate.train(name, "streets:20", tmp_path / "run", size=16, steps=40, run=settings, **options)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    bits = [row["generator/bits_per_dim"] for row in rows if "generator/bits_per_dim" in row]
    assert bits[0] > 2.5
    assert sum(bits[-5:]) / 5 < 0.8 * bits[0]
    drawn = variegate.load(run).sample(RunFolder(run).pairs("test").raw(0)[0], n=2)
    assert drawn.images.shape == (2, 3, 16, 16)
    assert len(drawn.images.unique()) <= 8


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("pix2pix", {"objective": method("pixelcnn").objective}, "objective likelihood trains only generator pixelcnn"),
        ("pixelcnn", {"objective": method("moment-predictor").objective}, "trains only generator moment_predictor"),
        ("pixelcnn", {"randomness": LatentConfig(sites=("down*",))}, "its randomness must be none"),
    ],
)
def test_likelihood_and_pixels_drawn_one_by_one_belong_together(name: str, changes: dict, words: str) -> None:
    values = method(name).model_copy(update=changes).model_dump()
    with pytest.raises(ConfigError, match=words):
        from_mapping(Method, values, "options")


def test_the_likelihood_of_images_is_the_same_in_whatever_form_they_come(model: Model, tmp_path: Path) -> None:
    raw = pictures(5, size_of(NAME))
    with torch.no_grad():
        shown = model.condition.encode(layout()[None]).expand(5, -1, -1, -1)
        expected = model.generator.log_prob(shown, raw.float() / 127.5 - 1)
    for images in (raw, list(raw), raw.float() / 255, raw.long(), [one.permute(1, 2, 0).numpy() for one in raw]):
        assert torch.allclose(model.log_prob(images, layout(), chunk=2), expected, rtol=1e-5)
    Image.fromarray(raw[0].permute(1, 2, 0).numpy()).save(tmp_path / "one.png")
    assert float(model.log_prob([tmp_path / "one.png"], layout())) == pytest.approx(float(expected[0]), rel=1e-5)
    assert model.log_prob(raw, layout(), size=(5, 7)).shape == (5,)
    bits = model.surprisal(raw, layout(), chunk=2)
    assert bits.shape == (5, *size_of(NAME))
    assert torch.allclose(-bits.sum(dim=(1, 2)) * math.log(2), expected, rtol=1e-5)


def test_what_has_no_likelihood_is_refused_in_words(model: Model) -> None:
    raw = pictures(2, size_of(NAME))
    with pytest.raises(ConfigError, match="this basisgan model has no likelihood; train gated-pixelcnn"):
        model_of("basisgan").log_prob(raw, layout())
    with pytest.raises(ConfigError, match="this moment-predictor model has no probabilities of single pixels; train"):
        model_of("moment predictor").surprisal(raw, layout())
    with pytest.raises(DataError, match=r"expected uint8, or float in \[0, 1\], got values from -1 to 1"):
        model.log_prob((raw > 9).float() * 2 - 1, layout())
    with pytest.raises(DataError, match=r"got values from 0 to 300"):
        model.log_prob((raw > 9).int() * 300, layout())
    with pytest.raises(ConfigError, match="images have different sizes, 9x8 and 10x8; give images of one size"):
        model.log_prob([raw[0], raw[1, :, :, :9]], layout())
    with pytest.raises(ConfigError, match="there are no images; give images of one size"):
        model.log_prob([], layout())
