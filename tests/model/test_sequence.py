"""Sequences: one code or a path of codes over layouts from files, folders and moving images."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from helpers.untrained import SIZE, untrained
from variegate.cli import main
from variegate.core.errors import ConfigError, DataError
from variegate.core.images import heat
from variegate.data.conditions import ImageCondition, Labels
from variegate.data.scenes.layouts import palette_image, read_layouts, save_animation
from variegate.data.streets.streets import CLASSES, PALETTE, Streets, moving_car
from variegate.evaluation.pages.contact_sheets import films
from variegate.model.model import Model
from variegate.model.sequences import adjacent_difference, changed_share, flicker
from variegate.model.video import save_frames

pytestmark = pytest.mark.core

CAR = CLASSES.index("car")
STREETS = Labels(names=CLASSES, palette=PALETTE)


@pytest.fixture(scope="module")
def model() -> Model:
    return untrained()


@pytest.fixture(scope="module")
def layouts() -> Tensor:
    return moving_car(SIZE, frames=5, seed=3)


# a moving car


def test_a_car_drives_to_the_right_through_a_street_that_stands_still(layouts: Tensor) -> None:
    assert layouts.shape == (5, 1, *SIZE)
    columns = [torch.nonzero(frame[0] == CAR)[:, 1].float().mean() for frame in layouts]
    assert all(left < right for left, right in pairwise(columns))
    upper = layouts[:, :, : SIZE[0] // 2]
    assert (upper == upper[0]).all()
    assert torch.equal(layouts, moving_car(SIZE, frames=5, seed=3))
    assert not torch.equal(layouts, moving_car(SIZE, frames=5, seed=4))


def test_the_street_of_the_moving_car_is_a_test_item(layouts: Tensor) -> None:
    layout = Streets(SIZE, 1, 3, "test").layout(0)
    upper = slice(0, SIZE[0] // 2)
    assert torch.equal(layouts[0, :, upper], layout[:, upper])


@pytest.mark.parametrize("frames", [1, 17])
def test_a_car_that_would_stand_still_is_refused(frames: int) -> None:
    with pytest.raises(DataError, match="frames must be 2 to 16"):
        moving_car(SIZE, frames)


# layouts as files


def test_an_animated_label_map_keeps_every_id(layouts: Tensor, tmp_path: Path) -> None:
    path = save_animation(tmp_path / "moving.gif", layouts, PALETTE)
    assert torch.equal(torch.stack(read_layouts([path], STREETS)), layouts)
    assert torch.equal(torch.stack(read_layouts([str(path)], STREETS)), layouts)


@pytest.mark.parametrize("suffix", ["gif", "png", "tiff"])
@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_any_moving_image_with_exact_ids_or_colours_is_read(
    mode: str, suffix: str, layouts: Tensor, tmp_path: Path
) -> None:
    frames = [palette_image(layout[0], PALETTE) for layout in layouts]
    if mode == "L":
        frames = [Image.fromarray(layout[0].numpy()) for layout in layouts]
    if mode == "RGB":
        frames = [frame.convert("RGB") for frame in frames]
    path = tmp_path / f"moving.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert torch.equal(torch.stack(read_layouts([path], STREETS)), layouts)


def test_many_classes_survive_a_gif_whose_writer_reorders_its_palette(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    palette = [tuple(int(v) for v in colour) for colour in rng.permutation(256 * 3).reshape(256, 3) % 256]
    assert len(set(palette)) == 256
    condition = Labels(names=tuple(map(str, range(256))), palette=tuple(palette))
    ids = torch.from_numpy(rng.integers(0, 256, (4, 1, 24, 24), dtype=np.uint8))
    ids[1] = ids[0]
    ids[1, 0, 3, 3] ^= 1  # hardly any change
    ids[2] = 200
    path = save_animation(tmp_path / "many.gif", ids, palette)
    assert torch.equal(torch.stack(read_layouts([path], condition)), ids)


def test_a_folder_is_read_in_natural_order(layouts: Tensor, tmp_path: Path) -> None:
    for i, number in enumerate((1, 2, 9, 10, 11)):
        palette_image(layouts[i, 0], PALETTE).save(tmp_path / f"{number}.png")
    assert torch.equal(torch.stack(read_layouts([tmp_path], STREETS)), layouts)


def test_images_move_too(tmp_path: Path) -> None:
    values = np.zeros((2, 8, 8, 3), np.uint8)
    values[1] = 255
    first, second = (Image.fromarray(one) for one in values)
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    raws = read_layouts([tmp_path / "a.gif"], ImageCondition())
    assert [raw.float().mean().item() for raw in raws] == [0, 255]


def test_what_is_no_sequence_is_explained(layouts: Tensor, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: contains no images"):
        read_layouts([tmp_path / "empty"], STREETS)
    with pytest.raises(DataError, match="at least one layout"):
        read_layouts([], STREETS)
    with pytest.raises(DataError, match=r"layout 1 of the sequence is 16x32, but the first is 32x32; give --size"):
        read_layouts([layouts[0], layouts[0, :, :, :16]], STREETS)
    pink = [palette_image(layout[0], ((255, 0, 255), *PALETTE[1:])) for layout in layouts]
    pink[0].save(tmp_path / "pink.gif", save_all=True, append_images=pink[1:])
    with pytest.raises(DataError, match=r"pink\.gif: frame 0 has 1 colour\(s\) that do not belong to any class"):
        read_layouts([tmp_path / "pink.gif"], STREETS)
    with pytest.raises(DataError, match=r"name the file cars\.gif"):
        save_animation(tmp_path / "cars.mp4", layouts, PALETTE)
    with pytest.raises(DataError, match="same colour"):
        save_animation(tmp_path / "cars.gif", layouts, (PALETTE[1], *PALETTE[1:]))
    path = save_animation(tmp_path / "cut.gif", layouts, PALETTE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DataError, match=r"cut\.gif"):
        read_layouts([path], STREETS)


# differences


def test_equal_layouts_do_not_flicker(model: Model, layouts: Tensor) -> None:
    drawn = model.sequence([layouts[0]] * 3, code=2)
    assert adjacent_difference(drawn.images).tolist() == [0, 0]
    found = flicker(model, [layouts[0]] * 3, drawn.images)
    assert found.layouts.tolist() == [0, 0]
    assert (found.fresh > 0).all()


def test_differences_are_means_over_all_values() -> None:
    images = torch.zeros(3, 3, 2, 2)
    images[1, 0, 0, 0] = 0.6
    images[2] = 1
    assert adjacent_difference(images).tolist() == pytest.approx([0.05, 0.95])
    assert adjacent_difference(images[:1]).tolist() == []
    layouts = torch.zeros(2, 2, 2, 2, dtype=torch.uint8)
    layouts[1, 0, 0, 0], layouts[1, 1] = 7, 1  # the plane of boundaries does not count
    assert changed_share(layouts).tolist() == [0.25]


def test_fresh_codes_are_those_of_single_samples(model: Model, layouts: Tensor) -> None:
    drawn = model.sequence(layouts, code=1, seed=5)
    singles = torch.cat([model.sample(one, n=1, seed=5, first=t).images for t, one in enumerate(layouts)])
    found = flicker(model, list(layouts), drawn.images, seed=5)
    assert torch.allclose(found.fresh, adjacent_difference(singles))
    assert torch.equal(found.layouts, changed_share(layouts))
    assert f"{float(found.frames.mean()):.4f}" in found.text()


# the model and the command


def test_a_path_of_codes_starts_and_ends_at_its_codes(model: Model, layouts: Tensor, tmp_path: Path) -> None:
    drawn = model.sequence(layouts, code=3, seed=1, end=7)
    ends = model.codes(8, seed=1)[[3, 7]]
    assert torch.allclose(drawn.codes[[0, -1]], ends, atol=1e-5)
    assert torch.allclose(drawn.images[-1], model.sample(layouts[-1], codes=ends[1:]).images[0], atol=1e-4)
    middle = model.sequence(layouts, code=3, seed=1).images
    assert torch.allclose(drawn.images[0], middle[0], atol=1e-4)
    assert not torch.allclose(drawn.images[2], middle[2], atol=1e-4)
    path = save_animation(tmp_path / "moving.gif", layouts, PALETTE)
    assert torch.equal(model.sequence(path, 3, 1).images, middle)


def test_the_command_writes_frames_and_measures_them(
    model: Model, layouts: Tensor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "run" / "model")
    moving, out = tmp_path / "moving.gif", tmp_path / "out"
    main(["data", "export-streets", str(moving), "--frames", "5", "--size", "32", "--seed", "3"])
    main(["sequence", str(tmp_path / "run"), str(moving), "--from", "3", "--to", "7", "--seed", "1", "--out", str(out)])
    told = capsys.readouterr().out
    drawn = model.sequence(layouts, 3, 1, end=7)
    files = sorted((out / "frames").glob("0*.png"))
    assert len(files) == 5
    for file, picture in zip(files, drawn.pil()):
        assert np.abs(np.asarray(Image.open(file)).astype(int) - np.asarray(picture)).max() <= 1
    assert Image.open(out / "sequence.gif").n_frames == 5
    for name, value in (
        ("adjacent frames differ by", adjacent_difference(drawn.images)),
        ("pixels that change class", changed_share(layouts)),
    ):
        [line] = [line for line in told.splitlines() if line.startswith(name)]
        assert float(line.removeprefix(name).split()[0]) == pytest.approx(float(value.mean()), abs=2e-4)
    assert "with a fresh code per frame" in told
    assert Image.open(out / "differences.png").size == (5 * 34 - 2, 3 * 34 - 2)


def test_differences_of_two_models_share_their_scale(
    model: Model, layouts: Tensor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "run" / "model")
    moving, run, out = tmp_path / "moving.gif", str(tmp_path / "run"), tmp_path / "out"
    main(["data", "export-streets", str(moving), "--frames", "5", "--size", "32", "--seed", "3"])
    main(["sequence", run, str(moving), "--index", "2", "--beside", run, "--out", str(out)])
    assert capsys.readouterr().out.count("adjacent frames differ by") == 2
    page = np.asarray(Image.open(out / "differences.png"))
    assert page.shape == (5 * 34 - 2, 5 * 34 - 2, 3)
    assert (page[34:100] == page[102:168]).all()
    still, moved = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    moved[1] = 0.5
    condition = torch.zeros(3, 4, 4, dtype=torch.uint8)
    both = films([condition, condition], [still, moved])
    assert (both[:, 12:16, 6:10] == both[:, 12:16, :4]).all(), "nothing changes in the first"
    assert torch.equal(both[:, 24:28, 6:10], heat(torch.ones(4, 4), 1)), "the most that changes in either is brightest"


def test_frames_of_a_longer_sequence_do_not_follow_a_shorter_one(model: Model, layouts: Tensor, tmp_path: Path) -> None:
    save_frames(model.sequence(layouts), tmp_path, "sequence")
    (tmp_path / "frames" / "0077.png").write_bytes(b"not of a sequence")
    (tmp_path / "sequence.mp4").write_bytes(b"old")
    save_frames(model.sequence(layouts[:2]), tmp_path, "sequence")
    left = sorted(path.name for path in (tmp_path / "frames").glob("0*.png"))
    assert left == ["0000.png", "0001.png", "0077.png"]
    mp4 = tmp_path / "sequence.mp4"
    assert not mp4.exists() or mp4.read_bytes() != b"old"


def test_a_moving_street_replaces_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "moving.gif"
    path.write_bytes(b"mine")
    with pytest.raises(SystemExit):
        main(["data", "export-streets", str(path), "--frames", "4", "--size", "32"])
    assert "moving.gif: already exists; choose a new file" in capsys.readouterr().err
    assert path.read_bytes() == b"mine"


def test_an_animation_is_there_whole_or_not_at_all(
    layouts: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_animation(tmp_path / "moving.gif", layouts, PALETTE)
    was = path.read_bytes()

    def broken(self: Image.Image, file: Path, *rest: object, **options: object) -> None:
        Path(file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", broken)
    with pytest.raises(KeyboardInterrupt):
        save_animation(path, layouts, PALETTE)
    assert path.read_bytes() == was


def test_half_a_path_of_codes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sequence", str(tmp_path), "x.gif", "--to", "3"])
    assert "needs both --from and --to" in capsys.readouterr().err


def test_codes_of_another_model_are_refused(model: Model, layouts: Tensor) -> None:
    with pytest.raises(ConfigError, match="codes have shape"):
        model.sequence(layouts, end=torch.zeros(3))
