"""PixelNN: details copied pixel by pixel from the nearest training images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from variegate.core.errors import CheckpointError, ConfigError, WeightsError
from variegate.core.images import to_uint8
from variegate.core.interfaces import Shapes
from variegate.core.sampling import decode_in_chunks
from variegate.generators.pixelnn import PixelNN
from variegate.generators.pixelnn_search import WHOLE, best_matches, comparable, stack, surroundings
from variegate.methods import method
from variegate.networks import perceptual, weights
from variegate.networks.features import unfilled_layers
from variegate.runs.saved_model import load_weights
from variegate.runs.settings import ExecutionSettings
from variegate.training.state import State

pytestmark = pytest.mark.core

COUNT, SIZE = 13, (9, 8)
TINY = {"descriptor": "laplacian", "backbone": "unet", "backbone.width": 3, "backbone.norm": "none"}


def conditions(count: int, size: tuple[int, int] = SIZE, seed: int = 0) -> Tensor:
    return torch.randn(count, 2, *size, generator=torch.Generator().manual_seed(seed))


def pictures(count: int = COUNT, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.randint(256, (count, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def made(count: int = COUNT, **options: Any) -> PixelNN:
    """A generator with random weights, strong enough for regressed images to differ, that remembers images."""
    torch.manual_seed(3)
    generator = method("pixelnn", {**TINY, **options}).build_generator(Shapes(2, 3, SIZE))
    assert isinstance(generator, PixelNN)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(15)
    generator.eval().remember((conditions(count)[i : i + 4], pictures(count)[i : i + 4]) for i in range(0, count, 4))
    return generator


def every_code(outputs: int = 72) -> Tensor:
    return (torch.arange(outputs) + 0.5).unsqueeze(1) / outputs


# a slow plain reference


def column(picture: Tensor) -> list[list[list[float]]]:
    """The descriptor of every pixel, [y][x][d], from bands that are spelt out: two, since images are 9x8."""
    small = F.avg_pool2d(picture[None], 2, ceil_mode=True)
    band = picture[None] - F.interpolate(small, picture.shape[-2:], mode="bilinear")
    smaller = F.avg_pool2d(small, 2, ceil_mode=True)
    maps = [band, small - F.interpolate(smaller, small.shape[-2:], mode="bilinear"), smaller]
    stacked = torch.cat([F.interpolate(m, picture.shape[-2:], mode="bilinear") for m in maps], dim=1)[0]
    return stacked.permute(1, 2, 0).double().tolist()


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    length = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b)) / length


def coarse(picture: Tensor) -> list[float]:
    """The last band on 4x4 cells: of 9x8 images it is 3x2, from which cells are averaged as PyTorch defines it."""
    small = F.avg_pool2d(F.avg_pool2d(picture[None], 2, ceil_mode=True), 2, ceil_mode=True)[0].double()
    _, height, width = small.shape
    cells = []
    for c in range(3):
        for i in range(4):
            for j in range(4):
                rows = slice(i * height // 4, -(-(i + 1) * height // 4))
                cells.append(float(small[c, rows, j * width // 4 : -(-(j + 1) * width // 4)].mean()))
    return cells


def plain_loop(generator: PixelNN, condition: Tensor, number: int, first: int, side: int) -> Tensor:
    """image_i = f_i(x) + y_jk - f_j(x_k), pixel by pixel and image by image."""
    with torch.no_grad():
        own = generator.regress(condition[None])[0].clamp(-1, 1)
        others = [generator.regress(other[None])[0].clamp(-1, 1) for other in conditions(COUNT)]
    shown, *seen = (to_uint8(smooth.half().float()) / 127.5 - 1 for smooth in (own, *others))
    likeness = [cosine(coarse(shown), coarse(other)) for other in seen]
    chosen = sorted(range(COUNT), key=lambda k: -likeness[k])[first - 1 : first - 1 + number]
    query, columns = column(shown), {k: column(seen[k]) for k in chosen}
    (height, width), out = SIZE, own.clone()
    before, after = ((side - 1) // 2, side // 2) if side else (99, 99)
    for y in range(height):
        for x in range(width):
            best, detail = -2.0, torch.zeros(3)
            for k in chosen:
                for v in range(max(0, y - before), min(height, y + after + 1)):
                    for u in range(max(0, x - before), min(width, x + after + 1)):
                        likely = cosine(query[y][x], columns[k][v][u])
                        if likely > best:
                            best = likely
                            detail = pictures()[k, :, v, u] / 127.5 - 1 - others[k][:, v, u]
            out[:, y, x] += detail
    return out


@pytest.mark.parametrize("side", [1, 3, 4, WHOLE])
@pytest.mark.parametrize(("number", "first"), [(1, 1), (1, 10), (3, 5), (5, 7)])
def test_images_are_those_of_a_plain_loop_over_pixels(number: int, first: int, side: int) -> None:
    generator = made(windows=[side], sets=[[number, first]])
    condition = conditions(1, seed=9)
    image = decode_in_chunks(generator, condition, torch.tensor([[0.5]]))[0, 0]
    expected = plain_loop(generator, condition[0], number, first, side).clamp(-1, 1)
    torch.testing.assert_close(image, expected, atol=3e-4, rtol=0)  # regressed images are kept in half precision


# what outputs are


def test_the_72_outputs_are_in_the_released_order() -> None:
    generator = made()
    told = [(output.number, output.first + 1, generator.windows[output.window]) for output in generator.outputs]
    assert len(told) == len(set(told)) == 72
    assert told[:10] == [(1, i, 1) for i in range(1, 11)]
    assert told[10:18] == [*((3, i, 1) for i in (1, 3, 5, 7, 9)), *((5, i, 1) for i in (1, 4, 7))]
    assert (told[18], told[36], told[54], told[71]) == ((1, 1, 3), (1, 1, 5), (1, 1, WHOLE), (5, 7, WHOLE))


def test_72_codes_give_72_different_images_and_codes_between_them_none_other() -> None:
    generator = made()
    images = decode_in_chunks(generator, conditions(1, seed=9), every_code())[0]
    assert len({image.numpy().tobytes() for image in images}) == 72
    edges = torch.tensor([[0.0], [0.9999999], [1.0], [0.51 / 72]])
    assert torch.equal(decode_in_chunks(generator, conditions(1, seed=9), edges)[0], images[[0, 71, 71, 0]])


@pytest.mark.parametrize("k", [0, 5, 12])
def test_a_training_condition_gives_exactly_its_training_image(k: int) -> None:
    generator = made()
    image = decode_in_chunks(generator, conditions(COUNT)[k : k + 1], torch.zeros(1, 1))[0, 0]
    assert torch.equal(to_uint8(image), pictures()[k])


def test_of_a_regression_that_says_nothing_every_pixel_is_one_of_a_training_image() -> None:
    generator = made()
    for parameter in generator.parameters():
        nn.init.zeros_(parameter)
    generator.remember([(conditions(COUNT), pictures())])
    images = to_uint8(decode_in_chunks(generator, conditions(1, seed=9), every_code())[0])
    known = {tuple(pixel) for pixel in pictures().permute(0, 2, 3, 1).reshape(-1, 3).tolist()}
    assert {tuple(pixel) for pixel in images.permute(0, 2, 3, 1).reshape(-1, 3).tolist()} <= known


def test_levels_choose_what_describes_a_pixel() -> None:
    colours, both = made(levels=[2]), made()
    assert [level.shape[1:] for level in colours.describe(torch.rand(1, 3, *SIZE))] == [(3, 3, 2)]
    images = [decode_in_chunks(one, conditions(1, seed=9), every_code())[0] for one in (colours, both)]
    assert torch.equal(images[0][:10], images[1][:10]), "one image at the same place leaves nothing to choose"
    assert not torch.equal(images[0][10:], images[1][10:])


def test_few_training_images_are_ranked_over_again() -> None:
    generator = made(3)
    images = decode_in_chunks(generator, conditions(1, seed=9), every_code())[0]
    assert torch.equal(images[0], images[3])
    assert torch.equal(images[2], images[5])
    assert not torch.equal(images[0], images[1])


def test_a_condition_of_another_size_is_drawn_with_resized_images() -> None:
    generator = made(windows=[1], sets=[[1, 1]])
    large = conditions(COUNT)[4:5].repeat_interleave(2, 2).repeat_interleave(2, 3)
    features = generator.encode(large)
    k = generator.nearest(features.state[0].detach().clamp(-1, 1))[0]
    detail = pictures()[k : k + 1] / 127.5 - 1 - generator.smooth[k : k + 1].float()
    expected = F.interpolate(detail, (18, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(features.state[2][0], expected[None], atol=1e-5, rtol=0)


def best_match(query: Tensor, other: Tensor, *windows: int) -> list[tuple[Tensor, Tensor]]:
    size = (query.shape[1], query.shape[2])
    return list(zip(*best_matches(query, other, surroundings(size, windows, query.device))))


def one_by_one(query: Tensor, other: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Pixel by pixel: every place in a window, the closest first."""
    height, width = query.shape[1:]
    before, after = ((side - 1) // 2, side // 2) if side != WHOLE else (99, 99)
    score, place = torch.full((height, width), -torch.inf), torch.zeros(height, width, dtype=torch.long)
    for y in range(height):
        for x in range(width):
            rows = range(max(0, y - before), min(height, y + after + 1))
            columns = range(max(0, x - before), min(width, x + after + 1))
            places = [(v, u) for v in rows for u in columns]
            if side != WHOLE:
                places.sort(key=lambda spot: (spot[0] - y) ** 2 + (spot[1] - x) ** 2)
            for v, u in places:
                product = (query[:, y, x] * other[:, v, u]).sum()
                if product > score[y, x]:
                    score[y, x], place[y, x] = product, v * width + u
    return score, place


@pytest.mark.parametrize("windows", [(1, 2, 3, 5, WHOLE), (5, 1, 4), (9, WHOLE), (3, 3), (WHOLE,)])
@pytest.mark.parametrize("kind", ["any", "few"])
def test_all_windows_at_once_are_each_as_if_searched_place_by_place(windows: tuple[int, ...], kind: str) -> None:
    rng = torch.Generator().manual_seed(0)
    query, other = torch.randn(2, 4, 7, 6, generator=rng)
    if kind == "few":  # whole numbers of which many products are equal
        query, other = query.round(), other.round()
    for side, (score, place) in zip(windows, best_match(query, other, *windows)):
        expected = one_by_one(query, other, side)
        torch.testing.assert_close(score, expected[0])
        assert torch.equal(place, expected[1]), side


def test_fewer_numbers_than_channels_give_the_same_products() -> None:
    rng = torch.Generator().manual_seed(0)
    shapes = [(3, 12, 8), (5, 6, 4), (70, 3, 2), (40, 1, 1)]
    query, other = ([torch.randn(1, *shape, generator=rng) for shape in shapes] for _ in range(2))
    own = stack(query, (12, 8))
    few, offered = (one.flatten(1) for one in comparable(own, other))
    assert len(few) == len(offered) == 3 + 5 + 3 * 2 + 1
    expected = own.flatten(1).T @ stack(other, (12, 8)).flatten(1)
    torch.testing.assert_close(few.T @ offered, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 9])
def test_windows_end_at_the_border_and_prefer_their_middle(side: int) -> None:
    torch.manual_seed(0)
    query, other = (F.normalize(torch.randn(4, 5, 6), dim=0) for _ in range(2))
    [(score, place)] = best_match(query, other, side)
    torch.testing.assert_close(score, (query * other.flatten(1)[:, place]).sum(dim=0))
    flat = torch.ones(4, 5, 6)
    for windows in ((side,), (side, WHOLE)):
        assert torch.equal(best_match(flat, flat, *windows)[0][1], torch.arange(30).view(5, 6))
    if side == 9:  # 4 pixels each way reach rows 0 to 4 from the middle one
        near = other.clone()
        near[:, :, :1] = near[:, :, 5:] = -query[:, 2:3, 2:3]
        assert best_match(query, near, 9)[0][1][2, 2] == best_match(query, near, WHOLE)[0][1][2, 2]


# what it is made of


def test_what_is_trained_is_the_regression_alone_and_images_are_saved_with_it() -> None:
    generator = made(descriptor="random")
    assert all(name.startswith("backbone.") for name, _ in generator.named_parameters())
    assert {name for name, _ in generator.named_buffers()} == {"images", "smooth", "whole", "filters"}
    state = generator.state_dict()
    assert (state["images"].shape, state["whole"].shape) == ((COUNT, 3, *SIZE), (COUNT, 128 * 16))
    again = method("pixelnn", {**TINY, "descriptor": "random"}).build_generator(Shapes(2, 3, SIZE)).eval()
    condition = conditions(1, seed=9)
    with torch.no_grad():
        smooth = generator.regress(condition)[0]
    again.load_state_dict(state)
    one, two = (decode_in_chunks(network, condition, every_code())[0] for network in (generator, again))
    assert torch.equal(one, two)
    again.load_state_dict(again.adopt(state))  # to be trained on
    with torch.no_grad():
        forgotten = again(condition, every_code()[None])[0]
    assert torch.equal(forgotten, smooth.expand_as(forgotten)), "without images there is the regression alone"


@pytest.mark.parametrize("descriptor", ["random", "squeeze"])
def test_a_model_describes_with_the_network_it_was_saved_with(descriptor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    rng = {name: torch.randn(value.shape) / 9 for name, value in unfilled_layers("squeeze").state_dict().items()}
    here = weights.Weights({f"features.{name}": value for name, value in rng.items()}, "", "")
    monkeypatch.setattr(weights, "load", lambda name: here)
    generator, condition = made(descriptor=descriptor), conditions(1, seed=9)
    drawn = decode_in_chunks(generator, condition, every_code())

    def elsewhere(name: str) -> weights.Weights:
        raise WeightsError(f"{name} is not at hand")

    monkeypatch.setattr(weights, "load", elsewhere)
    monkeypatch.setattr(perceptual, "fill_with_fixed_noise", lambda module: None)
    again = method("pixelnn", {**TINY, "descriptor": descriptor}).build_generator(Shapes(2, 3, SIZE)).eval()
    again.load_state_dict(generator.state_dict())
    assert torch.equal(decode_in_chunks(again, condition, every_code()), drawn)
    state = generator.state_dict() | {"filters": generator.filters[:-1]}
    with pytest.raises(
        CheckpointError, match=rf"filters has \d+ values, but descriptor {descriptor} has \d+; copy the"
    ):
        load_weights(again, state, Path("model.safetensors"))


def test_a_network_that_is_not_at_hand_is_told_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.FOLDER, str(tmp_path))
    monkeypatch.setattr(weights, "download", lambda entry: (_ for _ in ()).throw(weights.missing(entry, "here")))
    chosen = method("pixelnn", {**TINY, "descriptor": "vgg19"})
    with pytest.raises(WeightsError, match=r"vgg19_features.safetensors was not found"):
        State(chosen, Shapes(2, 3, SIZE), ExecutionSettings(device="cpu"), None)


def test_its_randomness_must_be_none() -> None:
    noisy = method("pixelnn", {"descriptor": "laplacian", "randomness": {"kind": "heads", "heads": 2}})
    with pytest.raises(ConfigError, match=r"generator pixelnn .*randomness must be none"):
        noisy.build_generator(Shapes(2, 3, (16, 16)))
