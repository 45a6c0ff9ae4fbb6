"""Weights of the public pix2pix, CycleGAN and BicycleGAN repositories give the same images here."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers.public_networks import PublicAddAll, PublicBlock, PublicResNet, PublicUNet
from variegate.core.errors import CheckpointError
from variegate.core.interfaces import Generator
from variegate.methods import method
from variegate.model.imported import ImportedGenerator, read_pth

CLOSE = {"rtol": 0, "atol": 1e-5}


# help


@torch.no_grad()
def trained(network: nn.Module) -> nn.Module:
    """Random weights that keep signals large, and running statistics as if data had been seen."""
    torch.manual_seed(2)
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if tensor.ndim == 4:
            tensor.normal_(0, 1.5 * (tensor[0].numel()) ** -0.5)
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point():
            tensor.normal_(0, 0.3)
    for block in (module for module in network.modules() if isinstance(module, PublicBlock)):
        for tensor in [p for p in block.parameters() if p.ndim == 4][1:]:
            tensor.mul_(0.3)  # sums of blocks would saturate the tanh
    return network.eval()


def saved(network: nn.Module, folder: Path) -> Path:
    path = folder / "latest_net_G.pth"
    torch.save(network.state_dict(), path)
    return path


def built(found: ImportedGenerator) -> Generator:
    chosen = method(found.name, found.options)
    generator = chosen.build_generator(found.shapes)
    generator.load_state_dict(found.state)
    return generator.eval()


@torch.no_grad()
def agree(network: nn.Module, found: ImportedGenerator) -> None:
    """Equal images of the same random images (2, K, H, W), and not trivially so."""
    generator = built(found)
    x = torch.rand(2, found.shapes.condition_channels, *found.shapes.size) * 2 - 1
    code = torch.randn(2, generator.code_size)
    expected = network(x, code) if generator.code_size else network(x)
    assert expected.std(dim=(2, 3)).min() > 0.02
    assert expected.abs().mean() < 0.95
    assert torch.allclose(generator(x, code.unsqueeze(1))[:, 0], expected, **CLOSE)


# equal images


@pytest.mark.parametrize("depth", [7, 8])
@pytest.mark.parametrize("norm", ["batch", "instance", "legacy", "identity"])
def test_unets_of_pix2pix(depth: int, norm: str, tmp_path: Path) -> None:
    network = trained(PublicUNet(depth, norm))
    found = read_pth(saved(network, tmp_path))
    assert (found.name, found.shapes.size, found.shapes.condition_channels) == ("pix2pix", (2**depth, 2**depth), 3)
    expected = {"identity": "none", "legacy": "instance"}.get(norm, norm)
    assert method(found.name, found.options).generator.norm == expected
    if norm == "legacy":  # the public loader drops the statistics, so its network has none either
        network = PublicUNet(depth, "instance").eval()
        network.load_state_dict(torch.load(tmp_path / "latest_net_G.pth"), strict=False)
    agree(network, found)


@pytest.mark.parametrize(("blocks", "side"), [(6, 128), (9, 256)])
@pytest.mark.parametrize("norm", ["batch", "instance", "identity"])
def test_resnets_of_pix2pix_and_cyclegan(blocks: int, side: int, norm: str, tmp_path: Path) -> None:
    network = trained(PublicResNet(blocks, norm, channels=1))
    found = read_pth(saved(network, tmp_path))
    assert (found.name, found.shapes.size, found.shapes.condition_channels) == ("pix2pix", (side, side), 1)
    assert method(found.name, found.options).generator.blocks == blocks
    agree(network, found)


@pytest.mark.parametrize("depth", [7, 8])
@pytest.mark.parametrize("norm", ["instance", "none"])
def test_bicyclegans_with_the_code_at_the_input(depth: int, norm: str, tmp_path: Path) -> None:
    network = trained(PublicUNet(depth, norm, channels=1, code=8))
    found = read_pth(saved(network, tmp_path))
    assert (found.name, found.shapes.condition_channels) == ("bicyclegan", 1)
    assert method(found.name, found.options).generator.norm == norm
    agree(network, found)


@pytest.mark.parametrize(("depth", "channels", "code"), [(7, 1, 8), (8, 3, 8), (7, 3, 5)])
def test_bicyclegans_with_the_code_at_every_level(depth: int, channels: int, code: int, tmp_path: Path) -> None:
    network = trained(PublicAddAll(depth, channels, code))
    found = read_pth(saved(network, tmp_path))
    assert (found.name, found.shapes.condition_channels) == ("bicyclegan", channels)
    assert method(found.name, found.options).objective.code_size == code
    agree(network, found)


@pytest.mark.parametrize(
    ("network", "layer"),
    [(PublicUNet(7, dropout=True), "up%d"), (PublicUNet(8, dropout=True), "up%d"), (PublicResNet(6, dropout=True), "")],
    ids=["unet_128", "unet_256", "resnet"],
)
def test_dropout_becomes_the_code(network: nn.Module, layer: str, tmp_path: Path) -> None:
    """The same masks in both networks give the same images, in eval mode but for the dropout."""
    found = read_pth(saved(trained(network), tmp_path), noise="dropout")
    generator = built(found)
    drops = [module for module in network.modules() if isinstance(module, nn.Dropout)]
    sites = sorted(generator.randomness.sites, reverse=bool(layer))  # the deepest level of a U-Net comes first
    assert len(sites) == len(drops)
    code = generator.draw([(0, 0)])
    for site, drop in zip(sites, drops, strict=True):
        part = generator.get_submodule(f"stages.{site}" + (".layer" if layer else ""))
        mask = code[:, part.part].unflatten(1, part.shape) > 0.5
        drop.register_forward_hook(lambda _module, _args, out, mask=mask: out * mask * 2)
    x = torch.rand(1, 3, *found.shapes.size) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(generator(x, code.unsqueeze(0))[:, 0], network(x), **CLOSE)


def test_training_mode_draws_one_image_as_the_public_script_does(tmp_path: Path) -> None:
    """Batch normalisation with the statistics of the single image."""
    network = trained(PublicUNet(7))
    generator = built(read_pth(saved(network, tmp_path))).train()
    x = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        assert torch.allclose(generator(x, torch.empty(1, 1, 0))[:, 0], network.train()(x), **CLOSE)


# what files look like


def test_prefixes_half_precision_and_old_files_are_understood(tmp_path: Path) -> None:
    network = trained(PublicUNet(7))
    state = {f"module._orig_mod.{name}": value for name, value in network.state_dict().items()}
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    path = tmp_path / "G.pth"
    torch.save(OrderedDict(state), path, _use_new_zipfile_serialization=False)
    agree(network, read_pth(path))
    torch.save(network.half().state_dict(), path)
    found = read_pth(path)
    assert {tensor.dtype for tensor in found.state.values()} == {torch.float32, torch.int64}
    built(found)


def test_files_that_look_alike_are_told_apart_by_the_code_size_given(tmp_path: Path) -> None:
    network = trained(PublicUNet(7, "instance", channels=11))
    path = saved(network, tmp_path)
    assert read_pth(path).name == "bicyclegan"
    found = read_pth(path, code_size=0)
    assert (found.name, found.shapes.condition_channels) == ("pix2pix", 11)
    agree(network, found)
    network = trained(PublicUNet(7, "instance", channels=2, code=5))
    found = read_pth(saved(network, tmp_path), code_size=5)
    assert (found.name, found.shapes.condition_channels) == ("bicyclegan", 2)
    agree(network, found)
    assert "5 values, 2 wide, instance normalisation, 2 channels to 3" in found.note


# what is refused


def refused(path: Path, words: str, code_size: int | None = None) -> None:
    with pytest.raises(CheckpointError, match=words) as error:
        read_pth(path, code_size)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text


def test_files_that_are_missing_damaged_or_something_else_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.pth", "cannot be opened .*No such file")
    refused(tmp_path, "cannot be opened")
    whole = saved(PublicUNet(7), tmp_path).read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not weights" * 50, whole.replace(b"rebuild", b"xebuild")):
        (tmp_path / "damaged.pth").write_bytes(content)
        refused(tmp_path / "damaged.pth", "damaged|not loaded")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "expected a state dict, got list"),
        ({}, "expected a state dict, got dict"),
        ({"epoch": 3, "G": {}}, "'epoch' is not a tensor; give only the state dict of the generator"),
        (torch.zeros(3), "got Tensor"),
    ],
    ids=["list", "empty", "checkpoint", "tensor"],
)
def test_files_that_hold_no_state_dict_are_refused(content: object, words: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    refused(tmp_path / "other.pth", words)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('code of the file was run')",)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("content", [nn.Sequential(nn.Linear(1, 1)), {"x": Evil()}], ids=["module", "code"])
def test_pickled_objects_are_refused_and_never_run(content: object, legacy: bool, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "object.pth", _use_new_zipfile_serialization=not legacy)
    refused(tmp_path / "object.pth", "Python object .*save network.state_dict")


def patch_discriminator() -> nn.Module:
    network = nn.Module()
    network.model = nn.Sequential(nn.Conv2d(6, 4, 4), nn.LeakyReLU(), nn.Conv2d(4, 1, 4))
    return network


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (nn.Linear(2, 2), "'weight' belongs to no known generator; pix2pix's U-Nets"),
        (patch_discriminator(), "'model.0.weight' belongs to no known generator"),
        (PublicResNet(2, resizing=True), "upsamples by resizing"),
        (PublicResNet(2, zeros=True), "with reflection padding"),
        (PublicUNet(7, "batch", code=8), "both a bias and batch normalisation"),
    ],
    ids=["linear", "discriminator", "resizing", "zeros", "batch bicycle"],
)
def test_networks_that_cannot_be_imported_are_refused(network: nn.Module, words: str, tmp_path: Path) -> None:
    refused(saved(network, tmp_path), words)


def test_up_sampling_by_resizing_is_refused_in_unets_too(tmp_path: Path) -> None:
    network = PublicAddAll(7)
    network.model.up = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Tanh())
    refused(saved(network, tmp_path), "layer up1 must have 4x4 filters, got 3x3")


def test_missing_and_foreign_tensors_are_named(tmp_path: Path) -> None:
    state = PublicUNet(7).state_dict()
    below = "model.model.1.model."
    torch.save({k: v for k, v in state.items() if k != f"{below}2.running_var"}, tmp_path / "G.pth")
    refused(tmp_path / "G.pth", r"stages.down2.layer.norm.running_var: expected shape \(4,\), got nothing")
    torch.save({k: v for k, v in state.items() if not k.startswith(f"{below}5.")}, tmp_path / "G.pth")
    refused(tmp_path / "G.pth", "level 2 of its U-Net must have 2 convolutions, got 1")
    torch.save({**state, f"{below}1.weight": torch.zeros(5, 2, 4, 4)}, tmp_path / "G.pth")
    refused(tmp_path / "G.pth", r"expected shape \(4, 2, 4, 4\), got shape \(5, 2, 4, 4\)")
    torch.save({**state, f"{below}1.extra": torch.zeros(2)}, tmp_path / "G.pth")
    refused(tmp_path / "G.pth", r"stages.down2.layer.conv.extra: expected nothing, got shape \(2,\)")


def test_a_code_larger_than_the_first_convolution_reads_is_refused(tmp_path: Path) -> None:
    refused(saved(PublicUNet(7, "instance"), tmp_path), "would read -5 channels and a code of 8", code_size=8)


class Attention(nn.Module):
    """Self-attention behind the blocks (SAGAN), as relatives of the public networks have it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.gamma = nn.Parameter(torch.zeros(1))


class BlurPool(nn.Module):
    """An anti-aliased network's fixed filter, a buffer (Zhang 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filt", torch.ones(1, 1, 3, 3) / 9)


@pytest.mark.parametrize(
    ("part", "name"), [(Attention(8), r"model\.16\.gamma"), (BlurPool(), r"model\.16\.filt")], ids=["attention", "blur"]
)
def test_a_part_that_no_layer_uses_is_named_and_nothing_is_imported(part: nn.Module, name: str, tmp_path: Path) -> None:
    network = PublicResNet(6)
    entries = list(network.model)
    network.model = nn.Sequential(*entries[:16], part, *entries[16:])
    refused(saved(network, tmp_path), rf"tensor '{name}'.* would be left out")


def test_a_scale_that_replaces_a_gain_is_not_lost(tmp_path: Path) -> None:
    network = PublicResNet(6)
    entries = list(network.model)
    network.model = nn.Sequential(*entries[:3], nn.PReLU(4), *entries[4:])
    refused(saved(network, tmp_path), "would be left out|belongs")
