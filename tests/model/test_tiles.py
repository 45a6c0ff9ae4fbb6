"""Large images in overlapping windows: the same image where that is claimed, no seam, and refusals in one sentence."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
import torch
from torch import Tensor

import variegate
from helpers.variants import COLOURS, model_of
from variegate.core.errors import ConfigError
from variegate.core.tiles import add, passes, spans, tiles
from variegate.data.conditions import Labels
from variegate.data.streets.streets import Streets
from variegate.model.model import Model
from variegate.model.tile_plan import plan_for, reach_of

SIZE = (136, 206)  # no multiples of the networks' strides
LOCAL = [
    "basisgan",  # sampled filters, reflection padding, batch norm
    "pix2pix input resnet",  # noise maps at full size
    "pix2pixhd none global",  # instance norm
    "bicyclegan",  # a shallow U-Net with instance norm
    "mrgan",  # noise maps at three levels
    "munit",  # adaptive instance norm and layer norm
    "cimle field",  # a noise field, layer norm, resizing with aligned corners
    "latent dropout",
    "latent dropout elements",
    "rcgan superres",
    "moment predictor",
]


def squares(size: tuple[int, int] = SIZE) -> Tensor:
    """A label map, uint8 (1, H, W), of 8x8 squares."""
    stream = torch.Generator().manual_seed(0)
    ids = torch.randint(4, (1, -(-size[0] // 8), -(-size[1] // 8)), generator=stream, dtype=torch.uint8)
    return ids.repeat_interleave(8, 1).repeat_interleave(8, 2)[:, : size[0], : size[1]]


@pytest.mark.parametrize("name", LOCAL)
def test_an_image_in_tiles_is_the_image_without_them(name: str, caplog: pytest.LogCaptureFixture) -> None:
    model = model_of(name)
    whole = model.sample(squares(), n=2, seed=3).images
    with caplog.at_level(logging.WARNING, "variegate"):
        tiled = model.sample(squares(), n=2, seed=3, tile=128).images
    assert "differ" not in caplog.text
    assert tiled.shape == whole.shape
    assert torch.allclose(tiled, whole, atol=1e-4)
    assert not torch.allclose(whole[0], whole[1], atol=1e-4) or " none " in name or model.generator.code_size < 9


def test_chunks_and_tiles_change_nothing_together() -> None:
    model = model_of("cimle field")
    whole = model.sample(squares(), n=3, seed=3).images
    assert torch.allclose(model.sample(squares(), n=3, seed=3, tile=112, chunk=2).images, whole, atol=1e-4)
    again = model.sample(squares(), n=1, seed=3, first=2, tile=112).images
    assert torch.allclose(again[0], whole[2], atol=1e-4)


def test_images_that_fit_into_a_tile_are_not_cut() -> None:
    model = model_of("basisgan")
    whole = model.sample(squares(), n=1).images
    assert torch.equal(model.sample(squares(), n=1, tile=256).images, whole)


def test_less_overlap_is_said_to_differ_and_fades(caplog: pytest.LogCaptureFixture) -> None:
    model = model_of("basisgan")
    whole = model.sample(squares(), n=1).images
    with caplog.at_level(logging.WARNING, "variegate"):
        tiled = model.sample(squares(), n=1, tile=96, overlap=16).images
    assert "this basisgan model needs an overlap of 56 for the same images" in caplog.text
    assert not torch.allclose(tiled, whole, atol=1e-3)
    centre = (..., slice(32, 40), slice(32, 40))  # as far from every border as the network reaches
    assert torch.allclose(tiled[centre], whole[centre], atol=1e-4)


def test_networks_that_see_all_of_the_image_are_blended_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    model = model_of("pix2pix input unet")
    with caplog.at_level(logging.WARNING, "variegate"):
        tiled = model.sample(squares(), n=1, tile=32).images
    assert "this pix2pix model sees more of the image at once than a tile of 32 pixels" in caplog.text
    assert tiled.shape == (1, 3, *SIZE)


def seams(model: Model, layout: Tensor, tile: int, overlap: int | None = None) -> tuple[float, float]:
    """How much what tiles change differs between neighbouring pixels: in the middle of overlaps, and elsewhere."""
    size = (layout.shape[1], layout.shape[2])
    drawn = model.sample(layout, n=2, seed=1, tile=tile, overlap=overlap).images
    changed = drawn - model.sample(layout, n=2, seed=1).images
    cuts = {window.columns.last for window in plan_for(model, size, tile, overlap).windows} - {size[1]}
    steps = (changed[..., 1:] - changed[..., :-1]).abs().mean(dim=(0, 1, 2))
    across = torch.zeros(len(steps), dtype=torch.bool)
    across[[cut - 1 for cut in cuts if cut < size[1]]] = True
    return float(steps[across].mean()), float(steps[~across].mean())


@pytest.mark.parametrize("name", ["flow", "flow earlier", "pix2pix none unet", "street"])
def test_blended_tiles_have_no_seam(name: str) -> None:
    model = variegate.load(name) if name == "street" else model_of(name)
    layout = Streets((32, 256), 1, split="test")[0][0] if name == "street" else squares((32, 128))
    tile = 64 if name == "street" else 32
    across, elsewhere = seams(model, layout, tile, overlap=tile // 2)
    assert across < 1.5 * elsewhere
    if name == "street":
        cut, around = seams(model, layout, tile, overlap=0)
        assert cut > 4 * around, "without overlap there is a seam to be seen"


def test_the_bundled_model_has_no_seam_and_no_other_colours() -> None:
    model = variegate.load("street")
    layout = Streets((64, 256), 1, split="test")[0][0]
    tiled = model.sample(layout, n=2, seed=3, tile=160)
    assert torch.allclose(tiled.images, model.sample(layout, n=2, seed=3).images, atol=1e-3)


def test_the_reach_is_as_far_as_a_pixel_changes_the_image() -> None:
    model = model_of("basisgan")
    reach = reach_of(model.generator, 4, 128)
    assert reach is not None
    base = torch.rand(1, 4, 16, 128)
    changed = base.clone()
    changed[..., :64] += torch.rand(64)
    code = model.codes(1)
    moved = (model.generator(base, code[None]) != model.generator(changed, code[None]))[0, 0].any(0).any(0)
    assert 64 < int(moved.nonzero().max()) + 1 <= 64 + reach
    assert reach_of(model.generator, 4, 16) is None, "the window is too small to tell"


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        ({"tile": 0}, "tile must be at least 1, got 0"),
        ({"tile": 64, "overlap": 64}, "overlap must be 0 or more, and less than the tile of 64, got 64"),
        ({"tile": 64, "overlap": -1}, "overlap must be 0 or more"),
        ({"overlap": 16}, "an overlap of 16 is one of tiles; give tile too"),
        ({"tile": 4}, "tiles of 4 pixels are too small for this basisgan model with an overlap of 2; give tile"),
        ({"tile": 64, "overlap": 62}, "tiles of 64 pixels are too small .* give tile 68 or more, or less overlap"),
    ],
)
def test_tiles_that_cannot_be_are_refused(drawing: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        model_of("basisgan").sample(squares(), n=1, **drawing)


def test_pixel_by_pixel_and_compiled_networks_are_refused() -> None:
    with pytest.raises(ConfigError, match="this gated-pixelcnn model makes each image as a whole, not in tiles"):
        model_of("gated pixelcnn").sample(squares(), n=1, tile=64)
    model = model_of("basisgan")
    model.generator.decode = model.generator.decode  # as `compile` does
    with pytest.raises(ConfigError, match="compiled networks cannot be run in tiles"):
        model.sample(squares(), n=1, tile=64)


def test_label_maps_are_encoded_one_window_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = model_of("basisgan"), []
    encode = Labels.encode

    def look(self: Labels, raw: Tensor) -> Tensor:
        assert raw.dtype == torch.uint8
        seen.append(raw.shape[-2:])
        return encode(self, raw)

    monkeypatch.setattr(Labels, "encode", look)
    model.sample(squares(), n=1, tile=96)
    assert len(COLOURS) == model.condition.channels
    assert max(max(shape) for shape in seen) <= 96
    assert len(seen) > 4


@pytest.mark.parametrize(("length", "tile", "overlap", "align"), [(206, 64, 16, 4), (100, 32, 24, 8), (97, 96, 0, 1)])
@pytest.mark.parametrize("fades", [False, True])
def test_windows_cover_every_pixel_and_their_shares_sum_to_one(
    length: int, tile: int, overlap: int, align: int, fades: bool
) -> None:
    windows, total = spans(length, tile, overlap, align, fades), torch.zeros(length)
    for window in windows:
        first, last = window.reach(length)
        assert window.start <= first < last <= window.end
        total[first:last] += window.shares(length)
        assert window.start % align == 0
        assert window.last % align == 0 or window.last == length
    assert torch.allclose(total, torch.ones(length))
    assert all(a.end - b.start >= overlap for a, b in pairwise(windows))


def test_windows_of_an_image_give_it_back() -> None:
    image, size = torch.rand(2, 3, 50, 70), (50, 70)
    for fades in (False, True):
        again, cover = torch.zeros_like(image), tiles(size, 24, 8, 2, fades)
        for tile in cover:
            add(again, tile, image[..., tile.rows.start : tile.rows.end, tile.columns.start : tile.columns.end])
        assert torch.allclose(again, image, atol=1e-6)
        assert passes(cover, size) > 1
