"""Cascaded refinement networks: their size, heads, noise pyramid, norm, and the way from heads to noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from variegate import train
from variegate.core.errors import CheckpointError, ConfigError
from variegate.core.interfaces import Generator, Shapes
from variegate.methods import method
from variegate.model.model import Model
from variegate.networks.blocks import norm_layer
from variegate.randomness.noise_input import NoiseInputLayer
from variegate.runs.settings import ExecutionSettings

pytestmark = pytest.mark.core

LABELS = 4
SIZE = (16, 32)
WIDTHS = {"generator.widths": [8, 8, 6, 4]}
NOISE = {"randomness.channels": 3, "randomness.hidden": 6}


def made(name: str, seed: int = 0, **options: str) -> Generator:
    torch.manual_seed(seed)
    return method(name, {**WIDTHS, **options}).build_generator(Shapes(LABELS, 3, SIZE)).eval()


def test_without_a_condition_it_draws_from_noise_alone() -> None:
    torch.manual_seed(0)
    made = method("cimle", {**WIDTHS, **NOISE}).build_generator(Shapes(0, 3, SIZE)).eval()
    nothing = torch.zeros(2, 0, *SIZE)
    codes = made.draw([(0, i) for i in range(6)]).unflatten(0, (2, 3))
    images = made(nothing, codes)
    assert images.shape == (2, 3, 3, *SIZE)
    assert torch.allclose(made(nothing[:1], codes[1:])[0], images[1], atol=1e-5), "nothing else changes them"
    assert (images[0, 0] - images[0, 1]).abs().mean() > 1e-4
    elsewhere = {**WIDTHS, **NOISE, "randomness.sites": ["level2.conv1"]}
    with pytest.raises(ConfigError, match="without a condition only from noise that its first level reads"):
        method("cimle", elsewhere).build_generator(Shapes(0, 3, SIZE))


def layout(count: int = 1) -> Tensor:
    ids = torch.randint(LABELS, (count, *SIZE), generator=torch.Generator().manual_seed(4))
    return F.one_hot(ids, LABELS).permute(0, 3, 1, 2).float()


# the fact sheets' numbers


def parameters(name: str, height: int, part: str = "stages", **options: str) -> int:
    with torch.device("meta"):
        generator = method(name, options).build_generator(Shapes(20, 3, (height, 2 * height)))
    return sum(value.numel() for key, value in generator.named_parameters() if key.startswith(part))


@pytest.mark.parametrize(
    ("name", "options", "height", "count"),
    [
        ("crn", {"heads": 1}, 256, 97_863_171),
        ("crn", {}, 256, 97_875_483),
        ("crn", {"noise": "input"}, 256, 98_416_131),
        ("cimle", {}, 256, 98_416_131),
        ("crn", {"heads": 1}, 512, 98_622_851),
        ("crn", {"heads": 1}, 1024, 98_674_531),
    ],
)
def test_it_has_as_many_parameters_as_the_released_network(
    name: str, options: dict[str, Any], height: int, count: int
) -> None:
    assert parameters(name, height, **options) == count


def test_the_noise_encoder_has_as_many_parameters_as_the_released_one() -> None:
    assert parameters("cimle", 256, "randomness.encoder") == 118_410


# heads


def test_a_code_names_the_head_and_channels_lie_colour_by_colour() -> None:
    generator = made("crn", heads=5)
    features = generator.encode(layout())
    whole = generator.get_submodule("stages.output.conv.inner")(features.state[-1])  # 5 R, 5 G, 5 B
    for u, head in ((0.0, 0), (0.19, 0), (0.21, 1), (0.5, 2), (0.99, 4), (1.0, 4), (1 - 2**-24, 4)):
        image = generator.decode(features, torch.tensor([[u]]))
        assert torch.allclose(image, whole[:, head::5], atol=1e-6), u


def test_all_heads_of_several_conditions_come_from_one_run_of_every_stage() -> None:
    generator, rows = made("crn", heads=5), []
    for stage in generator.stages.values():  # type: ignore[union-attr, operator]
        stage.register_forward_hook(lambda _m, args, _out: rows.append(len(args[0][-1])))
    codes = torch.rand(2, 7, 1)
    images = generator(layout(2), codes)
    assert images.shape == (2, 7, 3, *SIZE)
    assert rows == [2] * 5
    for row in range(2):
        for sample in range(7):
            alone = generator(layout(2)[row : row + 1], codes[row : row + 1, sample : sample + 1])
            torch.testing.assert_close(images[row, sample], alone[0, 0])


def test_the_output_of_a_network_without_heads_has_the_names_that_saved_models_know() -> None:
    for name, options in (("crn", {"heads": 1}), ("cimle", NOISE)):
        keys = made(name, **options).state_dict().keys()
        assert {"stages.output.conv.weight", "stages.output.conv.bias"} <= keys


def test_heads_may_sit_at_any_layer() -> None:
    generator = made("crn", heads=3, **{"randomness.sites": ["level2.conv1", "output"]})
    images = generator(layout(2), torch.tensor([0.1, 0.5, 0.9]).view(1, 3, 1).expand(2, -1, -1))
    assert (images[:, 0] - images[:, 1]).abs().min(dim=0).values.mean() > 0
    with torch.no_grad():
        features = generator.encode(layout(2))
        torch.testing.assert_close(images[:, 1], generator.decode(features, torch.full((2, 1), 0.5)))


# noise and norm


def test_the_noise_of_a_field_has_unit_deviation_at_every_level() -> None:
    """Averaging would leave 1/2^level of it."""
    widths = {"generator.widths": [4, 4, 4, 4, 4, 4], "randomness.channels": 8, "encoder": False}
    torch.manual_seed(0)
    generator = method("cimle", widths).build_generator(Shapes(LABELS, 3, (128, 256)))
    seen: dict[str, Tensor] = {}
    for name, module in generator.named_modules():
        if isinstance(module, NoiseInputLayer):
            module.inner.register_forward_hook(
                lambda _m, args, _out, name=name: seen.__setitem__(name, args[0][:, -8:].detach())
            )
    ids = torch.randint(LABELS, (1, 128, 256))
    generator(F.one_hot(ids, LABELS).permute(0, 3, 1, 2).float(), generator.draw([(0, 0)])[None])
    assert [tuple(noise.shape[-2:]) for noise in seen.values()] == [(4 * 2**i, 8 * 2**i) for i in range(6)]
    for name, noise in seen.items():
        assert float(noise.std()) == pytest.approx(1, abs=0.12), name


def test_layer_norm_is_over_channels_and_pixels_together_with_a_gain_and_bias_per_channel() -> None:
    factory = norm_layer("layer")
    assert factory is not None
    norm = factory(5)
    nn.init.normal_(norm.weight)  # type: ignore[arg-type]
    nn.init.normal_(norm.bias)  # type: ignore[arg-type]
    x = torch.randn(3, 5, 4, 6) * 3 + 1
    expected = F.layer_norm(x, (5, 4, 6), eps=1e-12)
    expected = expected * norm.weight.view(1, 5, 1, 1) + norm.bias.view(1, 5, 1, 1)  # type: ignore[operator, union-attr]
    torch.testing.assert_close(norm(x), expected)
    by_hand = (x - x.mean((1, 2, 3), keepdim=True)) / x.var((1, 2, 3), correction=0, keepdim=True).sqrt()
    torch.testing.assert_close(F.layer_norm(x, (5, 4, 6), eps=1e-12), by_hand)


# from a trained CRN to conditional IMLE


def test_conversion_keeps_the_first_head_and_appends_noise_five_times_as_strong() -> None:
    old, new = made("crn", seed=1).state_dict(), made("cimle", seed=2, **NOISE)
    weights = new.adopt(old)
    new_state = new.state_dict()
    assert weights.keys() == new_state.keys()
    assert all(weights[key].shape == value.shape for key, value in new_state.items())
    assert torch.equal(weights["stages.output.conv.weight"], old["stages.output.conv.inner.weight"][[0, 9, 18]])
    assert torch.equal(weights["stages.output.conv.bias"], old["stages.output.conv.inner.bias"][[0, 9, 18]])
    for level in range(1, 5):
        before = old[f"stages.level{level}.conv1.conv.weight"]
        after = weights[f"stages.level{level}.conv1.inner.conv.weight"]
        assert torch.equal(after[:, : before.shape[1]], before)
        added = after[:, before.shape[1] :]
        assert added.shape[1] == 3
        assert float(added.square().mean().sqrt()) == pytest.approx(5 * float(before.square().mean().sqrt()), rel=0.25)
        assert torch.equal(
            weights[f"stages.level{level}.conv2.conv.weight"], old[f"stages.level{level}.conv2.conv.weight"]
        )
    for key, value in new_state.items():
        if key.startswith("randomness."):
            assert torch.equal(weights[key], value), "the noise encoder is fresh"


def test_without_noise_the_converted_network_draws_what_the_first_head_drew() -> None:
    old, new = made("crn", seed=1), made("cimle", seed=2, encoder=False, **{"randomness.channels": 3})
    new.load_state_dict(new.adopt(old.state_dict()))
    silent = torch.zeros(1, 1, new.code_size)
    torch.testing.assert_close(new(layout(), silent), old(layout(), torch.zeros(1, 1, 1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["true", "false"])
@pytest.mark.parametrize("options", [{}, {"heads": 1}, {"heads": 4}])
def test_a_crn_of_any_number_of_heads_is_taken(options: dict[str, Any], encoder: str) -> None:
    new = made("cimle", seed=2, **NOISE, encoder=encoder)
    new.load_state_dict(new.adopt(made("crn", seed=1, **options).state_dict()))


def test_its_own_weights_are_taken_as_they_are_and_another_networks_are_not_bent_to_fit() -> None:
    new = made("cimle", **NOISE)
    own = made("cimle", seed=3, **NOISE).state_dict()
    assert new.adopt(own) is own
    fewer = made("cimle", **{**NOISE, "randomness.channels": 2}).state_dict()
    assert new.adopt(fewer) is fewer
    other = made("crn", **{"generator.widths": [8, 6, 4]}).state_dict()
    assert new.adopt(other) is other


QUICK = {"perceptual": "laplacian", "widths": [8, 6, 4]}
CIMLE = {**QUICK, "randomness.channels": 3, "randomness.hidden": 6, "candidates": 2, "inner_steps": 2, "batch_size": 2}


def test_train_cimle_starts_from_a_run_of_crn_in_network_and_ema_alike(tmp_path: Path) -> None:
    run = ExecutionSettings(device="cpu", quiet=True)
    before = train("crn", "streets:20", tmp_path / "crn", size=16, steps=2, run=run, heads=3, **QUICK)
    zero = {"learning_rate.generator": 0.0, "restart.at": 0}
    after = train(
        "cimle", "streets:20", tmp_path / "cimle", size=16, steps=1, run=run, initial=before / "model", **CIMLE, **zero
    )
    old, new = (load_file(folder / "model" / "model.safetensors") for folder in (before, after))
    assert torch.equal(new["stages.output.conv.weight"], old["stages.output.conv.inner.weight"][[0, 3, 6]])
    norm = "stages.level2.conv1.inner.norm.weight"
    assert torch.equal(new[norm], old[norm.replace(".inner", "")])
    state = torch.load(after / "checkpoints" / "step-00000001" / "state.pt", weights_only=True)
    for key, value in state["generator"].items():
        assert torch.equal(state["ema"][key], value), key
    assert Model.load(before).generator.code_size == 1


def test_a_run_of_another_network_is_refused_in_one_sentence(tmp_path: Path) -> None:
    run = ExecutionSettings(device="cpu", quiet=True)
    before = train(
        "crn", "streets:20", tmp_path / "crn", size=16, steps=1, run=run, perceptual="laplacian", widths=[8, 4]
    )
    with pytest.raises(CheckpointError, match="crn: the saved weights belong to another network: ") as refused:
        train("cimle", "streets:20", tmp_path / "cimle", size=16, steps=1, run=run, initial=before, **CIMLE)
    words = str(refused.value)
    assert "its generator.widths differ from this run's; start from a run of the same method and widths" in words
    assert words.count('"') <= 2, "of all missing weights one is named"
    net = {"noise": "input", "generator.width": 4, "objective.layers": 2}
    with pytest.raises(CheckpointError, match="it is a crn run, not pix2pix; start from a run of the same method"):
        train("pix2pix", "streets:20", tmp_path / "pix2pix", size=16, steps=1, run=run, initial=before / "model", **net)
    (tmp_path / "images").mkdir()
    with pytest.raises(CheckpointError, match="images holds no saved model"):
        train(
            "cimle", "streets:20", tmp_path / "cimle", size=16, steps=1, run=run, initial=tmp_path / "images", **CIMLE
        )


def test_images_as_conditions_are_told_what_would_be_right(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for i in range(4):
        Image.effect_noise((16, 16), 90).convert("RGB").save(tmp_path / "images" / f"{i}.png")
    run = ExecutionSettings(device="cpu", quiet=True)
    with pytest.raises(ConfigError, match="not label maps; train on label maps or give --heads 1"):
        train("crn", tmp_path / "images", tmp_path / "run", size=16, steps=1, run=run, condition="grey", **QUICK)
