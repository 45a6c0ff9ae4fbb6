"""Memory does not grow with the number of images, beyond the images themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import _len_torch_dispatch_stack

from helpers.variants import conditions, generator_of, model_of
from variegate.core import chunks
from variegate.core.chunks import CHUNK, Peak, at_once, in_parts
from variegate.core.interfaces import Generator
from variegate.core.sampling import decode_in_chunks
from variegate.model import tile_plan
from variegate.model.samples import Samples

CPU = torch.device("cpu")
LARGE = (160, 160)


def test_the_peak_is_that_of_the_tensors_alive() -> None:
    x = torch.ones(1000)
    with Peak() as peak:
        y = x + 1
        y = y * 2
        view = y[:10]
        del y
        assert peak.alive == 4000, "a view keeps its tensor"
        del view
        (x - 1).neg_()
        torch.ones(5000)
    assert (peak.bytes, peak.alive) == (8000, 0), "two sums at a time, and nothing that is made from nothing"


def test_small_images_are_decoded_sixteen_at_a_time_and_large_ones_as_many_as_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = generator_of("basisgan")
    codes = generator.draw([(0, i) for i in range(40)])
    assert [len(part) for part in in_parts(generator, codes, 128 * 128, CPU, Tensor.clone)] == [16, 16, 8]
    features = generator.encode(conditions("basisgan", 1, LARGE))

    def lengths(budget: int) -> list[int]:
        monkeypatch.setattr(chunks, "BUDGET", budget)
        return [len(made) for made in in_parts(generator, codes[:20], LARGE[0] * LARGE[1], CPU, draw)]

    def draw(part: Tensor) -> Tensor:
        generator.decode_all(features, part[None])
        return part

    with torch.no_grad(), Peak() as alone:
        generator.decode_all(features, codes[None, :1])
    with torch.no_grad():
        for times in (3, 6):
            with Peak() as peak:
                found = lengths(times * alone.bytes)
            assert found[0] == 1
            assert 1 < found[1] <= times
            assert peak.bytes <= 1.25 * times * alone.bytes
        assert lengths(1) == [1] * 20
        assert lengths(2**40) == [1, 16, 3]
    assert at_once(Peak(), generator, CPU) == CHUNK


def test_nothing_is_counted_while_the_first_image_is_looked_at() -> None:
    generator, codes = generator_of("basisgan"), torch.zeros(3, 2)
    before, counted = _len_torch_dispatch_stack(), []

    def draw(part: Tensor) -> Tensor:
        counted.append(_len_torch_dispatch_stack() - before)
        return part + 1

    parts = in_parts(generator, codes, LARGE[0] * LARGE[1], CPU, draw)
    assert torch.equal(next(parts), codes[:1] + 1)
    assert _len_torch_dispatch_stack() == before, "whoever stops here leaves nothing behind"
    assert torch.equal(torch.cat(list(parts)), codes[1:] + 1)
    assert counted == [1, 0], "only the first image is drawn while tensors are counted"


def test_on_a_gpu_a_quarter_of_what_is_free_is_used_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, peak = generator_of("basisgan"), Peak()
    peak.bytes = 2**26
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**34))
    assert at_once(peak, generator, torch.device("cuda")) == 4, "64 MB each, of 1 GB that is free"
    assert at_once(peak, generator, CPU) == 8


def test_the_reach_of_a_network_is_found_once_for_a_side_of_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    model, found = model_of("munit"), []

    def reach_of(generator: Generator, channels: int, tile: int) -> int:
        found.append(tile)
        return 8

    monkeypatch.setattr(tile_plan, "reach_of", reach_of)
    plans = [tile_plan.plan_for(model, (128, 128), tile, 32) for tile in (64, 64, 96, 64)]
    assert found == [64, 96]
    assert plans[0] == plans[1] == plans[3] != plans[2]


def test_the_size_of_chunks_changes_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = generator_of("cimle field")
    condition, codes = conditions("cimle field", 2, LARGE), generator.draw([(0, i) for i in range(4)])
    together = decode_in_chunks(generator, condition, codes, chunk=4)
    monkeypatch.setattr(chunks, "BUDGET", 1)
    assert torch.allclose(decode_in_chunks(generator, condition, codes), together, atol=1e-5)


def test_what_is_alive_does_not_grow_with_the_number_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "BUDGET", 2**22)
    generator, condition = generator_of("pix2pix none resnet"), conditions("pix2pix none resnet", 1, LARGE)
    alive = []
    for n in (14, 40):
        with torch.no_grad(), Peak() as peak:
            images = decode_in_chunks(generator, condition, torch.zeros(n, 0))
        assert images.shape == (1, n, 3, *LARGE)
        alive.append(peak.bytes)
    assert alive[1] == pytest.approx(alive[0], rel=0.05)


def test_saving_holds_no_second_copy_of_all_images(tmp_path: Path) -> None:
    images = torch.rand(12, 3, 64, 64)
    out = Samples(images, torch.zeros(12, 2), None)
    with Peak() as peak:
        out.save(tmp_path)
    assert peak.bytes < 0.75 * images.numel() * 4, "bytes of all for the sheet, a quarter as large, and the sheet"
    assert torch.equal(out.bytes(), whole(images))


def whole(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)
