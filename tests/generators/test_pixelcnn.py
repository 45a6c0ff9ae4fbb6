"""PixelCNN: who may see whom, likelihoods that add up to one, and drawing against one full pass for every value."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes, Size
from variegate.generators import pixelcnn
from variegate.generators.pixelcnn import PixelCNN, PixelCNNConfig
from variegate.methods import method
from variegate.networks.pixelcnn.gated_stacks import GatedLayer
from variegate.networks.pixelcnn.masked import Masked
from variegate.networks.pixelcnn.residual_stacks import Branch
from variegate.randomness.none import NoRandomness
from variegate.randomness.sites import tile_to

pytestmark = pytest.mark.core

STACKS = ("gated", "plain", "residual")
MIXTURE = {"output": "mixture", "components": 3}


@pytest.fixture(autouse=True)
def _through_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single images; tests/networks/test_compiled_row.py compares those that Numba draws with these."""
    monkeypatch.setattr(pixelcnn, "compiled", lambda: None)


def built(colours: int, size: Size, conditions: int = 0, **settings: Any) -> PixelCNN:
    """Small, in double precision, with weights that are all different and strong enough to matter."""
    torch.manual_seed(0)
    small: dict[str, Any] = {"layers": 3, "width": 6, "head": 6, "filter": 3, "first_filter": 5, "halvings": 1}
    small |= {"bits": 3, "scaled": False}
    generator = (
        PixelCNNConfig(**{**small, **settings}).build(NoRandomness(), Shapes(conditions, colours, size)).double()
    )
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.normal_(0, 0.3) if parameter.ndim == 1 else parameter.mul_(2)
    return generator.eval()


def jacobian(generator: PixelCNN, colours: int, size: Size) -> Tensor:
    """How every value's logits depend on every value, in the order in which they are drawn: (n, n)."""
    height, width = size
    mix = torch.randn(generator.head.levels, dtype=torch.float64)

    def outputs(shades: Tensor) -> Tensor:
        logits = generator.network(shades, generator.projections(shades.new_zeros(1, 0, *size)))
        return torch.einsum("bclhw,l->hwc", logits, mix).flatten()

    shades = torch.rand(1, colours, height, width, dtype=torch.float64) * 2 - 1
    full = torch.autograd.functional.jacobian(outputs, shades)
    return full.permute(0, 1, 3, 4, 2).flatten(1)


@pytest.mark.parametrize("stacks", STACKS)
@pytest.mark.parametrize(("filter", "layers"), [(3, 7), (5, 4), (4, 7)])
@pytest.mark.parametrize(("colours", "size"), [(3, (5, 5)), (3, (4, 6)), (1, (6, 5))])
@pytest.mark.parametrize("output", ["softmax", "mixture"])
def test_a_value_depends_on_what_was_drawn_before_it_and_two_stacks_see_all_of_that(
    stacks: str, filter: int, layers: int, colours: int, size: Size, output: str
) -> None:
    settings = {"filter": filter, "first_filter": filter, "layers": layers, "output": output, "halvings": 2}
    generator, blind = built(colours, size, stacks=stacks, **settings), stacks == "plain"
    if not blind:  # no ReLU may hide what is seen
        gated = stacks == "gated"
        last = generator.stack.layers[-1].output if gated else generator.stack.whole.after[-1].horizontal.second
        last.bias.data[:6] += 100
        generator.head.hidden.bias.data += 10_000
        if output == "mixture":  # of numbers in the range of a network's
            generator.head.logits.weight.data /= 10_000
    found = jacobian(generator, colours, size)
    allowed = torch.ones_like(found, dtype=torch.bool).tril(-1)
    assert bool((found[~allowed] == 0).all()), "a value sees itself or what comes later"
    if not blind:
        assert bool((found[allowed] != 0).all()), "something that was drawn before is out of sight"
        return
    pixels = found.unflatten(0, (*size, colours)).unflatten(-1, (*size, colours))
    near = (filter - 1) // 2
    assert bool((pixels[2, 0, :, 1, near + 1 :] == 0).all()), "above to the right, a single stack is blind"
    assert bool((pixels[2, 0, :, 1, near] != 0).any())


@pytest.mark.parametrize("stacks", STACKS)
def test_noise_in_pixels_that_are_not_drawn_yet_changes_nothing(stacks: str) -> None:
    generator = built(3, (4, 5), stacks=stacks)
    image, noise = (torch.rand(1, 3, 4, 5, dtype=torch.float64) * 2 - 1 for _ in range(2))
    condition = image.new_zeros(1, 0, 4, 5)
    for y, x in ((0, 0), (1, 4), (2, 2)):
        later = torch.arange(20).view(4, 5) > y * 5 + x
        changed = torch.where(later, noise, image)
        one, two = (generator.logits(condition, picture)[..., y, x] for picture in (image, changed))
        assert torch.equal(one, two)


def slow(generator: PixelCNN, condition: Tensor, code: Tensor, image: Tensor, known: int = 0) -> Tensor:
    """One full pass for every value; unknown pixels of `image` hold noise."""
    top = generator.head.levels - 1
    image, (height, width) = image.clone(), image.shape[-2:]
    field = tile_to(code.double().unflatten(1, generator.shape), (height, width))
    for y, x in itertools.product(range(height), range(width)):
        for colour in range(image.shape[1] if y * width + x >= known else 0):
            shares = generator.logits(condition, image)[:, colour, :, y, x].softmax(dim=1).cumsum(dim=1)
            level = (shares <= field[:, colour, y, x, None]).sum(dim=1).clamp(max=top).double()
            image[:, colour, y, x] = (level * 255 / top).round() / 127.5 - 1
    return image


CASES = [
    (3, 4, "spatial", {}),
    (3, 4, "constant", {"filter": 5, "first_filter": 7}),
    (3, 0, "spatial", {"layers": 1}),
    (1, 4, "spatial", {"filter": 5, "first_filter": 3}),
    (3, 0, "spatial", {"filter": 4, "first_filter": 6}),
    (1, 0, "spatial", {"layers": 2, "bits": 8}),
    (3, 2, "constant", {"conditioning": "deconv", "bits": 2}),
    (3, 4, "spatial", MIXTURE),
    (1, 0, "spatial", {**MIXTURE, "bits": 8}),
    (3, 4, "spatial", {"halvings": 2, "layers": 4}),
]


@pytest.mark.parametrize("stacks", STACKS)
@pytest.mark.parametrize(("colours", "channels", "kind", "settings"), CASES)
@torch.no_grad()
def test_fast_drawing_is_slow_drawing_value_by_value(
    stacks: str, colours: int, channels: int, kind: str, settings: dict[str, Any]
) -> None:
    size = (4, 5)
    generator = built(colours, size, channels, stacks=stacks, **settings)
    condition = torch.randn(2, channels, *size, dtype=torch.float64)
    if kind == "constant":
        condition = condition[..., :1, :1].expand(-1, -1, *size)
    codes = generator.draw([(3, i) for i in range(4)]).unflatten(0, (2, 2))
    each = condition.repeat_interleave(2, dim=0)
    start = torch.rand(4, colours, *size, dtype=torch.float64) * 2 - 1
    expected = slow(generator, each, codes.flatten(0, 1), start).unflatten(0, (2, 2))
    assert torch.equal(generator(condition, codes), expected)
    assert len(expected.unique()) > 3
    single = generator.float()(condition.float(), codes)
    assert float((single - expected).abs().max()) < 1e-6
    for i, j in ((0, 0), (1, 1)):  # a single image is drawn in another way
        alone = generator(condition[i : i + 1].float(), codes[i : i + 1, j : j + 1])
        assert float((alone[0, 0] - expected[i, j]).abs().max()) < 1e-6


@pytest.mark.parametrize("settings", [{}, MIXTURE], ids=["softmax", "mixture"])
@torch.no_grad()
def test_a_temperature_sharpens_what_is_drawn_and_leaves_likelihoods_alone(settings: dict[str, Any]) -> None:
    plain, cold = (built(1, (1, 2), sampler={"temperature": t}, **settings) for t in (1, 0.5))
    nothing, codes = torch.zeros(1, 0, 1, 2).double(), torch.rand(1, 20_000, 2)
    image = plain(nothing, codes[:, :1])[0]
    assert torch.equal(plain.log_prob(nothing, image), cold.log_prob(nothing, image))
    odds = plain.logits(nothing, image)[0, 0, :, 0, 0].softmax(dim=0).square()
    drawn = cold.quantise(cold(nothing, codes)[0])[:, 0, 0, 0].long()
    share = torch.bincount(drawn, minlength=8) / 20_000
    assert float((share - odds / odds.sum()).abs().max()) < 0.015
    seen: list[Tensor] = []
    for generator in (plain, cold):  # compression codes by the likelihood

        def first(p: Tensor) -> Tensor:
            seen.append(p)
            return p.argmax(dim=1)

        generator.walk(nothing, first)
    assert torch.equal(seen[0], seen[2])


@pytest.mark.parametrize("stacks", STACKS)
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (3, 12)])
@torch.no_grad()
def test_images_of_another_size_are_drawn_as_exactly(stacks: str, size: Size) -> None:
    generator = built(3, (4, 5), 2, stacks=stacks, halvings=2)
    condition, codes = torch.randn(1, 2, *size, dtype=torch.float64), generator.draw([(2, 0)])
    expected = slow(generator, condition, codes, torch.rand(1, 3, *size, dtype=torch.float64))
    assert torch.equal(generator(condition, codes[None])[0], expected)


@pytest.mark.parametrize("stacks", STACKS)
@pytest.mark.parametrize("known", [0, 3, 5, 13, 19, 20])
@torch.no_grad()
def test_an_image_is_completed_from_its_first_pixels_on(stacks: str, known: int) -> None:
    generator = built(3, (4, 5), stacks=stacks, bits=8)
    condition, codes = torch.zeros(1, 0, 4, 5).double(), generator.draw([(1, 0), (1, 1)])
    eight = torch.randint(256, (3, 4, 5), generator=torch.Generator().manual_seed(0))
    image = eight.double() / 127.5 - 1
    done = generator.complete(generator.encode(condition), codes[None], image, known)[0]
    expected = slow(generator, condition.expand(2, -1, -1, -1), codes, image.expand(2, -1, -1, -1), known)
    assert torch.allclose(done, expected, atol=1e-12)
    assert torch.allclose(done.flatten(2)[..., :known], image.flatten(1)[:, :known].expand(2, -1, -1), atol=1e-12)
    alone = generator.float().complete(generator.encode(condition.float()), codes[None, :1].float(), image, known)
    assert torch.allclose(alone[0, 0].double(), done[0], atol=1e-6)
    with pytest.raises(ConfigError, match=r"pixels from 0 to 20 for 4x5 images, got 21"):
        generator.complete(generator.encode(condition), codes[None], image, 21)


@pytest.mark.parametrize("bits", range(2, 9))
def test_a_level_is_found_again_in_the_image_that_shows_it(bits: int) -> None:
    generator = built(1, (1, 1), bits=bits).float()
    levels = torch.arange(2**bits).float().view(-1, 1, 1, 1)
    shown = generator.show(levels)
    assert torch.equal(generator.quantise(shown), levels)
    eight = ((shown + 1) * 127.5).round().byte()
    assert torch.equal(generator.quantise(eight.float() / 127.5 - 1), levels)
    every = torch.arange(256).view(-1, 1, 1, 1)
    assert torch.equal(generator.quantise(every.float() / 127.5 - 1).int(), (every >> (8 - bits)).int())


@pytest.mark.parametrize("stacks", STACKS)
@pytest.mark.parametrize(("colours", "size"), [(1, (2, 2)), (3, (1, 2))])
@pytest.mark.parametrize("settings", [{}, MIXTURE], ids=["softmax", "mixture"])
@torch.no_grad()
def test_all_images_there_are_have_probability_one_together_and_are_drawn_that_often(
    stacks: str, colours: int, size: Size, settings: dict[str, Any]
) -> None:
    generator = built(colours, size, 1, stacks=stacks, bits=2, **settings)
    values = colours * size[0] * size[1]
    levels = torch.tensor(list(itertools.product(range(4), repeat=values))).double().view(-1, colours, *size)
    condition = torch.ones(1, 1, *size).double()
    log_prob = generator.log_prob(condition.expand(len(levels), -1, -1, -1), generator.show(levels))
    assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-9)

    codes = torch.rand(1, 20_000, values, generator=torch.Generator().manual_seed(0))
    drawn = generator.quantise(generator(condition, codes)[0]).flatten(1).long()
    index = (drawn * 4 ** torch.arange(values - 1, -1, -1)).sum(dim=1)
    share = torch.bincount(index, minlength=len(levels)) / 20_000
    deviation = (log_prob.exp() * (1 - log_prob.exp()) / 20_000).sqrt()
    assert float(((share - log_prob.exp()) / deviation.clamp(min=1e-4)).abs().max()) < 6


@pytest.mark.parametrize("stacks", STACKS)
@pytest.mark.parametrize("settings", [{}, MIXTURE], ids=["softmax", "mixture"])
@torch.no_grad()
def test_a_walk_through_an_image_meets_the_probabilities_of_its_likelihood(
    stacks: str, settings: dict[str, Any]
) -> None:
    generator = built(3, (5, 6), 2, stacks=stacks, halvings=2, **settings)
    condition, image = torch.randn(2, 2, 5, 6).double(), torch.rand(2, 3, 5, 6).double() * 2 - 1
    levels = generator.quantise(image)
    given = iter(levels.permute(2, 3, 1, 0).flatten(0, 2).long())
    met: list[Tensor] = []

    def choose(probabilities: Tensor) -> Tensor:
        level = next(given)
        met.append(probabilities.gather(1, level[:, None])[:, 0])
        return level

    walked = generator.walk(condition, choose)
    assert torch.equal(generator.quantise(walked), levels)
    expected = generator.nats(condition, image).neg().exp().permute(2, 3, 1, 0).flatten(0, 2)
    assert torch.allclose(torch.stack(met), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("settings", [{}, MIXTURE], ids=["softmax", "mixture"])
@torch.no_grad()
def test_the_likelihood_is_that_of_a_plain_loop_over_values(settings: dict[str, Any]) -> None:
    generator = built(3, (3, 4), 2, **settings)
    image = torch.randint(256, (2, 3, 3, 4), generator=torch.Generator().manual_seed(1))
    condition = torch.randn(2, 2, 3, 4, dtype=torch.float64)
    logits = generator.logits(condition, image.double() / 127.5 - 1)
    expected = [0.0, 0.0]
    for b, c, y, x in itertools.product(range(2), range(3), range(3), range(4)):
        odds = [math.exp(float(value)) for value in logits[b, c, :, y, x]]
        expected[b] += math.log(odds[int(image[b, c, y, x]) // 32] / sum(odds))
    assert generator.log_prob(condition, image.double() / 127.5 - 1).tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("stacks", STACKS)
@pytest.mark.parametrize("colours", [1, 3])
@torch.no_grad()
def test_the_bits_of_pixels_add_up_to_the_likelihood_and_depend_on_nothing_that_comes_later(
    stacks: str, colours: int
) -> None:
    generator = built(colours, (4, 5), 2, stacks=stacks)
    condition, image, noise = (torch.randn(2, n, 4, 5, dtype=torch.float64) for n in (2, colours, colours))
    bits = generator.surprisal(condition, image)
    assert bits.shape == (2, 4, 5)
    assert bool((bits > 0).all())
    total = bits.flatten(1).sum(dim=1) * math.log(2)
    assert torch.allclose(total, -generator.log_prob(condition, image), rtol=1e-12)
    known = torch.arange(20).view(4, 5) <= 7
    changed = generator.surprisal(condition, torch.where(known, image, noise))
    assert torch.allclose(changed[:, known], bits[:, known], rtol=1e-12)
    assert not torch.allclose(changed[:, ~known], bits[:, ~known])


@torch.no_grad()
def test_a_condition_that_is_the_same_everywhere_is_projected_once_and_reaches_both_stacks() -> None:
    generator = built(3, (4, 5), 2)
    vector = torch.randn(2, 2, 1, 1, dtype=torch.float64).expand(-1, -1, 4, 5)
    assert {tuple(one.shape[-2:]) for one in generator.encode(vector).state} == {(1, 1)}
    image = torch.rand(2, 3, 4, 5, dtype=torch.float64) * 2 - 1
    plain = generator.log_prob(vector.contiguous(), image)
    assert torch.allclose(generator.log_prob(vector, image), plain)
    for part in (slice(0, 12), slice(12, 24)):  # of each layer's outputs: the vertical stack's, the horizontal one's
        other = built(3, (4, 5), 2)
        other.stack.layers[1].condition.weight[part] = 0
        assert not torch.allclose(other.log_prob(vector, image), plain)


def test_deconvolution_wants_a_vector_and_draws_at_any_size() -> None:
    generator = built(3, (9, 12), 2, conditioning="deconv").float()
    vector = torch.randn(1, 2, 1, 1)
    code = generator.draw([(0, 0)])[None]
    for size in ((9, 12), (5, 14)):
        condition = vector.expand(-1, -1, *size)
        assert generator.encode(condition).state[0].shape[-2:] == size
        assert generator(condition, code).shape == (1, 1, 3, *size)
        assert torch.equal(generator(condition.contiguous(), code), generator(condition, code))
    with pytest.raises(ConfigError, match="conditioning deconv makes a map from a vector"):
        generator.encode(torch.randn(1, 2, 9, 12))


def test_layers_have_the_published_number_of_weights_and_both_kinds_have_as_many() -> None:
    def count(name: str, options: dict[str, Any] | None = None) -> int:
        return sum(p.numel() for p in method(name, options).build_generator(Shapes(0, 3, (32, 32))).parameters())

    with torch.device("meta"):
        layer = GatedLayer(384, 384, 5, "B", 3, 0)
        assert sum(parameter.numel() for parameter in layer.parameters()) == 6_048_384
        assert count("gated-pixelcnn", {"network": "imagenet"}) == pytest.approx(122e6, rel=0.005)
        assert count("gated-pixelcnn", {"network": "cifar10"}) == pytest.approx(31e6, rel=0.02)
        with_classes = GatedLayer(384, 384, 5, "B", 3, 1000)
        assert with_classes.condition is not None
        assert with_classes.condition.weight.numel() == 2 * 1000 * 768
        assert count("pixelcnn") == pytest.approx(count("gated-pixelcnn"), rel=0.03)


@pytest.mark.parametrize("stacks", STACKS)
def test_masks_hold_after_steps_of_an_optimiser(stacks: str) -> None:
    generator = built(3, (4, 4), stacks=stacks)
    optimizer = torch.optim.RMSprop(generator.parameters(), 0.05, weight_decay=0.1, momentum=0.9)
    image = torch.rand(2, 3, 4, 4, dtype=torch.float64) * 2 - 1
    for _ in range(3):
        optimizer.zero_grad()
        (-generator.log_prob(image.new_zeros(2, 0, 4, 4), image).mean()).backward()
        optimizer.step()
    assert float(jacobian(generator, 3, (4, 4)).triu().abs().max()) == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 8}, "generator.width must be a multiple of 3, the number of colours, got 8"),
        ({"head": 10}, "generator.head must be a multiple of 3, the number of colours, got 10"),
    ],
)
def test_sizes_that_cannot_be_masked_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        built(3, (4, 4), **settings)


@pytest.mark.parametrize("stacks", STACKS)
def test_scaled_weights_count_what_masks_leave_so_that_signals_reach_the_end(stacks: str) -> None:
    settings = {"stacks": stacks, "layers": 12, "width": 48, "head": 48, "bits": 4}
    nothing, image = torch.zeros(4, 0, 16, 16), torch.rand(4, 3, 16, 16) * 2 - 1

    def made(scaled: bool) -> tuple[PixelCNN, float]:
        """The generator, and the deviation of the maps that its head reads."""
        torch.manual_seed(0)
        generator = PixelCNNConfig(**settings, scaled=scaled).build(NoRandomness(), Shapes(0, 3, (16, 16)))
        read: list[float] = []
        generator.head.hidden.register_forward_pre_hook(lambda _, maps: read.append(float(maps[0].std())))
        bits = -float(generator.log_prob(nothing, image).mean()) / (3 * 16 * 16 * math.log(2))
        assert bits == pytest.approx(4, abs=0.05), "odds begin even"
        return generator, read[0]

    (_, usual), (generator, deviation) = made(False), made(True)
    assert deviation > 3 * usual
    weak = {generator.head.logits, *(part.second for part in generator.modules() if isinstance(part, Branch))}
    for layer in generator.modules():
        if isinstance(layer, Masked) and layer.mask is not None:
            gain = layer.weights().flatten(1).square().sum(dim=1).sqrt().mean()
            assert float(gain) == pytest.approx(0.1 if layer in weak else 1, rel=0.15)
