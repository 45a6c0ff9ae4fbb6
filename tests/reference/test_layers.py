"""Layers and networks against explicit computations and published sizes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from variegate.core.interfaces import Shapes
from variegate.core.method import Component
from variegate.generators.crn import CRNConfig
from variegate.generators.resnet import ResNetConfig
from variegate.generators.unet import UNetConfig
from variegate.networks.blocks import norm_layer
from variegate.networks.discriminators.patch import MultiScale, PatchGAN
from variegate.networks.perceptual import VGG19
from variegate.randomness.basis_filters import WIDE, BasisConv, BasisFiltersConfig
from variegate.randomness.element_dropout import ElementDropoutConfig
from variegate.randomness.noise_input import NoiseEncoder, NoiseInputConfig, NoiseInputLayer
from variegate.randomness.none import NoRandomnessConfig

pytestmark = pytest.mark.core


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# BasisGAN's convolution


def basis_conv(inputs: int, outputs: int, bases: int = 5, separate: bool = False, code: int = 64, **conv) -> BasisConv:
    torch.manual_seed(0)
    numbers = code * (bases if separate else 1)
    config = BasisFiltersConfig(bases=bases, latent=code, separate=separate)
    layer = BasisConv(inputs, outputs, config, slice(3, 3 + numbers), **conv)
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    return layer


def explicit_filters(layer: BasisConv, code: Tensor) -> Tensor:
    """w(u, c', c) = sum_k psi_k(u) a_k(c', c), one product at a time, for one sample."""
    own = code[layer.part]
    if len(own) == layer.latent:
        psi = layer.basis_generator(own).view(layer.bases, layer.kernel, layer.kernel)
    else:
        each = [layer.basis_generator(z) for z in own.split(layer.latent)]
        psi = torch.stack(each).view(layer.bases, layer.kernel, layer.kernel)
    filters = torch.zeros(*layer.coefficients[:, 0].shape, layer.kernel, layer.kernel)
    for k in range(layer.bases):
        for i in range(filters.shape[0]):
            for j in range(filters.shape[1]):
                filters[i, j] += psi[k] * layer.coefficients[i, k, j]
    return filters


CONVOLUTIONS = {
    "default": {},
    "1x1": {"kernel_size": 1},
    "5x5 without padding": {"kernel_size": 5, "padding": 0},
    "dilated": {"dilation": 2},
    "strided 4x4": {"kernel_size": 4, "stride": 2, "padding": 1},
    "reflect": {"padding_mode": "reflect"},
    "reflect dilated strided": {"padding_mode": "reflect", "dilation": 2, "stride": 2, "padding": 3},
    "without bias": {"bias": False},
    "transposed": {"transposed": True, "stride": 2, "padding": 1, "output_padding": 1},
    "transposed 4x4": {"transposed": True, "kernel_size": 4, "stride": 2, "padding": 1},
    "transposed dilated": {"transposed": True, "stride": 3, "padding": 2, "dilation": 2, "output_padding": 2},
}


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_batch_of_sampled_filters_equals_one_plain_convolution_per_sample(name: str, separate: bool) -> None:
    conv = CONVOLUTIONS[name]
    layer = basis_conv(3, 4, separate=separate, code=6, **conv)
    x, code = torch.randn(3, 3, 7, 11), torch.randn(3, 40)
    expected = []
    for row in range(3):
        filters, one = explicit_filters(layer, code[row]), x[row : row + 1]
        stride, dilation = conv.get("stride", 1), conv.get("dilation", 1)
        padding = conv.get("padding", dilation * (layer.kernel - 1) // 2)
        if conv.get("transposed"):
            extra = conv.get("output_padding", 0)
            out = F.conv_transpose2d(one, filters, layer.bias, stride, padding, extra, dilation=dilation)
        elif conv.get("padding_mode") == "reflect":
            out = F.conv2d(F.pad(one, [padding] * 4, mode="reflect"), filters, layer.bias, stride, 0, dilation)
        else:
            out = F.conv2d(one, filters, layer.bias, stride, padding, dilation)
        expected.append(out)
    assert torch.allclose(layer(x, code), torch.cat(expected), atol=1e-5)
    if not conv.get("transposed"):
        assert torch.allclose(layer.in_two_steps(x, code), torch.cat(expected), atol=1e-5)


@pytest.mark.parametrize("side", [5, 20])
def test_wide_layers_sample_in_two_steps_and_train_with_composed_filters(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, called = basis_conv(WIDE, WIDE), []
    x, code = torch.randn(2, WIDE, side, side).contiguous(memory_format=torch.channels_last), torch.randn(2, 67)
    steps = layer.in_two_steps
    monkeypatch.setattr(layer, "in_two_steps", lambda *given: called.append(1) or steps(*given))
    composed = layer(x, code)
    assert not called
    with torch.no_grad():
        sampled = layer(x, code)
    assert called
    assert torch.allclose(sampled, composed, atol=1e-4 * float(composed.detach().std()))
    assert sampled.is_contiguous(memory_format=torch.channels_last)


def test_a_sampled_convolution_gives_the_shapes_of_the_plain_one_it_replaces() -> None:
    from variegate.randomness.sites import convolution

    for conv in CONVOLUTIONS.values():
        plain, sampled = convolution(3, 4, **conv), basis_conv(3, 4, **conv)
        x = torch.randn(2, 3, 8, 10)
        assert sampled(x, torch.randn(2, 70)).shape == plain(x).shape


@pytest.mark.parametrize(("bases", "separate", "generator"), [(5, False, 7_085), (7, False, 8_255), (5, True, 4_745)])
def test_a_sampled_convolution_has_the_published_number_of_parameters(
    bases: int, separate: bool, generator: int
) -> None:
    layer = basis_conv(256, 256, bases, separate)
    assert count(layer.basis_generator) == generator
    assert count(layer) == bases * 256 * 256 + 256 + generator
    assert bases * 256 * 256 < 9 * 256 * 256, "fewer coefficients than a plain 3x3 convolution has weights"


def test_sampled_filters_start_near_the_scale_of_the_host_and_depend_on_the_code() -> None:
    with torch.no_grad():
        layer = basis_conv(256, 256)
        filters = torch.stack([layer.filters(torch.randn(1, 70))[0] for _ in range(40)])
    assert float(filters.std()) == pytest.approx(0.0155, abs=0.002)
    varying = float(filters.var(dim=0).mean() / filters.square().mean())
    assert varying == pytest.approx(0.63, abs=0.15)


def test_initialising_the_host_leaves_the_basis_generators_alive() -> None:
    torch.manual_seed(0)
    generator = build(ResNetConfig(blocks=2), BasisFiltersConfig(), 3, 3, (16, 16))
    layer = next(module for module in generator.modules() if isinstance(module, BasisConv))
    with torch.no_grad():
        filters = torch.stack([layer.filters(torch.randn(1, generator.code_size))[0] for _ in range(20)])
    assert float(filters.std()) == pytest.approx(0.0155, abs=0.003)


def test_gradients_reach_coefficients_bias_and_the_whole_basis_generator() -> None:
    layer = basis_conv(3, 4)
    layer(torch.randn(2, 3, 5, 5), torch.randn(2, 70)).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name


def test_a_layer_reads_its_own_part_of_the_code_only() -> None:
    layer = basis_conv(3, 4)  # reads entries 3 .. 66
    x, code = torch.randn(1, 3, 5, 5), torch.randn(1, 70)
    outside, inside = code.clone(), code.clone()
    outside[:, :3], outside[:, 67:] = 9.0, 9.0
    inside[:, 3] += 1.0
    assert torch.equal(layer(x, outside), layer(x, code))
    assert not torch.allclose(layer(x, inside), layer(x, code))


# noise and norms


@pytest.mark.parametrize("size", [(64, 64), (64, 128)])
def test_noise_keeps_unit_deviation_at_every_level(size: tuple[int, int]) -> None:
    generator = build(CRNConfig(widths=(4,) * 6), NoiseInputConfig(encoder=False), 3, 3, size)
    seen: list[Tensor] = []
    for module in generator.modules():
        if isinstance(module, NoiseInputLayer):
            module.inner.register_forward_pre_hook(lambda _m, args: seen.append(args[0][:, -10:]))
    with torch.no_grad():
        generator(torch.rand(1, 3, *size), generator.draw([(0, i) for i in range(24)]).unsqueeze(0))
    assert [tensor.shape[-2] for tensor in seen] == [2, 4, 8, 16, 32, 64]
    for tensor in seen:
        assert float(tensor.std()) == pytest.approx(1, abs=0.06)
        assert float(tensor.mean()) == pytest.approx(0, abs=0.06)


def test_encoded_noise_is_the_encoder_of_condition_and_noise_strided() -> None:
    generator = build(CRNConfig(widths=(4, 4, 4)), NoiseInputConfig(channels=2, hidden=5), 3, 3, (8, 16))
    seen: list[Tensor] = []
    for module in generator.modules():
        if isinstance(module, NoiseInputLayer):
            module.inner.register_forward_pre_hook(lambda _m, args: seen.append(args[0][:, -2:]))
    condition, code = torch.rand(1, 3, 8, 16), torch.randn(1, 2 * 8 * 16)
    with torch.no_grad():
        generator(condition, code.unsqueeze(0))
        encoder = next(module for module in generator.modules() if isinstance(module, NoiseEncoder))
        encoded = encoder(torch.cat([condition, code.view(1, 2, 8, 16)], dim=1))
    for tensor, step in zip(seen, (4, 2, 1), strict=True):
        assert torch.equal(tensor, encoded[..., ::step, ::step])


def test_the_noise_encoder_has_the_published_size_and_deviation_on_any_backbone() -> None:
    assert count(NoiseEncoder(20, 10, 100)) == 118_410
    for backbone, sites in ((CRNConfig(widths=(4, 4)), "level*.conv1"), (ResNetConfig(width=4, blocks=1), "inner")):
        generator = build(backbone, NoiseInputConfig(sites=(sites,)), 20, 3, (16, 16))
        encoder = next(module for module in generator.modules() if isinstance(module, NoiseEncoder))
        for layer in (encoder[0], encoder[3], encoder[6]):
            # a normal of deviation 0.15 cut at two deviations has 0.88 of it
            assert layer.weight.std().item() == pytest.approx(0.132, abs=0.012)
            assert layer.weight.abs().max().item() <= 0.3


def test_layer_norm_is_over_channels_and_plane_jointly_with_a_gain_per_channel() -> None:
    factory = norm_layer("layer")
    assert factory is not None
    norm = factory(6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(3, 6, 5, 7) * 3 + 1
    expected = F.layer_norm(x, x.shape[1:], eps=1e-12) * norm.weight[:, None, None] + norm.bias[:, None, None]
    assert torch.allclose(norm(x), expected, atol=1e-5)


def test_dropout_keeps_the_mean_and_drops_the_stated_share_where_the_code_says() -> None:
    randomness = ElementDropoutConfig(sites=("only",), ratio=0.3).build(Shapes(3, 3, (8, 8)))
    layer = randomness.layer("only", 3, 16, size=(8, 8))
    x, code = torch.randn(4, 3, 8, 8), torch.rand(4, randomness.size)
    plain, dropped = layer.inner(x, None), layer(x, code)
    kept = code.view(4, 16, 8, 8) > 0.3
    assert torch.allclose(dropped, torch.where(kept, plain / 0.7, torch.zeros(()))), "inverted dropout, from the code"
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.03)


# whole networks


def build(generator: Component, randomness: Component, condition: int, image: int, size: tuple[int, int]) -> nn.Module:
    return generator.build(randomness.build(Shapes(condition, 3, size)), Shapes(condition, image, size))


@pytest.mark.parametrize(
    ("generator", "randomness", "condition", "size", "published"),
    [
        (UNetConfig(), NoRandomnessConfig(), 3, (256, 256), 54_413_955),
        (ResNetConfig(), NoRandomnessConfig(), 3, (256, 256), 11_383_427),
        (CRNConfig(), NoRandomnessConfig(), 20, (256, 512), 97_863_171),
        (CRNConfig(), NoRandomnessConfig(), 20, (512, 1024), 98_622_851),
        (CRNConfig(), NoRandomnessConfig(), 20, (1024, 2048), 98_674_531),
        (CRNConfig(), NoiseInputConfig(encoder=False), 20, (256, 512), 98_416_131),
        (CRNConfig(), NoiseInputConfig(), 20, (256, 512), 98_416_131 + 118_410),
    ],
    ids=["unet", "resnet", "crn256", "crn512", "crn1024", "crn+noise", "crn+encoder"],
)
def test_a_full_generator_has_the_published_number_of_parameters(
    generator: Component, randomness: Component, condition: int, size: tuple[int, int], published: int
) -> None:
    with torch.device("meta"):
        assert count(build(generator, randomness, condition, 3, size)) == published


def test_the_dropout_of_the_full_unet_sits_in_the_three_published_layers() -> None:
    with torch.device("meta"):
        randomness = ElementDropoutConfig(sites=("up[5-7]",)).build(Shapes(3, 3, (256, 256)))
        UNetConfig().build(randomness, Shapes(3, 3, (256, 256)))
    assert randomness.sites == {"up5", "up6", "up7"}
    assert randomness.size == 512 * (16**2 + 8**2 + 4**2)


def test_basisgan_has_fewer_parameters_than_the_host_it_is_made_from() -> None:
    with torch.device("meta"):
        sampled = count(build(ResNetConfig(), BasisFiltersConfig(), 3, 3, (256, 256)))
    assert sampled == 11_383_427 - 9 * (9 - 5) * 256 * 256 + 9 * 7_085


def test_the_patch_discriminator_has_the_published_size_and_sees_70_pixels() -> None:
    discriminator = PatchGAN(6)
    assert count(discriminator) == 2_768_705
    narrow = PatchGAN(2, width=4, norm="none").eval()
    image = torch.randn(1, 1, 256, 256, requires_grad=True)
    logits = narrow(torch.randn(1, 1, 256, 256), image)[0][-1]
    assert logits.shape == (1, 1, 30, 30)
    logits[0, 0, 15, 15].backward()
    rows = image.grad[0, 0].abs().sum(dim=1).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == 70


def published_unet(network: nn.Module, x: Tensor) -> Tensor:
    """pix2pix's recursive U-Net with the weights of `network`, written from the published description."""
    layers = {name: stage.layer for name, stage in network.stages.items()}
    depth = len(layers) // 2

    def level(k: int, x: Tensor) -> Tensor:
        down, up = layers[f"down{k}"], layers[f"up{k}"]
        inner = F.conv2d(x if k == 1 else F.leaky_relu(x, 0.2), down.conv.weight, down.conv.bias, 2, 1)
        if 1 < k < depth:
            inner = batch_norm(inner, down.norm)
        inner = level(k + 1, inner) if k < depth else inner
        out = F.conv_transpose2d(F.relu(inner), up.conv.weight, up.conv.bias, 2, 1)
        return torch.tanh(out) if k == 1 else torch.cat([x, batch_norm(out, up.norm)], dim=1)

    return level(1, x)


def batch_norm(x: Tensor, norm: nn.Module) -> Tensor:
    mean, variance = x.mean(dim=(0, 2, 3), keepdim=True), x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]


def test_the_unet_computes_what_pix2pix_publishes() -> None:
    torch.manual_seed(0)
    network = build(UNetConfig(width=4), NoRandomnessConfig(), 3, 3, (32, 32)).train()
    x = torch.randn(3, 3, 32, 32)
    images = network(x, torch.empty(3, 1, 0))[:, 0]
    assert torch.allclose(images, published_unet(network, x), atol=1e-4)


def test_the_resnet_computes_what_pix2pix_publishes() -> None:
    torch.manual_seed(0)
    network = build(ResNetConfig(width=4, blocks=2), NoRandomnessConfig(), 3, 3, (16, 16)).train()
    parts = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    norms = iter([m for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    inner, down1, down2, *blocks, up1, up2, outer = [conv.weight for conv in parts]
    x = inputs = torch.randn(3, 3, 16, 16)

    def reflect(x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, [weight.shape[-1] // 2] * 4, mode="reflect"), weight)

    x = F.relu(batch_norm(reflect(x, inner), next(norms)))
    for weight in (down1, down2):
        x = F.relu(batch_norm(F.conv2d(x, weight, None, 2, 1), next(norms)))
    for first, second in zip(blocks[::2], blocks[1::2]):
        y = F.relu(batch_norm(reflect(x, first), next(norms)))
        x = x + batch_norm(reflect(y, second), next(norms))
    for weight in (up1, up2):
        x = F.relu(batch_norm(F.conv_transpose2d(x, weight, None, 2, 1, 1), next(norms)))
    expected = torch.tanh(reflect(x, outer) + parts[-1].bias[:, None, None])
    assert torch.allclose(network(inputs, torch.empty(3, 1, 0))[:, 0], expected, atol=1e-4)


def test_the_cascaded_network_computes_what_chen_and_koltun_publish() -> None:
    torch.manual_seed(0)
    network = build(CRNConfig(widths=(5, 4, 3)), NoRandomnessConfig(), 2, 3, (8, 16))
    label = torch.rand(2, 2, 8, 16)
    levels = [stage for name, stage in network.stages.items() if name.startswith("level")]
    x = torch.empty(2, 0, 2, 4)
    for i, stage in enumerate(levels):
        height, width = 2 << i, 4 << i
        if i:
            x = F.interpolate(x, (height, width), mode="bilinear", align_corners=True)
        x = torch.cat([x, F.interpolate(label, (height, width), mode="area")], dim=1)
        for layer in (stage.conv1, stage.conv2):
            x = F.conv2d(x, layer.conv.weight, None, padding=1)
            x = F.leaky_relu(F.layer_norm(x, x.shape[1:], eps=1e-12), 0.2)
    expected = F.conv2d(x, network.stages["output"].conv.weight, network.stages["output"].conv.bias)
    assert torch.allclose(network(label, torch.empty(2, 1, 0))[:, 0], expected, atol=1e-5)


def test_networks_start_with_the_published_deviations() -> None:
    torch.manual_seed(0)
    unet = build(UNetConfig(width=32), NoRandomnessConfig(), 3, 3, (32, 32))
    for stage in list(unet.stages.values())[1:-1]:
        assert stage.layer.conv.weight.std().item() == pytest.approx(0.02, rel=0.05)
    crn = build(CRNConfig(widths=(32, 32)), NoRandomnessConfig(), 3, 3, (8, 8))
    weight = crn.stages["level1"].conv2.conv.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.05), "Glorot"


def test_several_scales_judge_the_image_and_its_halvings() -> None:
    patches = [PatchGAN(4, width=4, layers=1) for _ in range(2)]
    condition, image = torch.randn(1, 1, 32, 32), torch.randn(1, 3, 32, 32)
    scales = MultiScale(patches).eval()(condition, image)
    assert [len(maps) for maps in scales] == [3, 3]
    small = F.avg_pool2d(torch.cat([condition, image], dim=1), 3, 2, 1, count_include_pad=False)
    alone = patches[1].eval()(small[:, :1], small[:, 1:])[0]
    assert all(torch.allclose(a, b) for a, b in zip(scales[1], alone, strict=True))


def test_perceptual_features_are_those_of_torchvisions_vgg19_with_average_pools() -> None:
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    layers = make_layers(cfgs["E"])
    state = {f"features.{key}": value for key, value in layers.state_dict().items()}
    features = VGG19(state).eval()
    image = torch.rand(1, 3, 32, 48) * 2 - 1
    x = ((image + 1) / 2 - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    expected, block, conv = [image], 1, 0
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.MaxPool2d):
                x, block, conv = F.avg_pool2d(x, 2), block + 1, 0
                continue
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                conv += 1
                if conv == 2:
                    expected.append(x.clone())
        maps = features(image)
    assert [tuple(a.shape) for a in maps] == [tuple(b.shape) for b in expected]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(maps, expected, strict=True))
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_random_features_are_the_same_on_every_machine_and_ignore_the_global_seed() -> None:
    torch.manual_seed(1)
    one = VGG19(None, width=0.125)
    torch.manual_seed(2)
    two = VGG19(None, width=0.125)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
