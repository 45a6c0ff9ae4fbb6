"""Memory does not grow with the number of images, beyond the images themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from helpers.variants import conditions, generator_of
from variegate.core import chunks
from variegate.core.chunks import CHUNK, Peak, at_once, parts_of
from variegate.core.sampling import decode_in_chunks
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
    assert [len(part) for part in parts_of(generator, codes, 128 * 128, CPU)] == [16, 16, 8]
    features = generator.encode(conditions("basisgan", 1, LARGE))

    def lengths(budget: int) -> list[int]:
        monkeypatch.setattr(chunks, "BUDGET", budget)
        found = []
        for part in parts_of(generator, codes[:20], LARGE[0] * LARGE[1], CPU):
            found.append(len(part))
            generator.decode_all(features, part[None])
        return found

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
