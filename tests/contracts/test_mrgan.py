"""MR-GAN's objective and predictor: what is compared with what, who moves when, and what is refused."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.distributions import Laplace, Normal

import variegate
from helpers.tiny import drawing, photo, save
from variegate.cli.dispatch import dispatch
from variegate.core.errors import ConfigError, DataError
from variegate.core.interfaces import Batch, Generator, Objective, Shapes
from variegate.data.conditions import Labels
from variegate.evaluation.doctor.diagnosis import diagnose
from variegate.evaluation.metrics.condition_use import conditions_for, costs, hidden_values
from variegate.generators.moment_predictor import MomentPredictor
from variegate.losses import moments as m
from variegate.methods import method
from variegate.objectives.moment_reconstruction import mean_inside
from variegate.runs.folder import RunFolder
from variegate.training.panel import Panel

SIZE, CHANNELS = (16, 16), 4
TINY = {"width": 4, "objective.layers": 1, "objective.samples": 4, "batch_size": 4}


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def made(name: str = "mrgan", channels: int = CHANNELS, **options: Any) -> tuple[Generator, Objective]:
    torch.manual_seed(3)
    chosen = method(name, {**TINY, **options})
    generator, objective = (
        chosen.build_generator(Shapes(channels, 3, SIZE)),
        chosen.build_objective(Shapes(channels, 3, SIZE)),
    )
    return generator.train(), objective.train()


def batch(count: int = 4, channels: int = CHANNELS) -> Batch:
    stream = torch.Generator().manual_seed(1)
    condition = torch.rand(count, channels, *SIZE, generator=stream) * 2 - 1
    condition[:, -1] = -1
    condition[:, -1, 4:10, 3:12] = 1
    image = torch.rand(count, 3, *SIZE, generator=stream) * 2 - 1
    return Batch(condition, image, torch.arange(count), torch.arange(count) + 7)


def drawn(generator: Generator, given: Batch, samples: int) -> Tensor:
    with torch.no_grad():
        return generator(given.condition[:2], generator.draw_for(given.key[:2], samples))


def terms_of(objective: Objective, generator: Generator, given: Batch, step: int = 0) -> dict[str, Tensor]:
    *_, last = objective.updates(generator, given, step)
    return dict(last["generator"])


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
@pytest.mark.parametrize("moments", [1, 2])
@pytest.mark.parametrize("proxy", [True, False])
def test_each_of_the_eight_variants_is_its_own_equation(family: m.Family, moments: int, proxy: bool) -> None:
    options = {"family": family, "moments": moments, "proxy": proxy}
    generator, objective = made(**options, **{"objective.first": 3, "objective.second": 5})
    given = batch()
    terms = terms_of(objective, generator, given)
    samples, image = drawn(generator, given, 4), given.image[:2]
    centre, dispersion = m.moments(family, samples)
    if proxy:
        assert isinstance(objective.predictor, MomentPredictor)
        with torch.no_grad():
            wanted, log_dispersion = objective.predictor.moments(given.condition[:2])
        expected = {"moment1": 3 * (wanted - centre).square().mean()}
        if moments == 2:
            expected["moment2"] = 5 * (log_dispersion.exp() - dispersion).square().mean()
    elif moments == 1:
        error = image - centre
        expected = {"moment1": 3 * (error.square() if family == "gaussian" else error.abs()).mean()}
    else:
        scale = dispersion.sqrt() if family == "gaussian" else dispersion
        density = (Normal if family == "gaussian" else Laplace)(centre, scale).log_prob(image)
        constant = math.log(2 * math.pi) / 2 if family == "gaussian" else math.log(2)
        expected = {"moments": 3 * (-density - constant).mean()}
    assert set(terms) == {*expected, "adversarial"}
    for name, value in expected.items():
        torch.testing.assert_close(terms[name].detach(), value, rtol=1e-3, atol=1e-4)


def test_the_gan_term_judges_all_samples_with_their_condition() -> None:
    generator, objective = made(proxy=False, **{"objective.adversarial": 2})
    given = batch()
    term = terms_of(objective, generator, given)["adversarial"]
    samples = drawn(generator, given, 4).flatten(0, 1)
    with torch.no_grad():
        logits = objective.discriminator(given.condition[:2].repeat_interleave(4, 0), samples)[0][-1]
    torch.testing.assert_close(term.detach(), 2 * nn.functional.softplus(-logits).mean(), rtol=1e-4, atol=1e-5)


def test_the_discriminator_moves_once_in_several_batches_and_not_at_all_without_weight() -> None:
    generator, objective = made("srgan", 3)
    moves = [[*player] for step in range(6) for player in objective.updates(generator, batch(4, 3), step)]
    assert moves == [["discriminator"], *[["generator"]] * 5, ["discriminator"], ["generator"]]
    generator, objective = made(proxy=False, **{"objective.adversarial": 0})
    assert [[*player] for player in objective.updates(generator, batch(), 0)] == [["generator"]]
    assert set(objective.players(generator)) == {"generator"}


def test_generator_and_discriminator_may_learn_alone_at_first() -> None:
    generator, objective = made(
        "mrgan", proxy=False, **{"objective.alone": 2, "objective.judging": 1, "objective.generator_steps": 3}
    )
    players = [[name for losses in objective.updates(generator, batch(), step) for name in losses] for step in range(4)]
    assert players == [["generator"], ["generator"], ["discriminator"], ["discriminator", "generator"]]
    alone, together = (
        next(losses["generator"] for losses in objective.updates(generator, batch(), step) if "generator" in losses)
        for step in (1, 3)
    )
    assert set(together) - set(alone) == {"adversarial"}


def test_holes_count_alone_for_moments_and_the_whole_image_for_plain_reconstruction() -> None:
    values = torch.arange(24.0).view(1, 3, 2, 4)
    hole = torch.zeros(1, 1, 2, 4)
    hole[..., 1, 2:] = 1
    assert float(mean_inside(values, hole)) == float(values[..., 1, 2:].mean())
    assert float(mean_inside(values, None)) == float(values.mean())
    generator, objective = made("glcic")
    given = batch()
    terms = terms_of(objective, generator, given)
    with torch.no_grad():
        samples = generator(given.condition, generator.draw_for(given.key, 4))
    expected = 25 * (samples - given.image.unsqueeze(1)).square().mean()
    torch.testing.assert_close(terms["l2"].detach(), expected)


def test_a_local_discriminator_compares_only_the_box_around_the_hole() -> None:
    generator, objective = made(
        "mrgan-inpainting", **{"objective.discriminator": "local", "objective.generator_steps": 1}
    )
    given = batch()
    judged, _ = [losses for losses in objective.updates(generator, given, 0)]
    outside = given._replace(image=given.image.clone())
    outside.image[..., 12:] = 0.5  # holes are in columns 3 to 12, their boxes in 3 to 11
    assert torch.equal(
        next(objective.updates(generator, outside, 0))["discriminator"]["adversarial"],
        judged["discriminator"]["adversarial"],
    )
    outside.image[..., 5] = 0.5
    assert not torch.equal(
        next(objective.updates(generator, outside, 0))["discriminator"]["adversarial"],
        judged["discriminator"]["adversarial"],
    )


def test_the_predictor_is_no_player_and_stays_in_eval_mode() -> None:
    generator, objective = made()
    owned = {id(p) for player in objective.players(generator).values() for p in player}
    assert objective.predictor is not None
    assert not any(id(p) in owned or p.requires_grad for p in objective.predictor.parameters())
    assert objective.training
    assert not objective.predictor.training
    before = {k: v.clone() for k, v in objective.predictor.state_dict().items()}
    sum(terms_of(objective, generator, batch()).values()).backward()
    assert all(torch.equal(before[k], v) for k, v in objective.predictor.state_dict().items())
    assert any(name.startswith("predictor.") for name in objective.state_dict()), "a resumed run needs it"


def test_networks_are_as_large_as_the_papers() -> None:
    with torch.device("meta"):
        chosen = method("mrgan")
        size = (256, 256)
        assert parameters(chosen.build_generator(Shapes(3, 3, size))) == 55_201_475
        objective = chosen.build_objective(Shapes(3, 3, size))
        assert parameters(objective.discriminator) == 2_768_705
        assert parameters(objective.predictor) == 54_421_190
        superres, inpainting = method("mrgan-superres"), method("mrgan-inpainting")
        assert parameters(superres.build_generator(Shapes(3, 3, (64, 64)))) == 826_252
        assert parameters(superres.build_objective(Shapes(3, 3, (64, 64))).discriminator) == 5_215_425
        assert parameters(superres.build_objective(Shapes(3, 3, (64, 64))).predictor) == 749_647
        assert parameters(inpainting.build_generator(Shapes(4, 3, (128, 128)))) == 6_293_315
        assert parameters(inpainting.build_objective(Shapes(4, 3, (128, 128))).discriminator) == 32_480_769
        assert parameters(inpainting.build_objective(Shapes(4, 3, (128, 128))).predictor) == 6_072_998


def test_noise_enters_the_decoder_at_its_three_smallest_sizes_whatever_the_image() -> None:
    for side, depth in ((256, 8), (64, 6), (32, 5)):
        with torch.device("meta"):
            generator = method("mrgan", {"width": 2}).build_generator(Shapes(3, 3, (side, side)))
        assert generator.randomness.sites == {f"up{depth}", f"up{depth - 1}", f"up{depth - 2}"}
        assert generator.code_size == 32 * (1 + 4 + 16)


WEIGHTS = {  # dataset, family: MR1, MR2, proxy MR1, proxy MR2
    ("cityscapes", "gaussian"): (10, 10, 10, 10),
    ("cityscapes", "laplace"): (10, 10, 1, 1),
    ("maps", "gaussian"): (100, 10, 300, 1000),
    ("maps", "laplace"): (10, 1, 10, 10),
    ("superres", "gaussian"): (20, 20, 2400, 2400),
    ("superres", "laplace"): (30, 30, 2400, 2400),
}


@pytest.mark.parametrize(("table", "family"), WEIGHTS)
def test_weights_are_the_published_ones(table: str, family: str) -> None:
    kinds = [(1, False), (2, False), (1, True), (2, True)]
    for (moments, proxy), weight in zip(kinds, WEIGHTS[table, family]):
        options = {"moments": moments, "family": family, "proxy": proxy}
        if table == "superres":
            objective = method("mrgan-superres", options).objective
            assert objective.samples == (12 if proxy else 24)
            assert objective.min_noise == (1e-4 if (family, proxy) == ("gaussian", False) else 0.01)
        else:
            objective = method("mrgan", {**options, "dataset": table}).objective
            assert objective.samples == 10
        assert (objective.first, objective.second) == (weight, weight)


@pytest.mark.parametrize("proxy", [True, False])
def test_without_moments_it_is_the_baseline_with_noise_and_no_predictor(proxy: bool) -> None:
    """What the released code calls base, with the network and the noise of the method itself."""
    options = {"moments": 0, "proxy": proxy}
    found = method("mrgan", options)
    own = found.objective
    assert (own.reconstruction, own.distance, own.samples, own.share, own.adversarial) == (100, "l1", 1, 1, 1)
    assert (found.generator, found.randomness) == (method("mrgan").generator, method("mrgan").randomness)
    assert method("mrgan", {**options, "dataset": "maps"}).objective == own
    for name, other in (("mrgan-superres", "srgan"), ("mrgan-inpainting", "glcic")):
        one, two = method(name, options), method(other, {"noise": "input"})
        for part in ("objective", "generator", "randomness", "training", "derived"):
            assert getattr(one, part) == getattr(two, part)
        assert one.previous is None
    assert found.previous is None


def test_the_baseline_learns_from_one_sample_without_moments() -> None:
    (generator, objective), given = made(moments=0, **{"objective.samples": 1}), batch()
    terms = terms_of(objective, generator, given)
    assert set(terms) == {"l1", "adversarial"}
    fakes = generator(given.condition, generator.draw_for(given.key, 1))
    torch.testing.assert_close(terms["l1"], 100 * (fakes[:, 0] - given.image).abs().mean())


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_the_weights_of_inpainting_are_those_of_images_in_0_to_1(family: m.Family) -> None:
    """1000 and 1000 times errors in [0, 1], divided by pixels alone while they are summed over 3 colours."""
    objective = method("mrgan-inpainting", {"family": family}).objective
    stream = torch.Generator().manual_seed(0)
    samples, centre = torch.rand(1, 6, 3, 4, 4, generator=stream), torch.rand(1, 3, 4, 4, generator=stream)
    dispersion = centre / 10
    first, second = m.proxy_reconstruction(family, m.Moments(centre, dispersion), samples)
    paper = 1000 * (first + second).sum() / 16
    scale = 4 if family == "gaussian" else 2  # of a variance, of a deviation
    first, second = m.proxy_reconstruction(family, m.Moments(centre * 2, dispersion * scale), samples * 2)
    torch.testing.assert_close(objective.first * first.mean() + objective.second * second.mean(), paper)


def predictor(family: str) -> MomentPredictor:
    torch.manual_seed(0)
    generator = method("moment-predictor", {"width": 4, "family": family}).build_generator(Shapes(CHANNELS, 3, SIZE))
    assert isinstance(generator, MomentPredictor)
    return generator.eval().requires_grad_(False)


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_the_predictors_likelihood_and_samples_are_those_of_its_distribution(family: str) -> None:
    generator, given = predictor(family), batch(1)
    centre, log_dispersion = generator.moments(given.condition)
    scale = (log_dispersion / 2).exp() if family == "gaussian" else log_dispersion.exp()
    reference = (Normal if family == "gaussian" else Laplace)(centre, scale)
    expected = reference.log_prob(given.image).sum(dim=(1, 2, 3))
    torch.testing.assert_close(generator.log_prob(given.condition, given.image), expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(generator.deviation(given.condition), reference.stddev)
    images = generator(given.condition, generator.draw([(0, i) for i in range(4000)]).unsqueeze(0))[0]
    error = (images.mean(dim=0) - centre[0]) / reference.stddev[0]
    assert float(error.abs().max()) < 5 / math.sqrt(4000)
    torch.testing.assert_close(images.std(dim=0), reference.stddev[0], rtol=0.15, atol=0)


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_what_training_adds_to_errors_is_left_out_of_the_dispersion_shown_drawn_and_matched(family: m.Family) -> None:
    generator, objective = made("mrgan-inpainting", family=family, **{"previous.objective.min_noise": 1.16})
    given, found = batch(), objective.predictor
    assert isinstance(found, MomentPredictor)
    centre, log_dispersion = found.moments(given.condition)
    hole = (given.condition[:, -1:] > 0).expand_as(centre)
    left = (log_dispersion[hole].exp() - 1.16).clamp(min=0)
    assert 0 < float((left == 0).float().mean()) < 1, "it may be less than nothing"
    expected = left.sqrt() if family == "gaussian" else left * math.sqrt(2)
    torch.testing.assert_close(found.deviation(given.condition)[hole], expected)
    images = found(given.condition[:1], found.draw([(0, i) for i in range(4000)]).unsqueeze(0))[0]
    spread, first = images.std(dim=0)[hole[0]], expected[: int(hole[0].sum())]
    torch.testing.assert_close(spread, first, rtol=0.15, atol=1e-4)

    terms, samples = terms_of(objective, generator, given), drawn(generator, given, 4)
    assert objective.config.samples == 4
    error = left[: 2 * int(hole[0].sum())] - m.moments(family, samples).dispersion[hole[:2]]
    expected = objective.config.second * error.square().mean()
    torch.testing.assert_close(terms["moment2"].detach(), expected, rtol=1e-3, atol=1e-4)

    density = (
        Normal(centre, (log_dispersion / 2).exp()) if family == "gaussian" else Laplace(centre, log_dispersion.exp())
    )
    trained = (density.log_prob(given.image) * hole).sum(dim=(1, 2, 3))
    torch.testing.assert_close(found.log_prob(given.condition, given.image), trained, rtol=1e-4, atol=1e-3)


def test_older_predictors_leave_nothing_out_and_a_new_training_of_them_does() -> None:
    options = {"width": 4, "task": "superres"}
    new, other = (method("moment-predictor", options).build_generator(Shapes(3, 3, SIZE)).eval() for _ in range(2))
    assert isinstance(new, MomentPredictor)
    assert isinstance(other, MomentPredictor)
    older = {name: value for name, value in other.state_dict().items() if name != "min_noise"}
    new.load_state_dict(new.adopt(dict(older)))
    assert float(new.min_noise) == pytest.approx(0.01)
    new.load_state_dict(older)
    assert float(new.min_noise) == 0
    condition = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        torch.testing.assert_close(new.deviation(condition), (new.moments(condition)[1] / 2).exp())
        wide, narrow = new.deviation(condition).square(), other.deviation(condition).square()
    torch.testing.assert_close(wide - narrow, torch.full_like(wide, 0.01), rtol=1e-3, atol=1e-5)


@torch.no_grad()
def scramble(module: nn.Module) -> None:
    """Weights and statistics that look trained, so that none can stand in for another."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point():
            tensor.add_(torch.randn_like(tensor) * (0.3 if tensor.ndim < 2 else 0.03))


LATENT = {"randomness": {"kind": "latent", "sites": ["up*"], "size": 3}}


@pytest.mark.parametrize(
    ("name", "side", "options"),
    [
        ("mrgan", 16, {}),
        ("mrgan", 8, {"family": "laplace"}),  # noise enters the last layer, too
        ("mrgan", 16, LATENT),
        ("mrgan-superres", 16, {"residual": True}),
        ("mrgan-superres", 16, {"randomness.sites": ["inner", "outer"]}),
        ("mrgan-inpainting", 16, {}),
    ],
)
def test_a_generator_that_starts_from_its_predictor_draws_the_centre(
    name: str, side: int, options: dict[str, Any]
) -> None:
    torch.manual_seed(5)
    chosen, shapes = (
        method(name, {**TINY, "from_predictor": True, **options}),
        Shapes(3 + (name == "mrgan-inpainting"), 3, (side, side)),
    )
    generator, predictor = chosen.build_generator(shapes).eval(), chosen.build_objective(shapes).predictor
    assert isinstance(predictor, MomentPredictor)
    scramble(predictor)
    weights = predictor.centre_weights(generator.state_dict())
    generator.load_state_dict(weights)
    given = torch.rand(2, shapes.condition_channels, side, side) * 2 - 1
    with torch.no_grad():
        centre, _ = predictor.moments(given)
        silent = generator(given, torch.zeros(2, 1, generator.code_size))[:, 0]
        images = generator(given, generator.draw_for(torch.arange(2), 32))
    torch.testing.assert_close(silent, centre, rtol=1e-4, atol=1e-5)
    assert float((images.mean(dim=1) - centre).abs().max()) < 1 / 127.5, "the same, to a level of 8 bits"
    assert float(images.std(dim=1).mean()) > 0, "noise is heard, or no gradient would tell samples apart"


def refused(sentence: str, name: str = "mrgan", **options: Any) -> None:
    with pytest.raises(ConfigError, match=sentence):
        method(name, {**TINY, **options})


def test_what_cannot_work_is_refused_in_a_sentence() -> None:
    refused("objective.samples is 1, but one sample has no variance", **{"objective.samples": 1})
    assert method("mrgan", {"moments": 1, "objective.samples": 1}).objective.samples == 1
    refused("moments need samples that differ", "srgan", **{"objective.moments": 1})
    refused("proxy moments need a predictor", proxy=False, **{"objective.proxy": True})
    refused("the predictor's family is gaussian, but objective.family is laplace", **{"objective.family": "laplace"})
    refused("raise training.batch_size", batch_size=2)
    refused("raise training.batch_size", **{"previous.training.batch_size": 1})
    refused("raise training.batch_size", "srgan", batch_size=1)
    refused("never used; give --proxy false", **{"objective.proxy": False})
    refused("never used; give --proxy false", **{"objective.moments": 0})
    refused("two halves of 4 or more samples", **{"objective.unbiased": True, "objective.samples": 3})
    refused("with a predictor", proxy=False, **{"objective.unbiased": True})
    refused("deviations of few samples", family="laplace", **{"objective.unbiased": True})
    refused("needs to know where the hole is", "glcic", **{"objective.conditional": False})
    refused("need a generator that fills holes", **{"objective.masked": True})
    refused("needs a predictor, which mrgan has", proxy=False, from_predictor=True)
    refused("needs a predictor, which mrgan has", "glcic", from_predictor=True)
    wider = "width 8, but its predictor's is 4; they must be the same"
    refused(wider, from_predictor=True, **{"generator.width": 8})
    refused(
        "kind unet, but its predictor's is srresnet",
        from_predictor=True,
        **{"previous.generator.backbone": {"kind": "srresnet"}},
    )
    dropout = {"randomness": {"kind": "element_dropout", "sites": ["up*"]}}
    refused("randomness element_dropout does not enter as further channels", from_predictor=True, **dropout)
    local = {"objective.discriminator": "local"}
    refused("discriminator local needs to know", "mrgan-inpainting", **local, **{"objective.conditional": False})
    refused("discriminator completion or local need a generator that fills holes", **local)
    refused("raise training.batch_size", "glcic", **local, batch_size=1)
    refused("generator.scale is 2, but its data is superres:4; give --scale", "srgan", **{"generator.scale": 2})
    refused("only training.rebalance data works", rebalance="loss")
    with pytest.raises(ConfigError, match=r"generator\.family and objective\.family differ; give --family"):
        method("moment-predictor", {"objective.family": "laplace"})
    with pytest.raises(ConfigError, match="objective moment_likelihood trains only generator moment_predictor"):
        method("pix2pix", {"objective": {"kind": "moment_likelihood"}})


def train(name: str, out: Path, *more: str, data: str = "streets:20", size: int = 16) -> Path:
    small = ["--width", "4", "--batch-size", "4", "--steps", "2", "--quiet", "--device", "cpu"]
    dispatch(["train", name, "--data", data, "--size", str(size), "--out", str(out), *small, *more])
    return out


MRGAN = ("--objective.layers", "1", "--objective.samples", "2")


def test_where_the_image_is_given_a_predictor_is_certain() -> None:
    torch.manual_seed(0)
    options = {"width": 4, "task": "inpainting", "family": "laplace"}
    generator = method("moment-predictor", options).build_generator(Shapes(4, 3, SIZE)).eval().requires_grad_(False)
    assert isinstance(generator, MomentPredictor)
    given, outside = batch(1).condition, slice(10, None)
    images = generator(given, generator.draw([(0, i) for i in range(3)]).unsqueeze(0))[0]
    assert torch.equal(images[:, :, outside], given[:, :3, outside].expand(3, -1, -1, -1))
    deviation = generator.deviation(given)
    assert float(deviation[:, :, outside].abs().max()) == 0
    assert float(deviation[:, :, 4:10, 3:12].min()) > 0


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_likelihood_and_training_of_a_predictor_that_fills_holes_are_of_what_is_inside(family: m.Family) -> None:
    torch.manual_seed(0)
    chosen = method("moment-predictor", {"width": 4, "task": "inpainting", "family": family})
    generator, objective = chosen.build_generator(Shapes(4, 3, SIZE)).eval(), chosen.build_objective(Shapes(4, 3, SIZE))
    assert isinstance(generator.requires_grad_(False), MomentPredictor)
    given = batch(2)
    given.condition[1, -1, 6:] = -1  # 4 to 6 instead of 4 to 10: a third of the hole of the other
    assert generator.values(given.condition, given.image).tolist() == [3 * 6 * 9, 3 * 2 * 9]
    centre, log_dispersion = generator.moments(given.condition)
    scale = (log_dispersion / 2).exp() if family == "gaussian" else log_dispersion.exp()
    inside = (given.condition[:, -1:] > 0).expand_as(centre)
    every = (Normal if family == "gaussian" else Laplace)(centre, scale).log_prob(given.image)
    found, expected = (
        generator.log_prob(given.condition, given.image),
        [float(one[where].sum()) for one, where in zip(every, inside)],
    )
    assert found.tolist() == pytest.approx(expected, rel=1e-4)
    outside = torch.where(inside, given.image, 0.3)
    assert torch.equal(generator.log_prob(given.condition, outside), found), "what is known has no part in it"

    noise = chosen.objective.min_noise
    losses = m.mle(family, given.image, centre, log_dispersion, noise)[inside]
    [trained] = objective.updates(generator, given, 0)
    torch.testing.assert_close(
        trained["generator"]["likelihood"], losses.mean(), msg="of all pixels in the batch's holes"
    )
    [other] = objective.updates(generator, given._replace(image=outside), 0)
    assert torch.equal(other["generator"]["likelihood"], trained["generator"]["likelihood"])
    whole = method("moment-predictor", {"width": 4}).build_generator(Shapes(4, 3, SIZE))
    assert whole.hole(given.condition) is None
    assert whole.values(given.condition, given.image).tolist() == [3 * 16 * 16] * 2


def test_nats_of_a_predictor_that_fills_holes_are_for_each_hidden_value(tmp_path: Path) -> None:
    run = train("moment-predictor", tmp_path / "run", "--task", "inpainting", data="streets:40")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    nats = [row["val/nats"] for row in rows if "val/nats" in row]
    model, held = variegate.load(run), RunFolder(run).pairs("val")
    total, values = 0.0, 0
    for raw, image in (held.raw(i) for i in range(len(held))):
        condition, image = model.condition.encode(raw.unsqueeze(0)), image.unsqueeze(0) / 127.5 - 1
        total -= float(model.generator.log_prob(condition, image))
        values += 3 * int((raw[3] > 127).sum())
    assert min(nats) == pytest.approx(total / values, rel=1e-4)


def test_the_doctor_compares_what_is_around_a_hole_with_what_is_around_it_in_another_image(tmp_path: Path) -> None:
    run = train("moment-predictor", tmp_path / "run", "--task", "inpainting", data="streets:40")
    model, held = variegate.load(run), RunFolder(run).pairs("val")
    generator = model.generator
    assert isinstance(generator, MomentPredictor)
    (own, truth), (_, other) = held.raw(0), held.raw(1)
    hole = own[3] > 127
    same, mixed = conditions_for(model, held, [(0, 0), (0, 1)])
    assert torch.equal(same, own)
    assert torch.equal(mixed[3], own[3])
    assert torch.equal(mixed[:3, ~hole], other[:, ~hole])
    assert hidden_values(generator, held, [0]) == 3 * int(hole.sum())
    bits = costs(model, held, [(0, 0), (0, 1)])
    condition = model.condition.encode(own[None])
    assert float(bits[0]) == pytest.approx(
        -float(generator.log_prob(condition, truth[None] / 127.5 - 1)) / math.log(2), rel=1e-4
    )
    told = [line for line in diagnose(run)[1] if line.startswith("The condition is")]
    assert len(told) == 1
    assert "bits per value with their own condition" in told[0]


def test_noise_of_a_size_that_halvings_do_not_divide_is_not_repeated() -> None:
    generator = method("mrgan", {"width": 4}).build_generator(Shapes(3, 3, (48, 48)))
    assert generator.code_size == 32 * (2 * 2 + 4 * 4), "two sites, at the sizes of the padded image"


def test_the_predictor_is_trained_first_or_given(tmp_path: Path) -> None:
    run = train("mrgan", tmp_path / "run", *MRGAN, "--previous.training.steps", "2")
    own = variegate.load(run / "previous")
    assert own.name == "moment-predictor"
    given = train("mrgan", tmp_path / "given", *MRGAN, "--predictor", str(run / "previous"))
    assert not (given / "previous").exists()
    state = torch.load(given / "checkpoints/step-00000002/state.pt", weights_only=True)["objective"]
    for key, value in own.generator.state_dict().items():
        assert torch.equal(state[f"predictor.{key}"], value), key
    again = torch.load(run / "checkpoints/step-00000002/state.pt", weights_only=True)["generator"]
    mine = torch.load(given / "checkpoints/step-00000002/state.pt", weights_only=True)["generator"]
    assert all(torch.equal(again[key], mine[key]) for key in mine), "the same predictor, the same run"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (("--objective.samples", "24"), True),
        (("--objective.first", "1e9"), False),
        (("--objective.first", "1e9", "--objective.unbiased", "true", "--objective.samples", "4"), None),
    ],
)
def test_the_doctor_says_what_variance_the_moments_ask_for(
    tmp_path: Path, more: tuple[str, ...], found: bool | None
) -> None:
    run = train("mrgan", tmp_path / "run", *MRGAN, *more)
    told = [line for line in diagnose(run)[1] if "of the predicted variance" in line]
    assert len(told) == (found is not None)
    if found is False:
        assert told == [
            "Its moment terms are smallest where samples have 0% of the predicted variance; raise --objective.samples, "
            "or give --objective.unbiased true."
        ]


def test_a_longer_run_keeps_the_predictor_that_it_began_with(tmp_path: Path) -> None:
    run = train("mrgan", tmp_path / "run", *MRGAN)
    before = (run / "previous" / "config.yaml").read_text()
    train("mrgan", run, *MRGAN, "--steps", "4", "--resume")
    assert (run / "previous" / "config.yaml").read_text() == before
    assert RunFolder(run).config.method.previous.training.steps == 2


def test_a_run_may_start_from_its_predictors_weights(tmp_path: Path) -> None:
    still = ("--training.learning-rate.generator", "0", "--training.weight-decay", "0")
    begin = (*MRGAN, *still, "--from-predictor", "true")
    run = train("mrgan", tmp_path / "run", *begin)
    given = train("mrgan", tmp_path / "given", *begin, "--predictor", str(run / "previous"))
    predictor = variegate.load(run / "previous").generator.state_dict()
    for one in (run, given):
        state = torch.load(one / "checkpoints/step-00000002/state.pt", weights_only=True)
        for part in ("generator", "ema"):
            weights = {f"backbone.{name.replace('.inner', '')}": value for name, value in state[part].items()}
            for name in ("down2.layer.conv.weight", "up4.layer.conv.weight", "up2.layer.norm.1.bias"):
                old = predictor[f"backbone.stages.{name}"]
                assert torch.equal(weights[f"backbone.stages.{name}"][: len(old)], old)
            assert torch.equal(
                weights["backbone.stages.up1.layer.conv.bias"], predictor["backbone.stages.up1.layer.conv.bias"][:3]
            )
    with pytest.raises(ConfigError, match="--initial and --from-predictor both say where the generator starts"):
        train("mrgan", tmp_path / "both", *begin, "--initial", str(run))
    other = train("moment-predictor", tmp_path / "wide", "--width", "8")
    with pytest.raises(ConfigError, match="width 4, but its predictor's is 8; they must be the same"):
        train("mrgan", tmp_path / "other", *begin, "--predictor", str(other))


@pytest.mark.parametrize("more", [(), ("--from-predictor", "true")])
def test_a_resumed_run_has_its_predictor_with_it(more: tuple[str, ...], tmp_path: Path) -> None:
    first = (*MRGAN, *more, "--previous.training.steps", "2", "--save-every", "2")
    whole = train("mrgan", tmp_path / "whole", *first, "--steps", "4")
    run = train("mrgan", tmp_path / "run", *first)
    shutil.rmtree(run / "previous")
    train("mrgan", run, *first, "--steps", "4", "--resume")
    assert not (run / "previous").exists(), "nothing is trained again"
    states = [torch.load(one / "checkpoints/step-00000004/state.pt", weights_only=True) for one in (whole, run)]
    for part in ("generator", "objective"):
        assert states[0][part].keys() == states[1][part].keys()
        assert all(torch.equal(value, states[1][part][key]) for key, value in states[0][part].items())


def test_the_predictor_that_is_kept_is_the_best_of_its_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.5, 0.2, 0.4, 0.3])  # overfits from step 2 on
    monkeypatch.setattr(Panel, "surprisal", lambda *_: next(scores))
    run = train("moment-predictor", tmp_path / "run", "--steps", "4", "--save-every", "1")
    assert variegate.load(run).record.step == 2
    monkeypatch.setattr(Panel, "surprisal", lambda *_: 0.3)
    train("moment-predictor", tmp_path / "run", "--steps", "5", "--save-every", "1", "--resume")
    assert variegate.load(run).record.step == 2, "also after the training was resumed"


def test_the_validation_score_of_a_predictor_is_its_likelihood(tmp_path: Path) -> None:
    run = train("moment-predictor", tmp_path / "run")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    nats = [row["val/nats"] for row in rows if "val/nats" in row]
    model, held = variegate.load(run), RunFolder(run).pairs("val")
    found = []
    for raw, image in (held.raw(i) for i in range(len(held))):
        condition, image = model.condition.encode(raw.unsqueeze(0)), image.unsqueeze(0) / 127.5 - 1
        found.append(-float(model.generator.log_prob(condition, image)) / image.numel())
    assert min(nats) == pytest.approx(sum(found) / len(found), rel=1e-4)


def test_a_predictor_of_other_data_size_or_family_is_refused(tmp_path: Path) -> None:
    run = train("moment-predictor", tmp_path / "run")
    given = ("--predictor", str(run))
    with pytest.raises(ConfigError, match="was trained at 16x16, but these images are 32x32; train one at this size"):
        train("mrgan", tmp_path / "a", *MRGAN, *given, size=32)
    dispatch(["data", "export-streets", str(tmp_path / "files"), "--count", "10", "--size", "16"])
    with pytest.raises(
        ConfigError, match="was trained with different data, streets and conditions; train one on the same data"
    ):
        train("mrgan", tmp_path / "b", *MRGAN, *given, data=str(tmp_path / "files"))
    with pytest.raises(DataError, match="streets have no direction; omit --direction BtoA"):
        train("mrgan", tmp_path / "g", *MRGAN, "--predictor", str(run), "--direction", "BtoA")
    for i in range(6):
        save(tmp_path / "halves" / f"{i}.png", np.concatenate([drawing(), photo()], axis=1))
    flat = train("moment-predictor", tmp_path / "flat", data=str(tmp_path / "halves"))
    own = (*MRGAN, "--predictor", str(flat), "--direction")
    with pytest.raises(ConfigError, match="was trained with different conditions and --direction"):
        train("mrgan", tmp_path / "h", *own, "BtoA", data=str(tmp_path / "halves"))
    train("mrgan", tmp_path / "h", *own, "AtoB", data=str(tmp_path / "halves"))
    with pytest.raises(ConfigError, match="predicts the gaussian family; add --family gaussian"):
        train("mrgan", tmp_path / "c", *MRGAN, *given, "--family", "laplace")
    with pytest.raises(ConfigError, match="mrgan uses none; leave it out"):
        train("mrgan", tmp_path / "d", *MRGAN, *given, "--proxy", "false")
    other = train("mrgan", tmp_path / "e", *MRGAN, "--proxy", "false")
    with pytest.raises(ConfigError, match="is a mrgan run; train a predictor with `variegate train moment-predictor`"):
        train("mrgan", tmp_path / "f", *MRGAN, "--predictor", str(other))


def test_where_it_is_ambiguous_can_be_seen_predicted_and_of_samples(tmp_path: Path) -> None:
    run = train("mrgan", tmp_path / "run", *MRGAN, "--previous.training.steps", "2")
    dispatch(["moments", str(run), "test:0", "test:1", "-n", "3", "--out", str(tmp_path / "seen")])
    files = ("mean.png", "deviation.png", "scale.png", "moments.npz")
    names = {f"test{i}-{word}{file}" for i in (0, 1) for word in ("", "predicted-") for file in files}
    assert {path.name for path in (tmp_path / "seen").iterdir()} == names | {"panel.png"}
    model, alone = variegate.load(run), variegate.load(run / "previous")
    raw = RunFolder(run).pairs("test").raw(0)[0]
    images = model.sample(raw, n=3).images
    found = model.moments(raw, n=3)
    torch.testing.assert_close(found.mean, images.mean(dim=0))
    torch.testing.assert_close(found.deviation, images.var(dim=0).mean(dim=0).sqrt())
    predicted = alone.moments(raw)
    condition = alone.condition.encode(raw.unsqueeze(0))
    torch.testing.assert_close(predicted.deviation, alone.generator.deviation(condition)[0].square().mean(0).sqrt() / 2)
    dispatch(["evaluate", str(run), "--protocol", "quick", "--no-perceptual"])
    page = (run / "report.html").read_text()
    assert "predicted deviation" in page
    dispatch(["evaluate", str(run / "previous"), "--protocol", "quick", "--no-perceptual"])
    assert "Where is this ambiguous?" in (run / "previous" / "report.html").read_text()


def test_moments_need_two_samples_and_no_run_directory(tmp_path: Path) -> None:
    run = train("mrgan", tmp_path / "run", *MRGAN, "--proxy", "false")
    with pytest.raises(ConfigError, match="n must be at least 2 for a standard deviation, got 1"):
        dispatch(["moments", str(run), "test:0", "-n", "1"])
    picture = tmp_path / "layout.png"
    assert isinstance(variegate.load(run).condition, Labels)
    Image.new("L", (16, 16), 1).save(picture)
    dispatch(["moments", str(run / "model"), str(picture), "-n", "2", "--out", str(tmp_path / "seen")])
    files = ("mean.png", "deviation.png", "scale.png", "moments.npz")
    assert {path.name for path in (tmp_path / "seen").iterdir()} == {*files, "panel.png"}
    with np.load(tmp_path / "seen" / "moments.npz") as arrays:
        mean = np.asarray(Image.open(tmp_path / "seen" / "mean.png"))
        assert np.abs(arrays["mean"] * 255 - mean).max() <= 0.51
        assert arrays["deviation"].shape == mean.shape[:2]
        assert arrays["deviation"].min() >= 0


def test_the_toy_is_a_command_of_two_words(tmp_path: Path) -> None:
    dispatch(["toy", "ring", "--quick", "--out", str(tmp_path)])
    assert (tmp_path / "ring.png").is_file()
    with pytest.raises(ConfigError, match="unknown command 'toy rings'; did you mean 'toy ring'"):
        dispatch(["toy", "rings"])


def test_a_condition_that_a_network_is_not_built_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is built for --condition superres:4, not superres:2; give --scale its"):
        train("srgan", tmp_path / "a", "--condition", "superres:2")
    with pytest.raises(ConfigError, match="fills holes, but --condition edges cuts none; leave it out"):
        train("glcic", tmp_path / "b", "--condition", "edges")
    with pytest.raises(ConfigError, match=r"must be a product of 2, 3 and 5, .* got 7"):
        train("srgan", tmp_path / "c", "--scale", "7", size=56)
