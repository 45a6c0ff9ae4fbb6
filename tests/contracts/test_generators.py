"""The laws that every generator obeys, whatever its backbone and randomness."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from helpers.variants import ALL, NOISY, codes, conditions, generator_of, size_of
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Generator, Shapes
from variegate.core.sampling import decode_in_chunks
from variegate.data.dataset.sampler import visit_key
from variegate.generators.autoencoder import Autoencoder
from variegate.generators.flow import Flow
from variegate.generators.moment_predictor import MomentPredictor
from variegate.generators.pixelcnn import PixelCNN
from variegate.generators.pixelnn import PixelNN
from variegate.generators.staged import Staged, first_reader
from variegate.methods import method
from variegate.randomness.sites import CodeLayer, PlainLayer

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module", params=ALL)
def case(request: pytest.FixtureRequest) -> tuple[str, Generator]:
    return request.param, generator_of(request.param)


@pytest.fixture(scope="module", params=NOISY)
def noisy(request: pytest.FixtureRequest) -> tuple[str, Generator]:
    return request.param, generator_of(request.param)


# law 1: seeds


@pytest.mark.core
def test_image_i_of_a_seed_is_the_same_for_any_number_chunk_and_order(case: tuple[str, Generator]) -> None:
    name, generator = case
    condition = conditions(name, 1)
    images = decode_in_chunks(generator, condition, codes(generator, 3, 5))[0]
    assert images.shape == (5, 3, *size_of(name))
    for chunk in (1, 2, 4):
        assert torch.allclose(decode_in_chunks(generator, condition, codes(generator, 3, 5), chunk)[0], images, **CLOSE)
    few = decode_in_chunks(generator, condition, codes(generator, 3, 2, first=2))[0]
    assert torch.allclose(few, images[2:4], **CLOSE)
    order = [4, 0, 3, 1, 2]
    shuffled = decode_in_chunks(generator, condition, generator.draw([(3, i) for i in order]))[0]
    assert torch.allclose(shuffled, images[order], **CLOSE)


@pytest.mark.core
def test_a_condition_gives_the_same_images_alone_and_in_a_batch(case: tuple[str, Generator]) -> None:
    name, generator = case
    condition, drawn = conditions(name, 3), codes(generator, 1, 2)
    together = decode_in_chunks(generator, condition, drawn)
    for row in range(3):
        assert torch.allclose(decode_in_chunks(generator, condition[row : row + 1], drawn)[0], together[row], **CLOSE)
    with torch.no_grad():
        forward = generator(condition, drawn.expand(3, -1, -1)).clamp(-1, 1)
    assert torch.allclose(forward, together, **CLOSE)


def test_training_codes_are_the_codes_of_the_visit_key_on_any_batch(noisy: tuple[str, Generator]) -> None:
    _, generator = noisy
    keys = torch.tensor([5, (3 << 40) + 7, 11])
    drawn = generator.draw_for(keys, 3)
    assert drawn.shape == (3, 3, generator.code_size)
    for row, key in enumerate(keys.tolist()):
        for sample in range(3):
            assert torch.equal(drawn[row, sample], generator.draw([(key, sample)])[0])


@pytest.mark.core
def test_codes_that_users_draw_were_not_trained_on() -> None:
    visited = {visit_key(0, position) for position in range(10_000)}
    assert not visited & set(range(1000))


# law 2: the code determines the image


@pytest.mark.core
def test_a_condition_and_a_code_determine_the_image_whatever_the_global_seed(case: tuple[str, Generator]) -> None:
    name, generator = case
    condition, drawn = conditions(name, 2), codes(generator, 0, 2)
    torch.manual_seed(1)
    first = decode_in_chunks(generator, condition, drawn)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(decode_in_chunks(generator, condition, drawn), first)
    assert torch.equal(torch.get_rng_state(), before), "sampling drew from the global generator"


@pytest.mark.core
def test_training_mode_has_no_other_randomness_than_evaluation_mode(case: tuple[str, Generator]) -> None:
    name, generator = case
    condition = conditions(name, 2)
    drawn = codes(generator, 0, 3).expand(2, -1, -1)
    saved = {key: value.clone() for key, value in generator.state_dict().items()}
    with torch.no_grad():
        evaluated = generator(condition, drawn)
        generator.train()
        trained = [generator(condition, drawn) for _ in range(2)]
        generator.load_state_dict(saved)  # batch norms moved their running statistics
        again = generator.eval()(condition, drawn)
    assert torch.equal(trained[0], trained[1]), "training mode draws something that is not in the code"
    assert torch.equal(again, evaluated)
    if generator.code_size:
        assert spread(trained[0][0]) > 0
    if not any(isinstance(module, nn.BatchNorm2d) for module in generator.modules()):
        assert torch.equal(trained[0], evaluated)


@pytest.mark.core
def test_different_codes_give_different_images_in_both_modes(noisy: tuple[str, Generator]) -> None:
    name, generator = noisy
    images = decode_in_chunks(generator, conditions(name, 1), codes(generator, 0, 4))[0]
    assert spread(images) > 1e-5 * float(images.abs().mean()), "two codes drew the same image"


def spread(images: Tensor) -> float:
    """The smallest mean difference of any two of the images (S, C, H, W)."""
    count = len(images)
    return min(float((images[i] - images[j]).abs().mean()) for i in range(count) for j in range(i))


@pytest.mark.core
@pytest.mark.parametrize("name", [name for name in ALL if " none " in name])
def test_without_randomness_the_code_is_empty_and_all_images_are_one(name: str) -> None:
    generator = generator_of(name)
    assert generator.code_size == 0
    images = decode_in_chunks(generator, conditions(name, 1), codes(generator, 0, 3))[0]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


@pytest.mark.core
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("pix2pix dropout unet", 32 * 2 * 2),  # up5 alone, 1x1 to 2x2
        ("pix2pix input unet", 8),
        ("pix2pix dropout resnet", 2 * 16 * 4 * 4),
        ("basisgan", 2 * 64),
        ("basisgan separate", 2 * 5 * 64),
        ("basisgan shared", 64),
        ("basisgan transposed", 3 * 64),
        ("crn heads", 1),
        ("latent dropout", 2 * 16),
        ("latent dropout elements", 2 * 8 * 16 * 16),
        ("latent dropout separate", 1),
        ("cimle field encoder", 3 * 16 * 32),
        ("cimle vector encoder", 5),
        ("cimle class codes", 5 + 2 * 4),
        ("cimle vector", 3),
        ("noise maps unet", 32 * (2 * 2 + 4 * 4)),
    ],
)
def test_the_code_holds_exactly_the_numbers_that_the_layers_read(name: str, size: int) -> None:
    generator = generator_of(name)
    assert generator.code_size == size
    code = codes(generator, 0, 1).requires_grad_()
    if generator.prior == "gaussian":  # a dropout mask is a step function of its code
        generator(conditions(name, 1), code.unsqueeze(0)).square().sum().backward()
        assert code.grad is not None
        dead = int((code.grad == 0).sum())
        assert dead <= 0.02 * size, f"{dead} of {size} entries of the code change nothing"


# law 3: encode once


def counted(stages: list[nn.Module]) -> list[list[int]]:
    """Rows that every call of each stage makes, filled as the stages run."""
    calls: list[list[int]] = [[] for _ in stages]
    for stage, rows in zip(stages, calls):
        stage.register_forward_hook(
            lambda _m, _args, out, rows=rows: rows.append(len(out if isinstance(out, Tensor) else out[-1]))
        )
    return calls


def parts(generator: Generator) -> tuple[list[nn.Module], list[nn.Module]]:
    """Stages that read no code, and the others."""
    if isinstance(generator, PixelCNN):  # whatever follows is no module's whole output
        return [part for name, part in generator.named_modules() if name.endswith((".condition", "encoder"))], []
    if isinstance(generator, Autoencoder):
        return [generator.encoder, generator.output], []
    if isinstance(generator, Flow):
        return [part for part in (generator.network.pyramid, generator.network.beside) if part is not None], []
    staged = generator.backbone if isinstance(generator, MomentPredictor | PixelNN) else generator
    assert isinstance(staged, Staged)
    return staged.deterministic, staged.stochastic


@pytest.mark.core
def test_the_deterministic_stages_run_once_per_condition_and_the_rest_once_per_code(
    case: tuple[str, Generator],
) -> None:
    name, _ = case
    generator = generator_of(name)
    first, rest = (counted(stages) for stages in parts(generator))
    with torch.no_grad():
        generator(conditions(name, 2), codes(generator, 0, 5).expand(2, -1, -1))
    assert first == [[2]] * len(first)
    assert rest == [[10]] * len(rest)


@pytest.mark.core
def test_twenty_images_of_one_condition_encode_it_exactly_once(case: tuple[str, Generator]) -> None:
    name, _ = case
    generator = generator_of(name)
    first, rest = (counted(stages) for stages in parts(generator))
    decode_in_chunks(generator, conditions(name, 1), codes(generator, 0, 20), chunk=8)
    assert first == [[1]] * len(first)
    assert rest == [[8, 8, 4]] * len(rest)


@pytest.mark.core
@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("pix2pix dropout unet", "up5"),
        ("pix2pix input unet", "down1"),
        ("pix2pix dropout resnet", "block1"),
        ("basisgan", "block1"),
        ("basisgan transposed", "block2"),
        ("cimle field encoder", "level1"),
        ("crn heads", "output"),
        ("latent dropout", "own"),
        ("latent dropout separate", "own"),
        ("latent dropout late", "output"),
        ("noise maps unet", "up3"),
    ],
)
def test_the_network_is_split_at_the_first_stage_that_reads_the_code(name: str, stage: str) -> None:
    generator = generator_of(name)
    assert isinstance(generator, Staged)
    names = list(generator.stages)
    assert names[generator.split] == stage
    before = [module for part in generator.deterministic for module in part.modules()]
    assert not any(isinstance(module, CodeLayer) for module in before)
    assert first_reader(list(generator.stages.values())) == generator.split


@pytest.mark.core
def test_decoding_leaves_the_features_as_they_were_so_they_can_be_used_again(case: tuple[str, Generator]) -> None:
    name, generator = case
    condition, drawn = conditions(name, 2), codes(generator, 4, 2)
    with torch.no_grad():
        features = generator.encode(condition)
        before = [tensor.clone() for tensor in features.state]
        first = generator.decode(features, drawn)
        generator.decode(features, drawn.flip(0))
        assert all(torch.equal(a, b) for a, b in zip(before, features.state))
        assert torch.equal(generator.decode(features, drawn), first)
        assert torch.allclose(generator(condition, drawn.unsqueeze(1))[:, 0], first, **CLOSE)


# rows, gradients, sizes, sites


@pytest.mark.core
def test_a_row_depends_on_its_own_condition_and_code_only(case: tuple[str, Generator]) -> None:
    name, generator = case
    condition, drawn = conditions(name, 2), codes(generator, 0, 2).unsqueeze(1)
    other = torch.cat([condition[:1], condition[1:].flip(-1).roll(1, dims=1)])
    others = torch.cat([drawn[:1], codes(generator, 9, 1).unsqueeze(1)])
    with torch.no_grad():
        one, two = generator(condition, drawn), generator(other, others)
    assert torch.allclose(one[0], two[0], **CLOSE)
    assert not torch.allclose(one[1], two[1], **CLOSE)


@pytest.mark.core
def test_every_parameter_of_a_generator_receives_a_gradient(case: tuple[str, Generator]) -> None:
    name, _ = case
    generator = generator_of(name).train()
    torch.manual_seed(0)
    if isinstance(generator, PixelCNN):  # what is drawn is a step function of the weights
        images = generator.log_prob(conditions(name, 2), torch.rand(2, 3, *size_of(name)) * 2 - 1)
    else:
        images = generator(conditions(name, 2), codes(generator, 0, 2).expand(2, -1, -1))
    (images * torch.randn_like(images)).sum().backward()
    without = [key for key, value in generator.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


ANY_SIZE = [
    "pix2pix dropout unet",
    "pix2pix input resnet",
    "basisgan",
    "basisgan transposed",
    "cimle field encoder",
    "cimle vector",
    "pixelnn",
    "noise maps unet",
]


@pytest.mark.core
@pytest.mark.parametrize("name", ANY_SIZE)
def test_images_of_any_size_keep_their_size(name: str) -> None:
    generator = generator_of(name)

    @settings(max_examples=8, derandomize=True, database=None)
    @given(st.integers(5, 70), st.integers(5, 70))
    def holds(height: int, width: int) -> None:
        images = decode_in_chunks(generator, conditions(name, 1, (height, width)), codes(generator, 0, 2))
        assert images.shape == (1, 2, 3, height, width)
        assert bool(images.isfinite().all())
        assert spread(images[0]) > 0

    holds()


@pytest.mark.core
@pytest.mark.parametrize("name", ANY_SIZE)
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (4, 4)])
def test_even_a_handful_of_pixels_keeps_its_size(name: str, size: tuple[int, int]) -> None:
    generator = generator_of(name)
    images = decode_in_chunks(generator, conditions(name, 1, size), codes(generator, 0, 1))
    assert images.shape == (1, 1, 3, *size)


@pytest.mark.core
def test_padding_only_adds_what_is_cropped_again() -> None:
    """Given at full size or cut by what padding would repeat, the pixels far from the border are the same."""
    generator = generator_of("pix2pix input resnet")
    whole = conditions("pix2pix input resnet", 1, (16, 64))
    whole[..., 61:] = whole[..., 60:61]
    drawn = codes(generator, 0, 1)
    cut = decode_in_chunks(generator, whole[..., :61], drawn)
    assert torch.allclose(cut, decode_in_chunks(generator, whole, drawn)[..., :61], **CLOSE)


@pytest.mark.core
def test_a_site_that_the_backbone_lacks_is_refused_with_the_names_it_has() -> None:
    wrong = method("basisgan", {"width": 4, "blocks": 2, "randomness.sites": ["blok*.conv2"]})
    with pytest.raises(ConfigError, match=r"'blok\*.conv2'.*block1\.conv2"):
        wrong.build_generator(Shapes(3, 3, (16, 16)))


@pytest.mark.core
def test_a_generator_that_does_not_fit_the_image_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="halvings do not fit 16x16"):
        method("pix2pix", {"width": 4, "noise": "none", "depth": 5}).build_generator(Shapes(3, 3, (16, 16)))
    with pytest.raises(ConfigError, match="divisible by 8, got 20x16"):
        method("cimle", {"widths": [4, 4, 4, 4]}).build_generator(Shapes(3, 3, (20, 16)))


@pytest.mark.core
def test_a_height_that_does_not_halve_to_the_coarsest_level_is_refused_with_one_that_does() -> None:
    with pytest.raises(ConfigError, match=r"a height of 360 pixels halves to 45, not to 4; use a height such as 256"):
        method("crn", {"heads": 1, "scale": 0.01}).build_generator(Shapes(3, 3, (360, 480)))


@pytest.mark.core
def test_all_codes_together_are_each_code_on_its_own_copy_of_the_features(noisy: tuple[str, Generator]) -> None:
    name, generator = noisy
    with torch.no_grad():
        features, drawn = generator.encode(conditions(name, 2)), codes(generator, 2, 6).unflatten(0, (2, 3))
        expected = generator.decode(features.repeat(3), drawn.flatten(0, 1)).unflatten(0, (2, 3))
        assert torch.allclose(generator.decode_all(features, drawn), expected, **CLOSE)


@pytest.mark.core
@given(transposed=st.booleans(), dilation=st.integers(1, 2), stride=st.integers(1, 2), samples=st.integers(1, 4))
def test_a_layer_takes_in_what_its_rows_share_once(transposed: bool, dilation: int, stride: int, samples: int) -> None:
    torch.manual_seed(0)
    numbers = {"output_padding": stride - 1} if transposed else {}
    layer = PlainLayer(5, 4, dilation=dilation, stride=stride, transposed=transposed, norm=nn.BatchNorm2d, **numbers)
    shared, own = torch.randn(2, 3, 7, 6), torch.randn(2 * samples, 2, 7, 6)
    expected = layer(torch.cat([shared.repeat_interleave(samples, dim=0), own], dim=1), None)
    torch.testing.assert_close(layer.join(shared, own), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["pix2pix resized", "basisgan resized"])
def test_resized_networks_have_no_transposed_convolutions(name: str) -> None:
    layers = [layer for layer in generator_of(name).modules() if isinstance(layer, PlainLayer)]
    kinds = {type(part).__name__ for part in generator_of(name).modules()}
    assert layers
    assert "ConvTranspose2d" not in kinds
