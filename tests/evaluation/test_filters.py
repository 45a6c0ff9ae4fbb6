"""The spectrum of sampled filters, against numpy, and the command that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from variegate.cli.dispatch import dispatch
from variegate.core.errors import ConfigError
from variegate.evaluation.filters import Filters, sampled_filters, spectrum
from variegate.model.model import Model
from variegate.randomness.basis_filters import BasisConv, BasisFiltersConfig
from variegate.randomness.whole_filters import WholeConv


@pytest.mark.parametrize("transposed", [False, True])
def test_the_spectrum_is_that_of_the_papers_matrix(transposed: bool) -> None:
    torch.manual_seed(0)
    layer = WholeConv(2, 3, 8, 8, slice(0, 8), kernel_size=3, transposed=transposed)
    codes = torch.randn(5, 8)
    stack = layer.filters(codes).detach().double().numpy()  # (N, C', C, L, L)
    matrix = stack.transpose(0, 3, 4, 1, 2).reshape(5 * 9, -1)
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    np.testing.assert_allclose(spectrum(layer, codes).detach(), squares / squares.sum(), rtol=1e-6, atol=1e-9)


def test_filters_of_k_bases_have_at_most_k_dimensions() -> None:
    torch.manual_seed(0)
    layer = BasisConv(6, 5, BasisFiltersConfig(bases=3, latent=16), slice(0, 16), kernel_size=3)
    shares = spectrum(layer, torch.randn(20, 16)).detach()
    assert float(shares[:3].sum()) == pytest.approx(1)
    assert Filters("layer", torch.zeros(1, 3, 3, 3), shares).rank <= 3.001
    assert Filters("layer", torch.zeros(1, 3, 3, 3), torch.full((8,), 1 / 8)).rank == pytest.approx(8)


@pytest.mark.parametrize("method", ["basisgan", "filtergan"])
def test_the_command_writes_a_picture_and_the_numbers(method: str, tmp_path: Path) -> None:
    small = ["--width", "4", "--blocks", "2", "--objective.layers", "1", "--batch-size", "2", "--steps", "1", "--quiet"]
    run = tmp_path / "run"
    dispatch(["train", method, "--data", "streets:20", "--size", "16", "--out", str(run), "--device", "cpu", *small])
    dispatch(["filters", str(run)])
    numbers = json.loads((run / "filters" / "filters.json").read_text())["layers"]
    assert [name.split(".")[-2] for name in numbers] == ["block1", "block2"]
    assert all(layer["effective_rank"] >= 1 for layer in numbers.values())
    assert Image.open(run / "filters" / "filters.png").width > 300


def test_a_model_without_sampled_filters_is_refused(tmp_path: Path) -> None:
    small = ["--width", "4", "--objective.layers", "1", "--batch-size", "2", "--steps", "1", "--quiet"]
    run = tmp_path / "run"
    dispatch(["train", "pix2pix", "--data", "streets:20", "--size", "32", "--out", str(run), "--device", "cpu", *small])
    with pytest.raises(ConfigError, match="this pix2pix model has no sampled filters; give a run of basisgan"):
        sampled_filters(Model.load(run))
