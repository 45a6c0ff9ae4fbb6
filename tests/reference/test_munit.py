"""MUNIT: parameter counts of the released code, its layers and losses written out by hand, and who is moved by what."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from variegate.core.config import Training
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Generator, Shapes, Size
from variegate.generators.content_style import ContentStyle, ContentStyleConfig
from variegate.generators.resnet import ResNetConfig
from variegate.losses.adversarial import discriminator_loss
from variegate.networks.discriminators.munit import MUNITDiscriminator
from variegate.networks.style_encoder import StyleEncoder
from variegate.objectives.munit import MUNIT, MUNITConfig
from variegate.randomness.adain import AdaIN, AdaINConfig
from variegate.training.moves import update

SMALL: Size = (16, 24)
CONDITION, IMAGE = 4, 3  # channels
PLAYERS = ["generator", "partner", "discriminator"]


def built(size: Size = SMALL, width: int = 4, blocks: int = 1, channels: int = CONDITION, image: int = IMAGE) -> Any:
    randomness = AdaINConfig(hidden=8 if width < 64 else 256).build(Shapes(channels, 3, size))
    return ContentStyleConfig(width=width, blocks=blocks).build(randomness, Shapes(channels, image, size))


def small(**options: Any) -> tuple[ContentStyle, MUNIT, Batch]:
    torch.manual_seed(0)
    config = MUNITConfig(width=4, layers=2, scales=3, **options)
    generator, objective = built().train(), config.build(Shapes(CONDITION, IMAGE, SMALL), back).train()
    condition, image = torch.randn(3, CONDITION, *SMALL).tanh(), torch.randn(3, IMAGE, *SMALL).tanh()
    return generator, objective, Batch(condition, image, torch.arange(3), torch.arange(3) * 100 + 7)


def back() -> Any:
    """The generator of the other direction."""
    return built(channels=IMAGE, image=CONDITION)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# the published network


def test_the_auto_encoder_and_the_discriminator_have_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        generator = built((256, 256), 64, 4, 3)
        style, judge = StyleEncoder(3, 8, (256, 256)), MUNITDiscriminator(3)
        objective = MUNITConfig().build(Shapes(3, 3, (256, 256)), lambda: built((256, 256), 64, 4, 3))
    assert parameters(generator) + parameters(style) == 15_026_187
    assert parameters(objective.partner) + parameters(objective.style_a) == 15_026_187
    assert generator.randomness.total == 4096
    assert parameters(judge) == parameters(objective.discriminator_a) == 8_271_171


def test_maps_have_the_published_sizes() -> None:
    with torch.device("meta"):
        image = torch.empty(1, 3, 256, 256)
        verdicts = MUNITDiscriminator(3)(image)
        content = built((256, 256), 64, 4, 3).encode(image).state[-1]
    assert [tuple(maps[-1].shape) for maps in verdicts] == [(1, 1, 16, 16), (1, 1, 8, 8), (1, 1, 4, 4)]
    assert content.shape == (1, 256, 64, 64)


def test_encode_is_exactly_the_content_encoder_and_never_sees_the_code() -> None:
    generator = built(blocks=2)
    names = list(generator.stages)
    assert names[: generator.split] == ["inner", "down1", "down2", "content1", "content2"]
    assert names[generator.split :] == ["style1", "style2", "up2", "up1", "outer"]
    x = torch.randn(2, CONDITION, *SMALL)
    features = generator.encode(x)
    one, two = (generator.decode(features, code) for code in torch.randn(2, 2, 8))
    assert not torch.allclose(one, two, atol=1e-3)
    used = torch.autograd.grad(features.state[-1].sum(), list(generator.parameters()), allow_unused=True)
    read = {name for (name, _), gradient in zip(generator.named_parameters(), used) if gradient is not None}
    assert {name.split(".")[1] for name in read} == set(names[: generator.split])


def conv(w: dict[str, Tensor], name: str, x: Tensor, stride: int = 1) -> Tensor:
    weight, pad = w[f"{name}.weight"], (w[f"{name}.weight"].shape[-1] - 1) // 2
    return F.conv2d(F.pad(x, (pad,) * 4, mode="reflect"), weight, w[f"{name}.bias"], stride)


def standard(x: Tensor, dim: tuple[int, ...], eps: float = 0.0) -> Tensor:
    mean, variance = x.mean(dim, keepdim=True), x.var(dim, keepdim=True, unbiased=False)
    return (x - mean) / (variance + eps).sqrt()


def published_image(weights: dict[str, Tensor], x: Tensor, code: Tensor) -> Tensor:
    """One residual block on each side, 4 channels at full size, written out."""
    w = {name.removeprefix("stages."): value for name, value in weights.items()}

    def normal(name: str, x: Tensor, stride: int = 1) -> Tensor:
        return standard(conv(w, f"{name}.conv", x, stride), (2, 3), 1e-5)

    m = {name.removeprefix("randomness.mlp."): value for name, value in weights.items()}
    hidden = torch.relu(code @ m["0.weight"].T + m["0.bias"])
    numbers = torch.relu(hidden @ m["2.weight"].T + m["2.bias"]) @ m["4.weight"].T + m["4.bias"]
    shift1, scale1, shift2, scale2 = numbers.reshape(len(code), 4, 16, 1, 1).unbind(1)

    x = torch.relu(normal("inner.layer", x))
    x = torch.relu(normal("down1.layer", x, 2))
    x = torch.relu(normal("down2.layer", x, 2))
    x = x + normal("content1.conv2", torch.relu(normal("content1.conv1", x)))
    x = x + normal("style1.conv2", torch.relu(normal("style1.conv1", x) * scale1 + shift1)) * scale2 + shift2
    for name in ("up2.layer", "up1.layer"):
        x = standard(conv(w, f"{name}.conv", x.repeat_interleave(2, 2).repeat_interleave(2, 3)), (1, 2, 3))
        gain, bias = (w[f"{name}.norm.{part}"][:, None, None] for part in ("weight", "bias"))
        x = torch.relu(x * gain + bias)
    return torch.tanh(conv(w, "outer.layer.conv", x))


@torch.no_grad()
def randomise_biases(module: nn.Module) -> None:
    """They start at zero, where a forgotten one would not show."""
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            parameter.normal_()


@torch.no_grad()
def test_the_generator_equals_the_publication_written_out() -> None:
    torch.manual_seed(1)
    generator, condition, code = built(), torch.randn(2, CONDITION, *SMALL), torch.randn(2, 8)
    randomise_biases(generator)
    expected = published_image(generator.state_dict(), condition, code)
    assert torch.allclose(generator(condition, code[:, None])[:, 0], expected, atol=1e-5)


@torch.no_grad()
def test_the_style_encoder_and_the_discriminator_equal_the_publication_written_out() -> None:
    torch.manual_seed(1)
    encoder, judge, image = StyleEncoder(3, 8, (32, 32), 4), MUNITDiscriminator(3, 4, 2, 2), torch.randn(2, 3, 32, 32)
    for module in (encoder, judge):
        randomise_biases(module)
    w, x = encoder.state_dict(), image
    for name, stride in (("0", 1), ("2", 2), ("4", 2), ("6", 2), ("8", 2)):
        x = torch.relu(conv(w, f"layers.{name}", x, stride))
    expected = x.mean((2, 3)) @ w["layers.11.weight"][:, :, 0, 0].T + w["layers.11.bias"]
    style, zeros = encoder(image)
    assert torch.allclose(style, expected, atol=1e-5)
    assert zeros.shape == style.shape
    assert not zeros.any()

    w, x = judge.state_dict(), image
    for scale, maps in enumerate(judge(image)):
        y = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) if scale else x
        for k in range(2):
            y = F.leaky_relu(conv(w, f"scales.{scale}.blocks.{k}.0", y, 2), 0.2)
        assert torch.allclose(maps[-1], conv(w, f"scales.{scale}.blocks.2", y), atol=1e-5)


# the randomness


def test_an_adain_layer_is_instance_norm_times_scale_plus_shift_in_place_of_the_norm() -> None:
    randomness = AdaIN(("b", "c"), 8, 16)
    layers = [randomness.layer(s, 3, n, norm=nn.BatchNorm2d, bias=False) for s, n in (("a", 9), ("b", 4), ("c", 5))]
    randomness.finish()
    x, code = torch.randn(2, 3, 6, 7), torch.randn(2, 8)
    numbers = randomness.prepare(code, x)
    assert numbers.shape == (2, 2 * 4 + 2 * 5)
    shift, scale = numbers[:, 8:13, None, None], numbers[:, 13:, None, None]
    expected = F.instance_norm(F.conv2d(x, layers[2].conv.weight, padding=1)) * scale + shift
    assert torch.allclose(layers[2](x, numbers), expected, atol=1e-6)
    assert not any(isinstance(module, nn.BatchNorm2d) for layer in layers[1:] for module in layer.modules())
    assert torch.equal(layers[0](x, numbers), layers[0](x, None)), "outside its sites the code is ignored"


def test_a_code_gives_every_condition_the_same_scales_and_shifts() -> None:
    generator, code = built().eval(), torch.randn(1, 8)
    seen: list[Tensor] = []
    for module in generator.stages["style1"].children():
        module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    images = [generator(torch.randn(1, CONDITION, *SMALL), code[None]) for _ in range(2)]
    assert not torch.allclose(*images, atol=1e-3)
    assert len(seen) == 4
    assert all(torch.equal(numbers, seen[0]) for numbers in seen)


def test_adain_works_in_other_backbones_and_names_a_site_that_is_missing() -> None:
    randomness = AdaINConfig(sites=("block*",), hidden=8).build(Shapes(CONDITION, 3, SMALL))
    generator = ResNetConfig(width=4, blocks=2).build(randomness, Shapes(CONDITION, IMAGE, SMALL))
    one, two = generator(torch.randn(1, CONDITION, *SMALL), torch.randn(1, 2, 8)).unbind(1)
    assert not torch.allclose(one, two, atol=1e-3)
    with pytest.raises(ConfigError, match="no layer 'style"):
        ResNetConfig(width=4).build(AdaINConfig().build(Shapes(CONDITION, 3, SMALL)), Shapes(CONDITION, IMAGE, SMALL))


# the objective


def test_losses_are_those_of_the_equations() -> None:
    generator, objective, batch = small(cycle=10.0)
    first, second = objective.updates(generator, batch, 0)
    partner, judges = objective.partner, (objective.discriminator_a, objective.discriminator_b)
    a, b = batch.condition[[1, 2, 0]], batch.image
    codes = [[generator.draw([(int(key), i)])[0] for key in batch.key] for i in range(2)]
    s_a, s_b = torch.stack(codes[0]), torch.stack(codes[1])

    ab, ba = generator(a, s_b[:, None])[:, 0], partner(b, s_a[:, None])[:, 0]
    c_a, c_b, c_ab, c_ba = generator.encode(a), partner.encode(b), partner.encode(ab), generator.encode(ba)
    own_a, own_b = objective.style_a(a)[0], objective.posterior(b)[0]

    def l1(x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().mean()

    def squares(judge: nn.Module, x: Tensor, verdict: float) -> Tensor:
        return torch.stack([((maps[-1] - verdict) ** 2).mean() for maps in judge(x)]).sum()

    judged = sum(
        squares(judge, real, 1) + squares(judge, fake, 0) for judge, real, fake in zip(judges, (a, b), (ba, ab))
    )
    assert list(first) == ["discriminator"]
    assert first["discriminator"]["adversarial"].item() == pytest.approx(judged.item(), rel=1e-4)
    expected = {
        "adversarial": squares(judges[0], ba, 1) + squares(judges[1], ab, 1),
        "image": 10 * (l1(partner.decode(c_a, own_a), a) + l1(generator.decode(c_b, own_b), b)),
        "style": l1(objective.style_a(ba)[0], s_a) + l1(objective.posterior(ab)[0], s_b),
        "content": l1(c_ab.state[-1], c_a.state[-1]) + l1(c_ba.state[-1], c_b.state[-1]),
        "cycle": 10 * (l1(partner.decode(c_ab, own_a), a) + l1(generator.decode(c_ba, own_b), b)),
    }
    found = {term: value.item() for term, value in second["generator"].items()}
    assert found == pytest.approx({term: value.item() for term, value in expected.items()}, rel=1e-4)
    assert second["partner"] is second["generator"], "shared, not repeated"


def test_weights_scale_their_terms_and_a_cycle_of_weight_zero_is_not_computed() -> None:
    plain, heavy = (
        list(objective.updates(generator, batch, 0))
        for generator, objective, batch in (small(), small(adversarial=2.0, image=5.0, style=3.0, content=4.0))
    )
    ratios = {term: (heavy[1]["partner"][term] / value).item() for term, value in plain[1]["partner"].items()}
    assert ratios == pytest.approx({"adversarial": 2, "image": 0.5, "style": 3, "content": 4}, rel=1e-5)
    assert heavy[0]["discriminator"]["adversarial"].item() == pytest.approx(
        2 * plain[0]["discriminator"]["adversarial"].item(), rel=1e-5
    )


def test_no_loss_depends_on_which_condition_stands_beside_which_image() -> None:
    generator, objective, batch = small(cycle=1.0)
    same_key = batch._replace(key=torch.full((3,), 5))  # one style for all, so that only the pairing differs
    shuffled = same_key._replace(condition=batch.condition[[2, 1, 0]])
    one, two = (list(objective.updates(generator, x, 0)) for x in (same_key, shuffled))
    for before, after in zip(one, two):
        for player, terms in before.items():
            values = {term: value.item() for term, value in after[player].items()}
            assert values == pytest.approx({term: value.item() for term, value in terms.items()}, rel=1e-4)


def test_random_styles_come_from_the_keys_of_the_batch_alone() -> None:
    generator, objective, batch = small()
    torch.manual_seed(1)
    one = list(objective.updates(generator, batch, 0))
    torch.manual_seed(2)
    two = list(objective.updates(generator, batch, 0))
    assert torch.equal(one[1]["generator"]["style"], two[1]["generator"]["style"])
    other = list(objective.updates(generator, batch._replace(key=batch.key + 1), 0))
    assert not torch.equal(one[1]["generator"]["style"], other[1]["generator"]["style"])


def test_the_perceptual_term_compares_features_without_their_mean_and_deviation() -> None:
    torch.manual_seed(0)
    size = (32, 32)
    objective = MUNITConfig(width=4, layers=2, perceptual_weight=2, perceptual="random").build(
        Shapes(3, 3, size), lambda: built(size, channels=3)
    )
    generator = built(size, channels=3)
    a, b = torch.randn(1, 3, *size).tanh(), torch.randn(1, 3, *size).tanh()
    _, second = objective.updates(generator, Batch(a, b, torch.tensor([0]), torch.tensor([4])), 0)
    s_a, s_b = generator.draw([(4, 0), (4, 1)])
    ab, ba = generator(a, s_b[None, None])[:, 0], objective.partner(b, s_a[None, None])[:, 0]
    assert objective.features is not None
    gaps = [
        standard(objective.features(x)[-1], (2, 3), 1e-5) - standard(objective.features(y)[-1], (2, 3), 1e-5)
        for x, y in ((ab, a), (ba, b))
    ]
    expected = 2 * sum((gap**2).mean() for gap in gaps)
    assert second["generator"]["perceptual"].item() == pytest.approx(expected.item(), rel=1e-3)


def drive(generator: Generator, objective: MUNIT, batch: Batch) -> list[dict[str, bool]]:
    """For every move, which modules changed; before each, that the others hold no gradient of it."""
    fabric, training = Fabric(accelerator="cpu", devices=1), Training()
    players = {name: list(own) for name, own in objective.players(generator).items()}
    assert list(players) == PLAYERS
    optimizers = {name: fabric.setup_optimizers(torch.optim.SGD(own, lr=0.01)) for name, own in players.items()}
    modules = {"generator": generator, **{n: m for n, m in objective.named_children() if n != "features"}}
    moved = []
    for losses in objective.updates(generator, batch, 0):
        for own in players.values():
            for parameter in own:
                parameter.grad = None
        before = {name: [p.detach().clone() for p in module.parameters()] for name, module in modules.items()}
        update(fabric, losses, players, optimizers, training)
        idle = [parameter for name, own in players.items() if name not in losses for parameter in own]
        assert all(parameter.grad is None for parameter in idle)
        assert all(parameter.grad is not None for name in losses for parameter in players[name])
        moved.append(
            {n: any(not torch.equal(p, q) for p, q in zip(m.parameters(), before[n])) for n, m in modules.items()}
        )
    return moved


def test_discriminators_move_first_then_generators_and_encoders_together() -> None:
    judges = {"discriminator_a", "discriminator_b"}
    others = {"generator", "partner", "style_a", "posterior"}
    first, second = drive(*small(cycle=1.0))
    assert {name for name, changed in first.items() if changed} == judges
    assert {name for name, changed in second.items() if changed} == others


def test_the_discriminators_loss_leads_to_nobody_else() -> None:
    generator, objective, batch = small()
    loss = next(objective.updates(generator, batch, 0))["discriminator"]["adversarial"]
    others = [p for name in PLAYERS[:2] for p in objective.players(generator)[name]]
    assert all(gradient is None for gradient in torch.autograd.grad(loss, others, allow_unused=True))


def test_the_generators_meet_the_discriminators_that_have_just_moved() -> None:
    generator, objective, batch = small()
    moves = objective.updates(generator, batch, 0)
    next(moves)
    with torch.no_grad():
        for judge in (objective.discriminator_a, objective.discriminator_b):
            for parameter in judge.parameters():
                parameter.zero_()
    assert next(moves)["generator"]["adversarial"].item() == 6.0  # (0 - 1)^2 at 3 scales, twice


def test_the_inverter_is_the_style_encoder_of_the_images() -> None:
    _, objective, batch = small()
    inverter = objective.config.build_inverter(Shapes(CONDITION, IMAGE, SMALL))
    inverter.load_state_dict(objective.inverter().state_dict())
    style, zeros = inverter(batch.image)
    assert torch.equal(style, objective.posterior(batch.image)[0])
    assert style.shape == zeros.shape == (3, 8)


def test_the_image_term_teaches_both_auto_encoders_to_reconstruct() -> None:
    """By that term alone, which crosses generator and partner."""
    generator, objective, batch = small()
    moving = [p for name in PLAYERS[:2] for p in objective.players(generator)[name]]
    optimizer, values = torch.optim.Adam(moving, 2e-3), []
    for step in range(30):
        _, losses = objective.updates(generator, batch, step)
        optimizer.zero_grad()
        losses["generator"]["image"].backward()
        optimizer.step()
        values.append(losses["generator"]["image"].item())
    assert values[-1] < 0.85 * values[0]


def test_any_size_goes_in_and_contents_of_both_domains_have_one_shape() -> None:
    generator, objective, _ = small()
    for size in ((13, 21), (5, 3), (1, 1)):
        a, b = torch.randn(2, CONDITION, *size), torch.randn(2, IMAGE, *size)
        assert generator(a, torch.randn(2, 1, 8)).shape == (2, 1, IMAGE, *size)
        features = objective.partner.encode(b)
        assert features.state[-1].shape == generator.encode(a).state[-1].shape
        assert generator.decode(features, torch.randn(2, 8)).shape == (2, IMAGE, *size)


def test_what_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="do not fit 16x24"):
        MUNITConfig(width=4).build(Shapes(CONDITION, IMAGE, SMALL), back)
    with pytest.raises(ConfigError, match="images with 3 channels"):
        MUNITConfig(width=4, layers=2, perceptual_weight=1, perceptual="random").build(
            Shapes(CONDITION, IMAGE, (64, 64)), back
        )
    objective = MUNITConfig(width=4, layers=2).build(Shapes(CONDITION, IMAGE, (13, 16)), back)
    real, fake = (torch.randn(1, IMAGE, 13, 16) for _ in range(2))
    verdicts = [[maps[-1] for maps in objective.discriminator_b(x)] for x in (real, fake)]
    assert discriminator_loss(*verdicts, "lsgan").isfinite()
