"""Multiple choice: which branch learns which target, when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from variegate import evaluate, load, train
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Generator, Shapes
from variegate.evaluation.doctor.diagnosis import use_of_branches
from variegate.evaluation.measuring.drawn import codes_for
from variegate.methods import method
from variegate.model.samples import read_codes
from variegate.networks.vgg16 import PUBLISHED, VGG16
from variegate.objectives.multiple_choice import MultipleChoice
from variegate.randomness.element_dropout import ElementDropout
from variegate.runs.folder import RunFolder
from variegate.runs.health import branch_use
from variegate.runs.settings import ExecutionSettings

pytestmark = pytest.mark.core

SIZE = (16, 16)
OPTIONS = {
    "generator.widths": [8, 8, 6],
    "branches": 5,
    "objective.perceptual": "laplacian",
    "objective.reduction": "mean",
    "objective.warm_up": 4,
}


def duo(**options: Any) -> tuple[Generator, MultipleChoice]:
    torch.manual_seed(0)
    chosen = method("latent-dropout", OPTIONS | {key.replace("__", "."): v for key, v in options.items()})
    objective = chosen.build_objective(Shapes(3, 3, SIZE))
    assert isinstance(objective, MultipleChoice)
    return chosen.build_generator(Shapes(3, 3, SIZE)), objective


def batch(count: int = 2, neighbours: int = 0) -> Batch:
    stream = torch.Generator().manual_seed(1)
    image = torch.rand(count, 3, *SIZE, generator=stream) * 2 - 1
    index = torch.arange(count)
    made = Batch(torch.rand(count, 3, *SIZE, generator=stream), image, index, index)
    if not neighbours:
        return made
    present = torch.ones(count, neighbours, dtype=torch.bool)
    present[-1, -1] = False
    others = torch.rand(count, neighbours, 3, *SIZE, generator=stream) * 2 - 1
    return made._replace(neighbours=others, present=present)


def one_loss(objective: MultipleChoice, generator: Generator, data: Batch, step: int) -> Tensor:
    (losses,) = list(objective.updates(generator, data, step))
    return losses["generator"]["matched"]


def all_images(generator: Generator, data: Batch) -> Tensor:
    assert generator.fixed_codes is not None
    return generator(data.condition, generator.fixed_codes.expand(len(data.image), -1, -1))


def pair(objective: MultipleChoice, a: Tensor, b: Tensor) -> Tensor:
    """Distance of two images (3, H, W), one pair at a time."""
    maps = zip(objective.features(a[None]), objective.features(b[None]))
    return torch.stack([(one - other).abs().mean() for one, other in maps]).sum()


@pytest.mark.parametrize("step", [0, 1, 3])
def test_in_the_warm_up_branches_take_turns(step: int) -> None:
    generator, objective = duo()
    data = batch()
    images = all_images(generator, data)[:, step]
    expected = torch.stack([pair(objective, a, b) for a, b in zip(images, data.image)]).mean()
    assert float(one_loss(objective, generator, data, step)) == pytest.approx(float(expected), rel=1e-5)


def test_afterwards_the_nearest_branch_learns_the_true_image() -> None:
    generator, objective = duo()
    data = batch()
    expected = torch.stack(
        [min(pair(objective, a, b) for a in row) for row, b in zip(all_images(generator, data), data.image)]
    ).mean()
    assert float(one_loss(objective, generator, data, 4)) == pytest.approx(float(expected), rel=1e-5)


def test_neighbours_are_learned_by_branches_of_their_own_from_their_step_on() -> None:
    generator, objective = duo(objective__neighbours_from=10)
    data = batch(2, 3)
    alone = one_loss(objective, generator, data._replace(neighbours=None, present=None), 12)
    assert torch.equal(one_loss(objective, generator, data, 9), alone)
    images, losses = all_images(generator, data), []
    for row in range(2):
        targets = [data.image[row], *data.neighbours[row]]  # type: ignore[index]
        there = [True, *data.present[row].tolist()]  # type: ignore[index]
        distances = torch.tensor([[float(pair(objective, a, b)) for b in targets] for a in images[row]])
        left, free, first = [j for j in range(4) if there[j]], list(range(5)), True
        while left:  # the published procedure, spelt out
            named = {j: min(free, key=lambda i: float(distances[i, j])) for j in left}
            taken = {named[0]: 0} if first else {}
            for i in set(named.values()) - taken.keys():
                taken[i] = min((j for j in left if named[j] == i), key=lambda j: float(distances[i, j]))
            losses += [distances[i, j] for i, j in taken.items()]
            left = [j for j in left if j not in taken.values()]
            free, first = [i for i in free if i not in taken], False
    assert len(losses) == 7
    expected = float(torch.stack(losses).sum() / 2)
    assert float(one_loss(objective, generator, data, 10)) == pytest.approx(expected, rel=1e-5)


def test_branches_without_a_target_get_no_gradient() -> None:
    generator, objective = duo(architecture="separate")
    data = batch(1)
    images = all_images(generator, data)[0]
    nearest = min(range(5), key=lambda i: float(pair(objective, images[i], data.image[0])))
    one_loss(objective, generator, data, 4).backward()
    grad = generator.get_parameter("stages.output.layer.inner.weight").grad
    assert grad is not None
    moved = grad.unflatten(0, (-1, 5)).abs().sum(dim=(0, 2, 3, 4)) > 0
    assert moved.nonzero().flatten().tolist() == [nearest]


def test_weights_multiply_sums_as_published_or_means() -> None:
    generator, objective = duo(objective__reduction="sum", objective__weights=[1, 2, 3, 4])
    data = batch(1)
    image = all_images(generator, data)[0, 0]
    maps = list(zip(objective.features(image[None]), objective.features(data.image)))
    expected = sum(weight * float((a - b).abs().sum()) for weight, (a, b) in zip((1, 2, 3, 4), maps, strict=True))
    assert float(one_loss(objective, generator, data, 0)) == pytest.approx(expected, rel=1e-4)


def test_unweighted_matching_leaves_the_deepest_map_out() -> None:
    generator, objective = duo(objective__unweighted=True, objective__weights=[0, 0, 0, 1])
    data = batch(1)
    images = all_images(generator, data)
    maps = objective.features(images[0])[:-1]
    goals = objective.features(data.image)[:-1]
    expected = [sum(float((a[i] - b[0]).abs().sum()) for a, b in zip(maps, goals)) for i in range(5)]
    found = objective.distances(images, objective.embed(data.image.unsqueeze(1)))[0, :, 0]
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


def test_every_branch_is_alive_after_a_short_training() -> None:
    """Five images of one condition, five branches: turns first, then each keeps an image of its own."""
    generator, objective = duo(objective__warm_up=100, generator__widths=[16, 64, 32])
    values = torch.tensor([-0.9, -0.4, 0.0, 0.4, 0.9])
    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    for step in range(300):
        image = values[step % 5].expand(1, 3, *SIZE)
        data = Batch(torch.ones(1, 3, *SIZE), image, torch.tensor([0]), torch.tensor([step]))
        optimizer.zero_grad()
        one_loss(objective, generator, data, step).backward()
        optimizer.step()
    drawn = all_images(generator, Batch(torch.ones(1, 3, *SIZE), image, torch.tensor([0]), torch.tensor([0])))
    means = drawn[0].mean(dim=(1, 2, 3))
    nearest = (means.unsqueeze(1) - values).abs().min(dim=0).values
    assert float(nearest.max()) < 0.2, "a value that no branch draws"


def test_element_dropout_has_fixed_codes_too() -> None:
    generator, _ = duo(dropout="element")
    assert generator.fixed_codes is not None
    assert isinstance(generator.randomness, ElementDropout)
    assert generator.fixed_codes.shape == (5, 8 * 8 * 4 * 2)


def test_vgg16_has_the_released_maps_at_the_released_sizes() -> None:
    torch.manual_seed(0)
    maps = VGG16(None)(torch.rand(1, 3, 96, 96) * 2 - 1)
    # a canvas of 97: pools of 3, stride 2, padding 1 give 49, 25, 13; the fourth keeps 13
    assert [tuple(layer.shape[1:]) for layer in maps] == [
        (3, 96, 96),
        (64, 97, 97),
        (128, 49, 49),
        (256, 25, 25),
        (512, 13, 13),
        (512, 13, 13),
    ]
    assert float(maps[1].min()) < 0, "features before their ReLU"
    pixels = maps[0].numel()
    on_means = [w * layer.numel() / pixels for w, layer in zip(PUBLISHED, maps)]
    assert on_means == pytest.approx([1, 21.8, 4.83, 3.21, 1.12, 39.1], rel=0.08)  # the fact sheet's, of 96-pixel maps


def test_uses_of_branches_are_counted_by_the_nearest_image() -> None:
    values = torch.tensor([-0.5, 0.0, 0.5])
    images = values.view(1, 3, 1, 1, 1).expand(4, 3, 3, 2, 2)
    truth = torch.tensor([-0.6, 0.4, 0.6, -0.3]).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    assert branch_use(images, truth).tolist() == [2, 0, 2]


def test_a_trained_model_draws_with_its_fixed_codes_and_with_new_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, options = tmp_path / "run", ["--size", "16", "--steps", "6", "--quiet"]
    given = [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    main(["train", "latent-dropout", "--data", "streets:20", "--out", str(run), *options, *given])
    model = load(run)
    codes = model.fixed_codes()
    main(["sample", str(run), "test:0", "--fixed-codes", "--out", str(tmp_path / "drawn")])
    assert torch.equal(read_codes(tmp_path / "drawn" / "codes.safetensors"), codes)
    assert len(list((tmp_path / "drawn").glob("0*.png"))) == 5
    for also in (["--like", "image.png"], ["--codes", str(tmp_path / "drawn" / "codes.safetensors")]):
        with pytest.raises(SystemExit):
            main(["sample", str(run), "test:0", "--fixed-codes", *also])
        told = capsys.readouterr().err
        assert "--fixed-codes" in told
        assert "all choose the codes; give only one of them" in told
        assert not (run / "drawn").exists()
    assert not torch.equal(model.codes(5), codes)
    assert use_of_branches(model, RunFolder(run).pairs()).sum() == 20
    main(["doctor", str(run)])
    assert "of 5 branches are nearest to at least one of 20 training images" in capsys.readouterr().out


def test_a_run_goes_on_with_the_codes_it_began_with(tmp_path: Path) -> None:
    same: dict[str, Any] = {"run": ExecutionSettings(quiet=True, save_every=3), **OPTIONS, "schedule.kind": "constant"}
    whole = train("latent-dropout", "streets:20", tmp_path / "whole", size=16, steps=6, **same)
    part = train("latent-dropout", "streets:20", tmp_path / "part", size=16, steps=3, **same)
    train("latent-dropout", "streets:20", part, size=16, steps=6, resume=True, **same)
    one, other = load(whole).generator.state_dict(), load(part).generator.state_dict()
    assert "training_codes" in one
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_points_are_summed_and_all_else_is_averaged_or_training_refuses(tmp_path: Path) -> None:
    faces, same = tmp_path / "faces" / "train", {"run": ExecutionSettings(quiet=True), **OPTIONS}
    faces.mkdir(parents=True)
    for i in range(4):
        Image.fromarray(np.full((16, 16, 3), 60 * i, np.uint8)).save(faces / f"{i}.png")
    (faces / "landmarks.json").write_text(json.dumps({f"{i}.png": [[i, 2], [9, 8]] for i in range(4)}))
    with pytest.raises(ConfigError, match=r"landmarks, single points .* give --task landmarks"):
        train("latent-dropout", faces.parent, tmp_path / "faded", size=16, steps=1, **same)
    with pytest.raises(ConfigError, match=r"is a label map, .* give --task normals"):
        train("latent-dropout", "streets:20", tmp_path / "grown", size=16, steps=1, task="landmarks", **same)
    assert not (tmp_path / "faded").exists()
    train("latent-dropout", faces.parent, tmp_path / "summed", size=16, steps=1, task="landmarks", **same)
    train("latent-dropout", faces.parent, tmp_path / "blobs", size=16, steps=1, condition="landmarks:1.5", **same)


@pytest.fixture(scope="module")
def of_five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"size": 16, "steps": 2, "quiet": True, **OPTIONS}
    return train("latent-dropout", "streets:20", tmp_path_factory.mktemp("five") / "run", **options)


def test_an_evaluation_takes_trained_codes_first_and_says_so(of_five: Path) -> None:
    generator = load(of_five).generator
    assert generator.fixed_codes is not None
    both = codes_for(generator, 3, 8, 0, "both")
    assert torch.equal(both[:5], generator.fixed_codes)
    assert len(both) == 8
    assert not torch.equal(codes_for(generator, 4, 8, 0, "both")[5:], both[5:])
    assert not (codes_for(generator, 3, 8, 0, "new")[:, None] == generator.fixed_codes).all(dim=2).any()
    with pytest.raises(ConfigError, match="draws 8 samples, but training had 5 codes"):
        codes_for(generator, 3, 8, 0, "trained")
    content = evaluate(of_five, protocol="quick", perceptual=False, codes="trained")
    assert "codes: those of training, 5 in all" in json.dumps(content["protocol"]["precision"])
    assert content["protocol"]["precision"]["samples"] == 5


def test_as_many_fixed_codes_are_drawn_as_are_asked_for(of_five: Path, tmp_path: Path) -> None:
    main(["sample", str(of_five), "test:0", "--fixed-codes", "-n", "3", "--out", str(tmp_path)])
    assert torch.equal(read_codes(tmp_path / "codes.safetensors"), load(of_five).fixed_codes()[:3])


def test_a_path_leads_from_one_saved_code_to_another(of_five: Path, tmp_path: Path) -> None:
    main(["sample", str(of_five), "test:0", "--fixed-codes", "--out", str(tmp_path / "drawn")])
    given = ["--codes", str(tmp_path / "drawn" / "codes.safetensors"), "--from", "1", "--to", "4"]
    main(["interpolate", str(of_five), "test:0", *given, "--frames", "3", "--out", str(tmp_path / "way")])
    for frame, name in ((0, "0001.png"), (2, "0004.png")):
        end = Image.open(tmp_path / "way" / "frames" / f"{frame:04}.png")
        assert end.tobytes() == Image.open(tmp_path / "drawn" / name).tobytes()
    main(
        ["sequence", str(of_five), "test:0", "test:1", "--fixed-codes", "--index", "4", "--out", str(tmp_path / "row")]
    )
    with pytest.raises(SystemExit):
        main(["interpolate", str(of_five), "test:0", "--fixed-codes", "--from", "5"])


def test_heads_are_drawn_without_repetition(tmp_path: Path) -> None:
    given = {"size": 16, "steps": 1, "quiet": True, "scale": 0.02, "perceptual": "laplacian"}
    run = train("crn", "streets:20", tmp_path / "crn", **given)
    model = load(run)
    for seed in range(3):
        drawn = model.codes(18, seed)
        assert len(drawn[:9].unique()) == len(drawn[9:].unique()) == 9
        assert torch.equal(model.codes(4, seed, first=5), drawn[5:9])
    assert not torch.equal(model.codes(9, 0), model.codes(9, 1))
    assert len(model.fixed_codes()) == 9
    for item in range(4):
        assert len(codes_for(model.generator, item, 5, 0, "both").unique()) == 5
