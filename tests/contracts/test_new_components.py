"""A new component is one new file: here a randomness, a generator and an objective that the library never heard of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Unpack

import pytest
import torch
from torch import Tensor, nn

import variegate
from variegate.core.config import Training
from variegate.core.errors import CheckpointError, ConfigError
from variegate.core.interfaces import Batch, Conv, Features, Generator, Losses, Objective, Randomness, Shapes
from variegate.core.method import GeneratorConfig, Method, ObjectiveConfig, Opposite, RandomnessConfig
from variegate.runs.folder import RunFolder
from variegate.runs.settings import ExecutionSettings

pytestmark = pytest.mark.core


class Tint(Randomness):
    """The code is a colour that every pixel is shifted by."""

    sites = frozenset({"last"})

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def layer(self, site: str, in_channels: int, out_channels: int, **conv: Unpack[Conv]) -> nn.Module:
        return Tinted(nn.Conv2d(in_channels, out_channels, conv.get("kernel_size", 1)), self.size, out_channels)


class Tinted(nn.Module):
    def __init__(self, conv: nn.Module, size: int, channels: int) -> None:
        super().__init__()
        self.conv, self.colour = conv, nn.Linear(size, channels)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        shifted: Tensor = self.conv(x) + self.colour(code)[..., None, None]
        return shifted


class TintConfig(RandomnessConfig):
    kind: Literal["tint"] = "tint"
    size: int = 2

    def build(self, shapes: Shapes) -> Tint:
        return Tint(self.size)


class OneLayer(Generator):
    def __init__(self, randomness: Randomness, shapes: Shapes) -> None:
        super().__init__()
        self.layer = randomness.layer("last", shapes.condition_channels, shapes.image_channels)
        self.code_size, self.prior = randomness.size, randomness.prior

    def encode(self, condition: Tensor) -> Features:
        return Features(condition, (), (condition.shape[-2], condition.shape[-1]))

    def decode(self, features: Features, code: Tensor) -> Tensor:
        image: Tensor = self.layer(features.condition, code).tanh()
        return image


class OneLayerConfig(GeneratorConfig):
    kind: Literal["one_layer"] = "one_layer"

    def build(self, randomness: Randomness, shapes: Shapes) -> OneLayer:
        return OneLayer(randomness, shapes)


class Mean(Objective):
    """The mean colour is learned, and codes move away from each other."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.spread = spread

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        images = generator(batch.condition, generator.draw_for(batch.key, 2))
        error = (images.mean(dim=(1, 3, 4)) - batch.image.mean(dim=(2, 3))).square().mean()
        apart = (images[:, 0] - images[:, 1]).abs().mean()
        yield {"generator": {"mean": error, "spread": -self.spread * apart}}


class MeanConfig(ObjectiveConfig):
    kind: Literal["mean_colour"] = "mean_colour"
    spread: float = 0.1

    def refusal(self, method: Method) -> str | None:
        return None if method.randomness.has_code else "mean_colour needs a code"

    def build(self, shapes: Shapes, opposite: Opposite) -> Mean:
        return Mean(self.spread)


def toy(**changes: Any) -> Method:
    parts = {"generator": OneLayerConfig(), "randomness": TintConfig(), "objective": MeanConfig()} | changes
    training = Training(steps=20, batch_size=2, learning_rate={"generator": 1e-2}, ema_decay=0.0)
    return Method(name="toy", paper="none", summary="a test", condition="any", training=training, **parts)


def test_it_trains_saves_loads_and_samples(tmp_path: Path) -> None:
    quiet = ExecutionSettings(quiet=True, device="cpu", log_every=1)
    run = variegate.train(toy(), "streets:20", tmp_path / "run", size=16, run=quiet)
    losses = [row["generator/mean"] for row in RunFolder(run).log() if "generator/mean" in row]
    assert losses[-1] < losses[0]
    assert RunFolder(run).config.method == toy()
    model = variegate.load(run)
    layout = RunFolder(run).pairs("test").raw(0)[0]
    images = model.sample(layout, n=4).images
    assert images.shape == (4, 3, 16, 16)
    assert len({image.numpy().tobytes() for image in images}) == 4
    assert torch.equal(variegate.load(run).sample(layout, n=4).images, images)
    assert variegate.train(toy(), "streets:20", run, size=16, run=quiet, resume=True, steps=21) == run
    assert RunFolder(run).checkpoints.steps()[-1] == 21


def test_its_kinds_are_known_by_their_names() -> None:
    again = Method.model_validate(toy().model_dump(mode="json"))
    assert again == toy()
    assert isinstance(again.generator, OneLayerConfig)
    with pytest.raises(
        ConfigError, match=r"generator\.kind: there is no generator 'one_layr'; did you mean 'one_layer'"
    ):
        Method.model_validate({**toy().model_dump(), "generator": {"kind": "one_layr"}})
    with pytest.raises(TypeError, match=r"generator 'one_layer' is already defined: OneLayerConfig of "):

        class Another(GeneratorConfig):
            kind: Literal["one_layer"] = "one_layer"


def test_it_refuses_others_in_its_own_words() -> None:
    with pytest.raises(ConfigError, match="toy: mean_colour needs a code"):
        toy(randomness={"kind": "none"})


def test_a_run_of_a_component_that_is_not_imported_says_so(tmp_path: Path) -> None:
    quiet = ExecutionSettings(quiet=True, device="cpu")
    run = variegate.train(toy(), "streets:20", tmp_path / "run", size=16, steps=1, run=quiet)
    config = run / "model" / "config.json"
    config.write_text(config.read_text().replace("one_layer", "two_layers"))
    with pytest.raises((CheckpointError, ConfigError), match="there is no generator 'two_layers'"):
        variegate.load(run)
