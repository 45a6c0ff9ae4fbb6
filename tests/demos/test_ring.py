"""The ring of MR-GAN's appendix C: what is drawn, what is counted, what each term can and cannot see."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageColor
from torch import Tensor

from variegate.core.errors import ConfigError
from variegate.demos import ring as toy
from variegate.demos.ring import SETTINGS, VARIANTS, Perceptrons, Variant
from variegate.losses.moments import Family, Moments

NAMES = ["GAN", "GAN + L2"] + [
    f"{term}, {family}" for family in ("Gaussian", "Laplace") for term in ("MR1", "MR2", "proxy MR1", "proxy MR2")
]
NOTHING = Moments(torch.zeros(1, 2, 1, 1), torch.ones(1, 2, 1, 1))
ROWS = [["real", 0, 1, None], [2, 3, 4, 5], [6, 7, 8, 9]]  # which variant is in which cell of the image


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draws(conditions: int = 8, count: int = 32) -> tuple[Tensor, Tensor]:
    """Real points (B, 2, 1, 1) and samples (B, S, 2, 1, 1)."""
    real = toy.ring_points(conditions, rng(1)).view(-1, 2, 1, 1)
    return real, torch.randn(conditions, count, 2, 1, 1, generator=rng(2))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ring") / "not" / "there"
    toy.ring(out, seed=3, quick=True)
    return out


def test_json_holds_every_variant_its_counts_and_how_they_were_made(made: Path) -> None:
    content = json.loads((made / "ring.json").read_text())
    assert list(content["variants"]) == NAMES
    for row in content["variants"].values():
        assert set(row) == {"modes", "precision", "seconds"}
        assert 0 <= row["modes"] <= 8
        assert 0 <= row["precision"] <= 1
    assert content["real"]["modes"] == 8
    assert content["seed"] == 3
    assert content["settings"]["steps"] == 20
    assert {"weight", "width", "deviation", "generator_rate", "discriminator_rate"} <= set(content["settings"])
    assert "1/32" in content["definition"]
    assert set(content["versions"]) == {"variegate", "torch"}


def test_image_has_a_panel_for_the_real_data_and_each_variant_in_the_colour_of_its_family() -> None:
    """Every variant is given real points, so that its samples and circles must show in its own cell."""
    real = toy.ring_points(2000, rng())
    page = toy.image(real, real.expand(len(VARIANTS), -1, -1), 0, 1)
    palette = {ImageColor.getrgb(colour) for colour in toy.COLOURS.values()}
    for row, places in enumerate(ROWS):
        for column, place in enumerate(places):
            left, top = toy.GAP + column * toy.SIDE, toy.GAP + row * (toy.SIDE + toy.HEAD)
            cell = page.crop((left, top, left + toy.SIDE - toy.GAP, top + toy.SIDE + toy.HEAD - toy.GAP))
            seen = {colour for _, colour in cell.getcolors(2**20) or []}
            own = {ImageColor.getrgb(toy.COLOURS[VARIANTS[place].family])} if isinstance(place, int) else set()
            assert seen & palette == own
            framed = page.getpixel((left, top + toy.HEAD)) == ImageColor.getrgb(toy.FRAME)
            assert framed == (place is not None)


def test_samples_out_of_sight_stay_inside_their_panel() -> None:
    real = toy.ring_points(200, rng())
    away = torch.linspace(-30, 30, 500).unsqueeze(1) * torch.ones(1, 2)
    blank, lost = (
        Image.new("RGB", ((4 * toy.SIDE - toy.GAP) * toy.FINE, (toy.SIDE + toy.HEAD) * toy.FINE), toy.PAPER)
        for _ in range(2)
    )
    toy.panel(lost, 1, "", real, away, "#d55e00")
    for place in (0, 2):  # the neighbours
        box = tuple(toy.FINE * x for x in (place * toy.SIDE, 0, (place + 1) * toy.SIDE - toy.GAP, toy.SIDE))
        assert lost.crop(box).tobytes() == blank.crop(box).tobytes()


def test_written_image_is_the_one_of_the_seed(made: Path) -> None:
    samples, real = toy.train(VARIANTS, 3, 20), toy.ring_points(2000, rng(3))
    with Image.open(made / "ring.png") as written:
        assert written.tobytes() == toy.image(real, samples, 3, 20).tobytes()


def test_same_seed_same_samples_other_seed_other_samples() -> None:
    torch.manual_seed(1)
    first = toy.train(VARIANTS, 0, 5)
    torch.manual_seed(2)  # the global generator has no part in it
    assert torch.equal(first, toy.train(VARIANTS, 0, 5))
    assert not torch.equal(first, toy.train(VARIANTS, 1, 5))


def test_no_steps_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="steps must be at least 1, got 0"):
        toy.ring(tmp_path / "ring", steps=0)
    assert not (tmp_path / "ring").exists()


def test_real_points_have_the_stated_statistics() -> None:
    points = toy.ring_points(100_000, rng())
    nearest = torch.cdist(points, toy.centres()).argmin(dim=1)
    assert torch.bincount(nearest) / len(points) == pytest.approx(torch.full((8,), 1 / 8), abs=0.005)
    around = points - toy.centres()[nearest]
    assert around.std(dim=0) == pytest.approx(torch.full((2,), SETTINGS.deviation), rel=0.02)
    assert points.mean(dim=0) == pytest.approx(torch.zeros(2), abs=0.01)
    assert points.var(dim=0) == pytest.approx(torch.full((2,), 0.5 + SETTINGS.deviation**2), rel=0.01)


def test_centres_are_eight_equally_spaced_points_of_the_unit_circle() -> None:
    centres = toy.centres()
    assert centres.norm(dim=1) == pytest.approx(torch.ones(8))
    assert (centres - centres.roll(1, dims=0)).norm(dim=1) == pytest.approx(torch.full((8,), 2 * math.sin(math.pi / 8)))


def test_modes_are_counted() -> None:
    assert toy.coverage(toy.ring_points(2000, rng())).modes == 8
    assert toy.coverage(toy.centres()) == (8, 1.0)
    assert toy.coverage(toy.centres()[:1].expand(2000, 2)) == (1, 1.0)
    assert toy.coverage(torch.full((2000, 2), 9.0)) == (0, 0.0)
    assert toy.coverage(torch.zeros(2000, 2)) == (0, 0.0)  # the mean of the data is no mode


@pytest.mark.parametrize(("few", "modes"), [(62, 1), (63, 2)])
def test_a_mode_needs_a_quarter_of_its_fair_share(few: int, modes: int) -> None:
    """2000 / 32 = 62.5 samples."""
    centres = toy.centres()
    points = torch.cat([centres[:1].expand(2000 - few, 2), centres[4:5].expand(few, 2)])
    assert toy.coverage(points) == (modes, 1.0)


@pytest.mark.parametrize(("distance", "expected"), [(2.99, (1, 1.0)), (3.01, (0, 0.0))])
def test_a_point_is_on_a_mode_within_three_deviations(distance: float, expected: tuple[int, float]) -> None:
    away = toy.centres()[:1] + torch.tensor([[distance * SETTINGS.deviation, 0.0]])
    assert toy.coverage(away) == expected


def test_real_points_are_on_a_mode_as_often_as_a_gaussian_is_within_three_deviations() -> None:
    assert toy.coverage(toy.ring_points(100_000, rng())).precision == pytest.approx(1 - math.exp(-4.5), abs=0.002)


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_predictor_finds_the_moments_of_the_points_themselves(family: Family) -> None:
    points = toy.ring_points(8192, rng()) + torch.tensor([0.3, -0.2])
    found = toy.predict(family, points)
    if family == "gaussian":
        centre, dispersion = points.mean(dim=0), points.var(dim=0)
    else:
        centre = points.median(dim=0).values
        dispersion = (points - centre).abs().mean(dim=0)
    assert found.dispersion is not None
    assert found.centre.flatten() == pytest.approx(centre, abs=0.01)
    assert found.dispersion.flatten() == pytest.approx(dispersion, rel=0.02)
    assert not found.centre.requires_grad


def test_mr1_moves_all_samples_of_a_condition_alike_and_does_not_see_their_spread() -> None:
    real, samples = draws()
    samples.requires_grad_()
    term = toy.extra_term(Variant("MR1", "gaussian"), real, samples, NOTHING)
    (gradient,) = torch.autograd.grad(term, samples)
    torch.testing.assert_close(gradient, gradient[:, :1].expand_as(gradient))
    torch.testing.assert_close(gradient[:, 0], (samples.mean(dim=1) - real) * 2 / samples.numel())
    wider = samples.mean(dim=1, keepdim=True) + 3 * (samples - samples.mean(dim=1, keepdim=True))
    torch.testing.assert_close(toy.extra_term(Variant("MR1", "gaussian"), real, wider, NOTHING), term)


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_proxy_mr1_reads_the_predicted_centre_only_and_proxy_mr2_the_dispersion_too(family: Family) -> None:
    real, samples = draws()
    wide = Moments(NOTHING.centre, 5 * torch.ones(1, 2, 1, 1))
    other = Moments(NOTHING.centre + 1, NOTHING.dispersion)
    values = {
        term: [float(toy.extra_term(Variant(term, family), real, samples, given)) for given in (NOTHING, wide, other)]
        for term in ("proxy MR1", "proxy MR2")
    }
    plain, with_wide, with_other = values["proxy MR1"]
    assert plain == with_wide != with_other
    assert len(set(values["proxy MR2"])) == 3


@pytest.mark.parametrize("variant", [v for v in VARIANTS if not v.term.startswith("proxy")], ids=lambda v: v.name)
def test_only_the_proxy_variants_read_the_prediction(variant: Variant) -> None:
    real, samples = draws()
    far = Moments(NOTHING.centre + 9, NOTHING.centre + 9)
    assert toy.extra_term(variant, real, samples, NOTHING) == toy.extra_term(variant, real, samples, far)


def test_l2_pulls_every_sample_to_its_point_and_a_gan_has_no_term() -> None:
    real, samples = draws()
    same = real.unsqueeze(1).expand_as(samples)
    assert toy.extra_term(Variant("L2"), real, same, NOTHING) == 0
    assert toy.extra_term(Variant("L2"), real, samples, NOTHING) > 0
    assert toy.extra_term(Variant("none"), real, samples, NOTHING) == 0


@pytest.mark.parametrize("place", [0, 1, 3, 8])
def test_a_variant_learns_beside_the_others_as_it_would_alone(place: int) -> None:
    together, alone = toy.train(VARIANTS, 0, 10), toy.train(VARIANTS[place : place + 1], 0, 10)
    torch.testing.assert_close(together[place], alone[0], rtol=1e-3, atol=1e-4)


def test_variants_start_alike_and_part_by_their_terms() -> None:
    start = toy.train(VARIANTS, 0, 0)
    torch.testing.assert_close(start, start[:1].expand_as(start))
    later = toy.train(VARIANTS, 0, 10)
    apart = torch.cdist(later.flatten(1), later.flatten(1)) + torch.eye(len(VARIANTS))
    assert float(apart.min()) > 1e-3


def test_perceptrons_are_three_linear_layers_with_relu_between() -> None:
    net = Perceptrons(2, (3, 5, 5, 1), rng())
    points = torch.randn(7, 3, generator=rng(1))
    for which, found in enumerate(net(points)):
        expected = points
        for layer, (weight, bias) in enumerate(zip(net.weights, net.biases)):
            expected = (expected.relu() if layer else expected) @ weight[which] + bias[which]
        torch.testing.assert_close(found, expected)


@pytest.mark.slow
def test_moment_reconstruction_covers_the_ring_where_a_gan_and_a_gan_with_l2_do_not(tmp_path: Path) -> None:
    """The claim of appendix C, for one seed; about a minute."""
    modes = {name: row["modes"] for name, row in toy.ring(tmp_path)["variants"].items()}
    assert max(modes.pop("GAN"), modes.pop("GAN + L2")) <= 2
    assert set(modes.values()) == {8}
