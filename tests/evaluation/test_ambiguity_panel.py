"""MR-GAN's figure: does each cell show what its title says, and are columns left out that nothing is known for?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import variegate
from variegate.cli import main
from variegate.core.images import heat, unit_to_uint8
from variegate.core.sampling import Moments
from variegate.evaluation.pages.contact_sheets import GAP, NARROWEST, SCALE, Ambiguity, panel
from variegate.runs.folder import RunFolder

pytestmark = pytest.mark.core

HEAD = 30


def plain(value: int, size: tuple[int, int] = (100, 90), colours: int = 3) -> Tensor:
    return torch.full((colours, *size), value, dtype=torch.uint8)


def moments(mean: float, deviation: float, size: tuple[int, int] = (100, 90)) -> Moments:
    return Moments(torch.full((3, *size), mean), torch.full(size, deviation))


def cell(page: Tensor, row: int, column: int, size: tuple[int, int] = (100, 90)) -> Tensor:
    top, left = HEAD + row * (size[0] + GAP), column * (size[1] + GAP)
    return page[:, top : top + size[0], left : left + size[1]]


def test_cells_are_in_the_order_of_the_paper_and_deviations_share_one_scale() -> None:
    by = {"predicted": moments(0.2, 0.4), "samples'": moments(0.6, 0.1)}
    other = {"predicted": moments(0.2, 0.1), "samples'": moments(0.6, 0.2)}
    page = panel(
        [
            Ambiguity(plain(10), plain(20), by, [plain(30), plain(40, colours=1)]),
            Ambiguity(plain(11), None, other, [plain(31)]),
        ]
    )
    assert page.shape == (3, HEAD + 2 * (100 + GAP) + SCALE, 8 * (90 + GAP) - GAP)
    for column, value in ((0, 10), (1, 20), (2, 51), (4, 153), (6, 30), (7, 40)):
        assert torch.equal(cell(page, 0, column), plain(value))
    for row, column, value in ((0, 3, 0.4), (0, 5, 0.1), (1, 3, 0.1), (1, 5, 0.2)):
        assert torch.equal(cell(page, row, column), heat(torch.full((100, 90), value), 0.4))
    assert torch.equal(cell(page, 1, 1), plain(255)), "no real image is known"
    assert torch.equal(cell(page, 1, 7), plain(255))
    for column in range(8):
        title = page[:, :HEAD, column * (90 + GAP) : (column + 1) * (90 + GAP) - GAP]
        assert (title < 128).any(), "every column has a title"
        below = page[:, -SCALE:, column * (90 + GAP) : (column + 1) * (90 + GAP) - GAP]
        assert bool((below < 128).any()) == (column in (3, 5)), "the scale is below the heat maps"


def test_columns_without_content_are_left_out_and_small_images_are_enlarged() -> None:
    page = panel([Ambiguity(None, None, {"predicted": moments(0.2, 0.4, (16, 16))}, [])])
    assert page.shape == (3, HEAD + NARROWEST + GAP + SCALE, 2 * (NARROWEST + GAP) - GAP)
    assert torch.equal(page[:, HEAD : HEAD + NARROWEST, :NARROWEST], plain(51, (NARROWEST, NARROWEST)))


def test_images_of_several_sizes_are_centred_in_cells_of_the_largest() -> None:
    small, large = {"samples'": moments(0.2, 0.4)}, {"samples'": moments(0.2, 0.4, (110, 120))}
    page = panel([Ambiguity(plain(10), None, small, []), Ambiguity(plain(10, (110, 120)), None, large, [])])
    first = cell(page, 0, 0, (110, 120))
    assert torch.equal(first[:, 5:105, 15:105], plain(10))
    assert bool((first[:, :5] == 255).all())
    assert bool((first[:, :, :15] == 255).all())


def test_the_verb_shows_real_images_of_items_alone_and_its_own_samples(tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--width", "4", "--objective.layers", "2", "--noise", "input", "--steps", "1", "--batch-size", "2"]
    main(["train", "pix2pix", "--data", "streets:20", "--size", "32", *options, "--quiet", "--out", str(run)])
    main(["moments", str(run), "test:0", "-n", "3", "--out", str(tmp_path / "item")])
    page = torch.from_numpy(np.asarray(Image.open(tmp_path / "item" / "panel.png")).copy()).permute(2, 0, 1)
    raw, real = RunFolder(run).pairs("test").raw(0)
    model = variegate.load(run)
    shown = [model.condition.to_image(raw), real, None, None, *unit_to_uint8(model.sample(raw, n=3).images)]
    assert page.shape[-1] == 7 * (96 + GAP) - GAP
    for column, image in enumerate(shown):
        if image is not None:
            assert torch.equal(cell(page, 0, column, (96, 96))[:, 1::3, 1::3], image)
    Image.fromarray(raw[0].numpy()).save(tmp_path / "layout.png")
    main(["moments", str(run), str(tmp_path / "layout.png"), "-n", "3", "--out", str(tmp_path / "file")])
    assert Image.open(tmp_path / "file" / "panel.png").width == 6 * (96 + GAP) - GAP
