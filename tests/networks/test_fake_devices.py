"""Devices and number formats that this machine may lack: tensors that say they are on a GPU, the meta device, bf16."""

from __future__ import annotations

import shutil
from itertools import islice
from typing import Any

import pytest
import torch
from benchmarks.fake import DEVICE, fake_gpu
from torch import Tensor, nn

from helpers.variants import ALL, CONDITION, IMAGE, OPTIONS, conditions, generator_of, preset, size_of
from variegate.core.capabilities import HasLevels, HasMemory
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Generator, Objective, Shapes, Size
from variegate.core.method import Method
from variegate.core.overrides import override
from variegate.core.sampling import decode_in_chunks
from variegate.methods import METHODS, method

BATCH, SAMPLES = 4, 3
MOVES = 2  # of which a pool has many, all alike
WAITS = 2  # most times that an update may wait for values from the GPU, such as its keys
ONE_EACH = list({kind: name for name, (kind, _, _) in reversed(OPTIONS.items())}.values())
LONG = "pixelcnn autoencoder"  # as the other PixelCNNs, but it needs more pixels
ONE_EACH.remove(LONG)
FURTHER = [
    LONG,
    "pix2pix input resnet",
    "cimle class codes",
    "flow concat",
    "latent dropout separate",
    "crn none plain",
]
NO_DOWNLOAD = {"objective.perceptual": "laplacian"}


def without_download(chosen: Method) -> Method:
    """The method with features that need no file; munit has none of these, and none by default."""
    perceptual = hasattr(chosen.objective, "perceptual") and chosen.objective.kind != "munit"
    return override(chosen, NO_DOWNLOAD) if perceptual else chosen


def built(name: str) -> tuple[Generator, Objective, Size]:
    """A variant, at its own size or the smallest that its discriminators allow; a PixelCNN for few pixels."""
    chosen = without_download(preset(name))
    size = size_of(name)
    if chosen.generator.kind == "pixelcnn":
        chosen, size = override(chosen, {"generator.layers": 2}), (4, 4) if "autoencoder" in name else (2, 2)
    if hasattr(chosen.objective, "candidates"):
        chosen = override(chosen, {"objective.candidates": 2})
    try:
        chosen.build_objective(Shapes(CONDITION, IMAGE, size))
    except ConfigError:
        size = (64, 64)
    shapes = Shapes(CONDITION, IMAGE, size)
    return chosen.build_generator(shapes).train(), chosen.build_objective(shapes).train(), size


@pytest.mark.parametrize("name", [*ONE_EACH, *(pytest.param(name, marks=pytest.mark.slow) for name in FURTHER)])
def test_training_and_sampling_stay_on_the_device_of_their_inputs(name: str) -> None:
    torch.manual_seed(0)
    generator, objective, size = built(name)
    with fake_gpu(generator, objective) as readings:
        condition = torch.zeros(BATCH, CONDITION, *size, device=DEVICE)
        index = torch.arange(BATCH, device=DEVICE)
        batch = Batch(condition, torch.zeros(BATCH, IMAGE, *size, device=DEVICE), index, index)
        moves = list(islice(objective.updates(generator, batch, 0), MOVES))
        assert {term.device for losses in moves for terms in losses.values() for term in terms.values()} == {DEVICE}
        assert preset(name).objective.pools or readings.count <= WAITS * len(moves)
        if isinstance(generator.eval(), HasMemory):
            return  # it has no images to copy from
        codes = generator.draw_for(index, SAMPLES)
        readings.count = 0
        with torch.no_grad():
            images = generator(condition, codes)
        assert (images.device, images.shape) == (DEVICE, (BATCH, SAMPLES, IMAGE, *size))
        assert readings.count == 0, "the processor waits for the GPU before all of an image is asked for"
        again = decode_in_chunks(generator, condition[:1], generator.draw([(0, i) for i in range(SAMPLES)]))
        assert (again.device.type, again.shape) == ("cpu", images[:1].shape)


class Careless(nn.Module):
    """Mixes devices in three ways: only registered tensors move with their module."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.kept, self.weight = how, torch.ones(3), nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Any:
        if self.how == "unregistered":
            return x * self.kept
        return x * torch.ones(3) if self.how == "default device" else torch.from_numpy((x * self.weight).numpy())


@pytest.mark.parametrize("how", ["unregistered", "default device", "numpy"])
def test_mixed_devices_are_found(how: str) -> None:
    module = Careless(how)
    with fake_gpu(module), torch.no_grad(), pytest.raises((RuntimeError, TypeError), match=r"(?i)device|GPU"):
        module(torch.zeros(2, 3, device=DEVICE))


@pytest.mark.parametrize("name", METHODS)
def test_published_sizes_have_shapes_without_memory(name: str) -> None:
    chosen = without_download(method(name))
    shapes = Shapes(3 + chosen.generator.fills_holes, 3, (256, 256))
    with torch.device("meta"):
        generator, objective = chosen.build_generator(shapes).eval(), chosen.build_objective(shapes)
        places = {tensor.device.type for part in (generator, objective) for tensor in part.state_dict().values()}
        assert places <= {"meta"}
        condition, image = torch.zeros(1, shapes.condition_channels, 256, 256), torch.zeros(1, 3, 256, 256)
        with torch.no_grad():
            if isinstance(generator, HasLevels):
                assert generator.log_prob(condition, image).shape == (1,)
            elif not isinstance(generator, HasMemory):
                images = generator(condition, torch.zeros(1, 2, generator.code_size))
                assert (images.shape, images.device.type) == ((1, 2, 3, 256, 256), "meta")


@pytest.mark.parametrize(("network", "side", "millions"), [("large-64", 64, 31.8), ("large-256", 256, 65.0)])
def test_flows_for_one_large_card_fit_their_size(network: str, side: int, millions: float) -> None:
    with torch.device("meta"), torch.no_grad():
        generator = method("flow", {"network": network}).build_generator(Shapes(8, 3, (side, side)))
        images = generator(torch.zeros(1, 8, side, side), torch.zeros(1, 1, generator.code_size))
    assert images.shape == (1, 1, 3, side, side)
    assert sum(p.numel() for p in generator.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)


ONE_OF_EACH_KIND = list({preset(name).generator.kind: name for name in reversed(ALL)}.values())
HUNDREDTH = 0.02  # of the range [-1, 1]


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_bf16_changes_images_by_a_hundredth_of_the_range(name: str) -> None:
    """On average over pixels. Likelihoods differ by a hundredth too."""
    generator, condition = generator_of(name), conditions(name, 2)
    codes = generator.draw_for(torch.arange(2), 2)
    drawn, scores = [], []
    for enabled in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            drawn.append(generator(condition, codes).float())
            if isinstance(generator, HasLevels):
                scores.append(generator.log_prob(condition, drawn[0][:, 0]).float())
    assert float((drawn[0] - drawn[1]).abs().mean()) < HUNDREDTH
    if scores:
        assert torch.allclose(*scores, rtol=0.01)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on CPUs")
@pytest.mark.parametrize("name", ["flow-student", "cimle vector", "latent dropout"])
def test_a_compiled_decoder_is_the_decoder(name: str) -> None:
    generator = generator_of(name)
    features, codes = generator.encode(conditions(name, 2)), generator.draw_for(torch.arange(2), 1)[:, 0]
    with torch.no_grad():
        plain = generator.decode(features, codes)
        torch.testing.assert_close(torch.compile(generator.decode)(features, codes), plain, rtol=1e-3, atol=1e-4)
