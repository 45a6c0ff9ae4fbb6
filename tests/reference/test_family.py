"""The adversarial family: parameter counts of the publications, and losses against NumPy or plain torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Shapes
from variegate.core.method import Component
from variegate.generators.pix2pixhd import EnhancerConfig
from variegate.generators.resnet import ResNetConfig
from variegate.generators.unet import UNetConfig
from variegate.losses.adversarial import feature_matching
from variegate.losses.mode_seeking import diversity_sensitive, feature_distance, image_distance, mode_seeking
from variegate.losses.variational import kl_to_standard_normal
from variegate.methods import method
from variegate.networks.perceptual import HD_READING, VGG19
from variegate.networks.posteriors import Posterior
from variegate.objectives.adversarial import AdversarialConfig, Seeking, discriminator_of
from variegate.objectives.cvae_gan import CVAEGANConfig
from variegate.randomness.basis_filters import BasisFiltersConfig
from variegate.randomness.latent import LatentConfig
from variegate.randomness.none import NoRandomnessConfig
from variegate.randomness.whole_filters import WholeFiltersConfig

SIZE = (256, 256)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def built(generator: Component, randomness: Component, channels: int) -> nn.Module:
    with torch.device("meta"):
        return generator.build(randomness.build(Shapes(channels, 3, SIZE)), Shapes(channels, 3, SIZE))


@pytest.mark.parametrize(
    ("generator", "randomness", "channels", "count"),
    [
        (UNetConfig(norm="instance"), LatentConfig(sites=("down*",)), 3, 54_794_627),
        (UNetConfig(norm="instance"), LatentConfig(sites=("down1",)), 3, 54_417_795),
        (ResNetConfig(), NoRandomnessConfig(), 3, 11_383_427),
        (ResNetConfig(downs=4, norm="instance"), NoRandomnessConfig(), 36, 182_546_755),
        (EnhancerConfig(), NoRandomnessConfig(), 36, 182_857_059),
    ],
    ids=["bicyclegan all", "bicyclegan input", "pix2pix resnet", "pix2pixhd global", "pix2pixhd local"],
)
def test_generators_have_as_many_parameters_as_published(
    generator: Component, randomness: Component, channels: int, count: int
) -> None:
    assert parameters(built(generator, randomness, channels)) == count


def share_of_code(filters: torch.Tensor) -> float:
    """The part of the filters' (N, D) energy that changes with the code."""
    return float(filters.var(dim=0).mean() / filters.square().mean())


def test_whole_filters_start_at_the_hosts_deviation_and_have_a_hundred_times_the_parameters() -> None:
    torch.manual_seed(0)
    randomness = WholeFiltersConfig(sites=("a", "b")).build(Shapes(3, 3, SIZE))
    layer = randomness.layer("a", 32, 32)
    filters = layer.filters(torch.randn(50, 64)).detach().flatten(1)
    assert float(filters.std()) == pytest.approx(0.02, rel=0.15)
    based = BasisFiltersConfig(sites=("a",)).build(Shapes(3, 3, SIZE)).layer("a", 32, 32)
    share, share_of_bases = map(share_of_code, (filters, based.filters(torch.randn(50, 64)).detach().flatten(1)))
    assert share == pytest.approx(share_of_bases, abs=0.1)
    with torch.device("meta"):
        whole = randomness.layer("b", 256, 256, bias=False)
        based = BasisFiltersConfig(sites=("b",)).build(Shapes(3, 3, SIZE)).layer("b", 256, 256, bias=False)
    assert parameters(whole) == 64 * 64 + 64 + 65 * 589_824
    assert parameters(whole) > 100 * parameters(based)


def test_discriminators_and_the_encoder_have_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        hd = AdversarialConfig(padding=2, norm="instance", scales=2)
        assert parameters(discriminator_of(39, hd, SIZE)) == 5_603_202
        assert parameters(discriminator_of(39, hd.model_copy(update={"scales": 3}), SIZE)) == 8_404_803
        bicycle = CVAEGANConfig().build(Shapes(3, 3, SIZE), None)
        assert parameters(bicycle.discriminator) == parameters(bicycle.discriminator2) == 3_458_978
        assert parameters(Posterior(3, 8, SIZE)) == 2_590_032
        assert parameters(discriminator_of(6, AdversarialConfig(), SIZE)) == 2_768_705


def test_the_discriminators_of_bicyclegan_judge_30_and_14_patches_a_side() -> None:
    shape = AdversarialConfig(width=4, scales=2, narrowing=2, norm="instance")
    maps = discriminator_of(3, shape, SIZE)(None, torch.zeros(1, 3, 256, 256))
    assert [tuple(scale[-1].shape[-2:]) for scale in maps] == [(30, 30), (14, 14)]


def test_a_discriminator_that_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="3 layers and 2 scales does not fit 32x32 images; use a smaller"):
        AdversarialConfig(scales=2).build(Shapes(3, 3, (32, 32)), None)


def arrays(*shapes: tuple[int, ...], seed: int = 0) -> list[Tensor]:
    stream = np.random.default_rng(seed)
    return [torch.from_numpy(stream.standard_normal(shape).astype(np.float32)) for shape in shapes]


def test_feature_matching_is_the_weighted_mean_difference_without_the_logits_side_moving() -> None:
    shapes = ((2, 4, 8, 8), (2, 8, 4, 4), (2, 8, 3, 3), (2, 8, 2, 2))
    real, fake = [arrays(*shapes), arrays(*shapes, seed=1)], [arrays(*shapes, seed=2), arrays(*shapes, seed=3)]
    expected = sum(
        (1 / 2) * (4 / 4) * np.abs(r.numpy() - f.numpy()).mean() for rs, fs in zip(real, fake) for r, f in zip(rs, fs)
    )
    for maps in (*real, *fake):
        for tensor in maps:
            tensor.requires_grad_()
    loss = feature_matching(real, fake)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert all(tensor.grad is None for maps in real for tensor in maps)
    assert all(tensor.grad is not None for maps in fake for tensor in maps)


def test_msgan_inverts_the_ratio_of_batch_means() -> None:
    images, codes = arrays((3, 2, 3, 4, 5), (3, 2, 8))
    i, z = images.numpy(), codes.numpy()
    expected = 1 / (np.abs(i[:, 0] - i[:, 1]).mean() / np.abs(z[:, 0] - z[:, 1]).mean() + 1e-5)
    assert float(mode_seeking(image_distance(images), codes)) == pytest.approx(expected, rel=1e-5)
    same = images[:, :1].expand(-1, 2, -1, -1, -1)
    assert float(mode_seeking(image_distance(same), codes)) == pytest.approx(1e5, rel=1e-5)


def test_dsgan_averages_ratios_of_items_and_its_margin_acts() -> None:
    images, codes = arrays((3, 2, 3, 4, 5), (3, 2, 8))
    i, z = images.numpy(), codes.numpy()
    ratios = np.abs(i[:, 0] - i[:, 1]).reshape(3, -1).mean(1) / (np.abs(z[:, 0] - z[:, 1]).mean(1) + 1e-5)
    distance = image_distance(images)
    assert float(diversity_sensitive(distance, codes, None)) == pytest.approx(-ratios.mean(), rel=1e-5)
    margin = float(np.median(ratios))
    assert float(diversity_sensitive(distance, codes, margin)) == pytest.approx(-np.minimum(ratios, margin).mean())
    images.requires_grad_()
    diversity_sensitive(image_distance(images), codes, margin).backward()
    moved = images.grad.abs().sum(dim=(1, 2, 3, 4)) > 0
    assert moved.tolist() == (ratios < margin).tolist(), "no reward beyond the margin"


def test_the_distance_of_features_weighs_layers_as_feature_matching_does() -> None:
    maps = [arrays((3, 2, 4, 5, 5), (3, 2, 6, 3, 3)), arrays((3, 2, 4, 2, 2), (3, 2, 6, 2, 2), seed=1)]
    per_scale = [
        sum(4 / 2 * np.abs(m[:, 0].numpy() - m[:, 1].numpy()).reshape(3, -1).mean(1) for m in scale) for scale in maps
    ]
    assert feature_distance(maps).numpy() == pytest.approx(np.mean(per_scale, axis=0), rel=1e-5)


def test_the_kl_term_is_torchs_own_summed_over_batch_and_dimensions() -> None:
    mean, log_variance = arrays((4, 8), (4, 8))
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum()
    assert float(kl_to_standard_normal(mean, log_variance)) == pytest.approx(float(expected), rel=1e-5)


def test_pix2pixhd_reads_vgg19_after_the_first_relu_of_every_block_with_max_pools() -> None:
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    layers = make_layers(cfgs["E"])
    features = VGG19({f"features.{k}": v for k, v in layers.state_dict().items()}, reading=HD_READING)
    x = image = torch.rand(1, 3, 32, 48) * 2 - 1
    expected, first = [], True
    with torch.no_grad():
        for layer in layers:
            x = layer(x)
            if isinstance(layer, nn.ReLU) and first:
                expected.append(x.clone())
                first = False
            first = first or isinstance(layer, nn.MaxPool2d)
        maps = features(image)
    assert len(maps) == 5
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(maps, expected, strict=True))


OPTIONS = {"width": 4, "objective.layers": 2}
SMALL = (32, 32)


def a_batch(count: int) -> Batch:
    condition, image = arrays((count, 4, *SMALL), (count, 3, *SMALL), seed=9)
    return Batch(condition, image.tanh(), torch.arange(count), torch.arange(count) * 100 + 7)


def moves(name: str, options: dict[str, Any], batch: Batch):  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    preset = method(name, {**OPTIONS, **options})
    generator, objective = preset.build_generator(Shapes(4, 3, SMALL)), preset.build_objective(Shapes(4, 3, SMALL))
    return generator.train(), objective.train(), list(objective.updates(generator.train(), batch, 0))


def lsgan(discriminator: nn.Module, condition: Tensor | None, image: Tensor, verdict: float) -> Tensor:
    return sum(((maps[-1] - verdict) ** 2).mean() for maps in discriminator(condition, image))  # type: ignore[return-value]


def test_bicyclegans_losses_are_those_of_its_equations() -> None:
    batch = a_batch(4)
    generator, objective, (first, second) = moves("bicyclegan", {}, batch)
    condition, image, other = batch.condition[:2], batch.image[:2], batch.image[2:]
    random, noise = generator.draw_for(batch.key[:2], 2).unbind(1)
    mean, log_variance = objective.posterior(image)
    encoded = mean + noise * torch.exp(0.5 * log_variance)
    fake_enc = generator(condition, encoded[:, None])[:, 0]
    fake_rnd = generator(condition, random[:, None])[:, 0]
    expected = {
        "adversarial": lsgan(objective.discriminator, None, fake_enc, 1),
        "adversarial2": lsgan(objective.discriminator2, None, fake_rnd, 1),
        "l1": 10 * (image - fake_enc).abs().mean(),
        "kl": 0.01 * -0.5 * torch.sum(1 + log_variance - mean**2 - log_variance.exp()),
        "latent": 0.5 * (objective.posterior(fake_rnd)[0] - random).abs().mean(),
    }
    assert set(first) == {"generator", "posterior"}
    found = {k: float(v.detach()) for k, v in first["generator"].items()}
    assert found == pytest.approx({k: float(v.detach()) for k, v in expected.items()}, rel=1e-4)
    assert first["posterior"] is first["generator"], "propagated once"
    encoder = list(objective.posterior.parameters())
    reached = torch.autograd.grad(first["generator"]["latent"], encoder, retain_graph=True, allow_unused=True)
    moved = [gradient for gradient in reached if gradient is not None and gradient.any()]
    assert not moved, "the recovered code must not move the encoder"
    inner = generator.stages["up1"].layer.conv.weight
    assert torch.autograd.grad(first["generator"]["latent"], inner, retain_graph=True)[0].abs().sum() > 0
    for name, real, fake in (("discriminator", image, fake_enc), ("discriminator2", other, fake_rnd)):
        judge = getattr(objective, name)
        value = lsgan(judge, None, real, 1) + lsgan(judge, None, fake, 0)
        assert float(second[name]["adversarial"]) == pytest.approx(float(value), rel=1e-4)


def test_msgans_losses_are_those_of_its_released_code() -> None:
    batch = a_batch(2)
    generator, objective, (first, second) = moves("msgan", {}, batch)
    codes = generator.draw_for(batch.key, 2)
    one, two = (generator(batch.condition, codes[:, i : i + 1])[:, 0] for i in range(2))
    judge = objective.discriminator
    expected = lsgan(judge, batch.condition, one, 0) + lsgan(judge, batch.condition, two, 0)
    expected = expected + 2 * lsgan(judge, batch.condition, batch.image, 1)
    assert float(first["discriminator"]["adversarial"]) == pytest.approx(float(expected), rel=1e-4)
    terms = {
        "adversarial": lsgan(judge, batch.condition, one, 1) + lsgan(judge, batch.condition, two, 1),
        "l1": 10 * (one - batch.image).abs().mean(),
        "diversity": 1 / ((one - two).abs().mean() / (codes[:, 0] - codes[:, 1]).abs().mean() + 1e-5),
    }
    found = {k: float(v) for k, v in second["generator"].items()}
    assert found == pytest.approx({k: float(v) for k, v in terms.items()}, rel=1e-3)


def test_dsgan_detaches_the_second_image_and_does_not_judge_it() -> None:
    batch = a_batch(2)
    generator, objective, (_, second) = moves("dsgan", {"objective.seeking.margin": 1000}, batch)
    one, two = generator(batch.condition, generator.draw_for(batch.key, 2)).unbind(1)
    expected = (lsgan(objective.discriminator, batch.condition, one, 1)).item()
    assert float(second["generator"]["adversarial"]) == pytest.approx(expected, rel=1e-4)
    codes = generator.draw_for(batch.key, 2)
    gap = (one - two.detach()).abs().mean(dim=(1, 2, 3)) / ((codes[:, 0] - codes[:, 1]).abs().mean(1) + 1e-5)
    wanted = torch.autograd.grad(-8 * gap.mean(), generator.stages["up1"].layer.conv.weight)[0]
    found = torch.autograd.grad(second["generator"]["diversity"], generator.stages["up1"].layer.conv.weight)[0]
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-6)


def test_pix2pixhds_losses_are_least_squares_feature_matching_and_perception() -> None:
    batch = a_batch(1)
    options = {"generator.downs": 2, "blocks": 1, "objective.perceptual": "random"}
    generator, objective, (first, second) = moves("pix2pixhd", options, batch)
    fake = generator(batch.condition, generator.draw_for(batch.key, 1))[:, 0]
    judge = objective.discriminator
    expected = (lsgan(judge, batch.condition, batch.image, 1) + lsgan(judge, batch.condition, fake, 0)) / 2
    assert float(first["discriminator"]["adversarial"]) == pytest.approx(float(expected), rel=1e-4)
    real_maps, fake_maps = judge(batch.condition, batch.image), judge(batch.condition, fake)
    matching = sum(
        F.l1_loss(f, r) * 4 / (2 + 1) / 2 for rs, fs in zip(real_maps, fake_maps) for r, f in zip(rs[:-1], fs[:-1])
    )
    weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)
    seen = zip(objective.features(fake), objective.features(batch.image), weights)
    terms = {
        "adversarial": lsgan(judge, batch.condition, fake, 1),
        "feature_matching": 10 * matching,
        "perceptual": 10 * sum(w * F.l1_loss(a, b) for a, b, w in seen),
    }
    found = {k: float(v) for k, v in second["generator"].items()}
    assert found == pytest.approx({k: float(v) for k, v in terms.items()}, rel=1e-4)


def test_a_term_for_two_codes_is_refused_without_codes_that_have_a_distance() -> None:
    for noise, words in (("none", "without randomness there are none"), ("dropout", "dropout masks")):
        with pytest.raises(ConfigError, match=words):
            method("pix2pix", {"noise": noise, "objective.seeking.kind": "msgan"})
    allowed = method("pix2pix", {"noise": "input", "objective.seeking.kind": "msgan"})
    assert allowed.objective.seeking == Seeking(kind="msgan")
