"""Samples that are made to agree with what their condition tells of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import variegate
from variegate import train
from variegate.core.capabilities import HasMoments
from variegate.core.errors import ConfigError
from variegate.core.images import enlarge, to_float, to_uint8
from variegate.core.interfaces import Shapes
from variegate.data.conditions.agreement import match_low_resolution
from variegate.data.derived import blocks
from variegate.data.streets.streets import Streets
from variegate.generators.known import filled
from variegate.methods import method
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

FLOW: dict[str, Any] = {"scale": 0.25, "steps": 2, "batch_size": 2, "quiet": True, "size": 32}


def reduced_levels(image: Tensor, factor: int) -> Tensor:
    """An image (3, H, W) in [-1, 1] as conditions make it small."""
    pixels = to_uint8(image[None])[0].permute(1, 2, 0).numpy()
    return torch.from_numpy(blocks.reduce(pixels, factor)).permute(2, 0, 1)[:, ::factor, ::factor].float()


@pytest.mark.core
@pytest.mark.parametrize("factor", [2, 4])
def test_a_low_resolution_is_matched_and_detail_is_kept(factor: int) -> None:
    truth, other = (to_float(Streets((32, 32), 3).image(i)) for i in (0, 1))
    condition = torch.from_numpy(blocks.reduce(to_uint8(truth[None])[0].permute(1, 2, 0).numpy(), factor))
    condition = to_float(condition.permute(2, 0, 1))[None]
    images = torch.stack([other, torch.zeros_like(other), truth])
    found = match_low_resolution(condition, images, first=0, factor=factor)
    wanted = (condition[0, :, ::factor, ::factor] + 1) * 127.5
    for image in found:
        assert (reduced_levels(image, factor) - wanted).square().mean().sqrt() < 1.5  # of 0..255
    assert (found[2] - truth).abs().mean() < 0.02  # what agrees stays as it is
    assert (found[0] - found[1]).abs().mean() > 0.05  # detail is not replaced


def test_samples_agree_with_a_low_resolution(tmp_path: Path) -> None:
    train("flow", "streets:8", tmp_path / "run", condition="superres:4", **FLOW)
    raw = RunFolder(tmp_path / "run").pairs("held").raw(0)[0]
    plain, agreeing = (variegate.load(tmp_path / "run", sampler={"consistent": on}) for on in (False, True))
    errors = []
    for model in (plain, agreeing):
        drawn = model.decode(raw, model.codes(2)) * 2 - 1
        wanted = raw[:, ::4, ::4].float()
        errors.append(float((reduced_levels(drawn[0], 4) - wanted).square().mean().sqrt()))
    assert errors[1] < 2 < 5 < errors[0]


def test_known_pixels_around_a_hole_are_kept(tmp_path: Path) -> None:
    options: dict[str, Any] = {"width": 4, "objective.layers": 2, "steps": 2, "batch_size": 2, "quiet": True}
    train("pix2pix", "streets:8", tmp_path / "run", condition="inpaint", noise="input", size=64, **options)
    raw, truth = RunFolder(tmp_path / "run").pairs("held").raw(0)
    hole = raw[3] > 127
    plain, agreeing = (variegate.load(tmp_path / "run", sampler={"consistent": on}) for on in (False, True))
    codes = plain.codes(2)
    images, others = (to_uint8(model.decode(raw, codes) * 2 - 1) for model in (agreeing, plain))
    assert torch.equal(images[..., ~hole], truth[:, ~hole].expand(2, -1, -1))
    assert torch.equal(images[..., hole], others[..., hole])
    assert not torch.equal(others[..., ~hole], images[..., ~hole])


@pytest.mark.core
def test_a_condition_that_tells_no_pixel_is_refused(tmp_path: Path) -> None:
    train("flow", "streets:8", tmp_path / "run", **FLOW)
    with pytest.raises(ConfigError, match="the condition is labels; leave out consistent"):
        Model.load(tmp_path / "run", sampler={"consistent": True})
    assert Model.load(tmp_path / "run", sampler={"consistent": False}).generator.agree is None


def test_a_file_on_the_command_line(tmp_path: Path) -> None:
    from variegate.cli.dispatch import main

    train("flow", "streets:8", tmp_path / "run", condition="superres:4", **FLOW)
    small = np.random.default_rng(0).integers(60, 200, (8, 8, 3), np.uint8)
    Image.fromarray(small).save(tmp_path / "small.png")
    run = str(tmp_path / "run")
    main(["sample", run, str(tmp_path / "small.png"), "-n", "1", "--consistent", "--out", run + "/drawn"])
    drawn = torch.from_numpy(np.array(Image.open(next((tmp_path / "run" / "drawn").glob("*0.png"))))).permute(2, 0, 1)
    error = reduced_levels(to_float(drawn), 4) - torch.from_numpy(small).permute(2, 0, 1)
    assert error.square().mean().sqrt() < 3


@pytest.mark.parametrize("name", ["srgan", "mrgan-superres", "moment-predictor", "rcgan"])
def test_networks_for_superresolution_may_add_detail_to_the_enlargement(name: str) -> None:
    task = {} if name in ("srgan", "mrgan-superres") else {"task": "superres"}
    own = {} if name == "moment-predictor" else {"generator.blocks": 1}
    chosen, plain = (method(name, {"width": 4, "residual": on, **task, **own}) for on in (True, False))
    generators = []
    for each in (chosen, plain):
        torch.manual_seed(0)
        generators.append(each.build_generator(Shapes(3, 3, (16, 24))).eval())
    condition = (torch.rand(1, 3, 4, 6) * 2 - 1).repeat_interleave(4, 2).repeat_interleave(4, 3)
    codes = generators[0].draw([(0, 0)])[None]
    with torch.no_grad():
        with_skip, without = (each(condition, codes)[:, 0] for each in generators)
    torch.testing.assert_close(with_skip, without + enlarge(condition, 4))


@pytest.mark.parametrize("name", ["glcic", "mrgan-inpainting", "moment-predictor", "rcgan"])
def test_networks_that_fill_holes_may_add_to_a_smooth_filling(name: str) -> None:
    task = {"task": "inpainting"} if name in ("moment-predictor", "rcgan") else {}
    chosen = method(name, {"width": 4, "residual": True, **task})
    generator = chosen.build_generator(Shapes(4, 3, (16, 24))).eval()
    for weight, values in generator.named_parameters():
        if "outer" in weight:
            torch.nn.init.zeros_(values)
    condition = torch.rand(1, 4, 16, 24) * 2 - 1
    condition[:, 3] = -1
    condition[:, 3, 4:10, 3:12] = 1
    with torch.no_grad():
        sampled = generator(condition, generator.draw([(0, 0)])[None])[:, 0]
        image = generator.moments(condition)[0] if isinstance(generator, HasMoments) else sampled
    torch.testing.assert_close(image, filled(condition)[:, :3])
