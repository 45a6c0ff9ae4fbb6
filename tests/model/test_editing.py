"""Editing a scene: objects are found, moved, deleted and changed, and the code stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.untrained import SIZE, untrained
from variegate.cli import main
from variegate.core.errors import ConfigError, DataError, VariegateError
from variegate.data.conditions import ImageCondition, Labels
from variegate.data.scenes.regions import fill, move, region_at, shift
from variegate.data.streets.streets import CLASSES, PALETTE
from variegate.model.editing import Crop, Editor
from variegate.model.model import Model

pytestmark = pytest.mark.core

SKY, BUILDING, WINDOW, ROOF, TREE, PAVEMENT, ROAD, CAR = range(8)


@pytest.fixture(scope="module")
def model() -> Model:
    return untrained()


def scene() -> np.ndarray:
    """Sky over road; a car with a window, and a tree that touches it only through the sky."""
    ids = np.full(SIZE, SKY, np.uint8)
    ids[20:] = ROAD
    ids[22:28, 4:14] = CAR
    ids[23:25, 7:10] = WINDOW
    ids[5:20, 20:24] = TREE
    return ids


# regions


def test_a_point_finds_its_connected_region_and_corners_connect() -> None:
    ids = np.zeros((1, 4, 6), np.int32)
    ids[0, 0, 0] = ids[0, 1, 1] = ids[0, 2, 4] = 3
    assert np.argwhere(region_at(ids, 0, 0)).tolist() == [[0, 0], [1, 1]]
    assert np.argwhere(region_at(ids, 4, 2)).tolist() == [[2, 4]]
    assert region_at(ids, 5, 0).sum() == 24 - 3


def test_with_instance_ids_the_instance_is_picked_in_one_piece_or_not() -> None:
    ids = np.full((4, 6), CAR, np.int32)
    instances = np.array([[1, 1, 2, 2, 0, 1]] * 4, np.int32)
    planes = np.stack([ids, instances])
    assert np.flatnonzero(region_at(planes, 0, 0)[0]).tolist() == [0, 1, 5]
    assert np.flatnonzero(region_at(planes, 2, 0)[0]).tolist() == [2, 3]
    assert np.flatnonzero(region_at(planes, 4, 0)[0]).tolist() == [4]


@given(
    ids=st.lists(st.integers(0, 3), min_size=30, max_size=30),
    hole=st.lists(st.booleans(), min_size=30, max_size=30).filter(lambda bits: not all(bits)),
)
def test_a_hole_is_filled_from_the_nearest_pixel_outside(ids: list[int], hole: list[bool]) -> None:
    planes, mask = np.array(ids).reshape(1, 5, 6), np.array(hole).reshape(5, 6)
    result = fill(planes, mask)
    assert np.array_equal(result[:, ~mask], planes[:, ~mask])
    outside = np.argwhere(~mask)
    for place in np.argwhere(mask):
        distances = ((outside - place) ** 2).sum(axis=1)
        nearest = {int(planes[0, y, x]) for y, x in outside[distances == distances.min()]}
        assert int(result[0, place[0], place[1]]) in nearest


@given(dx=st.integers(-9, 9), dy=st.integers(-9, 9))
def test_a_shift_moves_every_pixel_and_loses_what_leaves(dx: int, dy: int) -> None:
    maps = np.arange(1, 31).reshape(5, 6)
    result = shift(maps, dx, dy)
    for y in range(5):
        for x in range(6):
            inside = 0 <= y - dy < 5 and 0 <= x - dx < 6
            assert result[y, x] == (maps[y - dy, x - dx] if inside else 0)


def test_a_move_by_nothing_changes_nothing() -> None:
    planes = scene()[None].astype(np.int32)
    assert np.array_equal(move(planes, region_at(planes, 5, 22), 0, 0), planes)


# the editor


def test_an_unchanged_layout_is_the_identical_image(model: Model) -> None:
    drawn = model.edit(scene()).draw(n=2, seed=4, index=3)
    sampled = model.sample(scene(), n=2, seed=4, first=3)
    assert torch.equal(drawn.images, sampled.images)
    assert drawn.seeds == [(4, 3), (4, 4)]


def test_the_code_is_kept_until_another_is_asked_for(model: Model) -> None:
    editor = model.edit(scene())
    before = editor.draw(seed=2, index=5)
    after = editor.move((5, 22), 10, 0).draw()
    assert torch.equal(after.codes, before.codes)
    assert after.seeds == before.seeds == [(2, 5)]
    assert torch.equal(after.images, model.sample(editor.layout, codes=before.codes).images)
    assert not torch.equal(after.images, before.images)
    assert torch.equal(editor.undo().draw().images, before.images)
    mine = model.codes(3, seed=9)
    assert torch.equal(editor.draw(codes=mine).codes, mine)
    assert torch.equal(editor.draw().codes, mine)
    assert not torch.equal(editor.draw(index=1).codes, mine)


def test_a_layout_of_another_size_is_edited_as_it_is_and_resized_to_be_drawn(model: Model) -> None:
    large = scene().repeat(2, axis=0).repeat(2, axis=1)
    editor = model.edit(large, size=SIZE)
    assert editor.layout.shape == (64, 64)
    assert torch.equal(editor.draw().images, model.sample(scene(), n=1).images)


def test_an_object_moves_with_what_it_encloses_and_leaves_what_is_around(model: Model) -> None:
    editor = model.edit(scene()).move((5, 22), 14, 2)
    expected = scene()
    expected[22:28, 4:14] = ROAD
    expected[22:25, 4:14] = editor.layout[22:25, 4:14]  # as near to the sky as to the road
    expected[24:30, 18:28] = CAR
    expected[25:27, 21:24] = WINDOW
    assert np.array_equal(editor.layout.numpy(), expected)
    assert set(np.unique(editor.layout[22:25, 4:14])) <= {SKY, ROAD}


def test_a_part_that_moves_out_of_the_image_is_lost(model: Model) -> None:
    editor = model.edit(scene()).move((5, 22), -8, 0)
    assert int((editor.layout == CAR).sum()) == 6 * 6 - 2 * 2
    assert int((editor.layout == WINDOW).sum()) == 2 * 2


def test_a_deleted_object_is_gone_with_its_windows(model: Model) -> None:
    layout = model.edit(scene()).delete((5, 22)).layout
    assert not ((layout == CAR) | (layout == WINDOW)).any()
    assert torch.equal(layout != torch.from_numpy(scene()), torch.from_numpy(np.isin(scene(), (CAR, WINDOW))))


def test_a_change_keeps_what_is_enclosed(model: Model) -> None:
    layout = model.edit(scene()).change((5, 22), "roof").change((0, 0, 3, 2), SKY + 1).layout
    assert torch.equal(layout == WINDOW, torch.from_numpy(scene() == WINDOW))
    assert torch.equal(layout == ROOF, torch.from_numpy(scene() == CAR))
    assert int((layout == BUILDING).sum()) == 6


def test_a_class_is_changed_or_removed_as_a_whole(model: Model) -> None:
    before = torch.from_numpy(scene())
    layout = model.edit(scene()).change("road", "sky").layout
    assert not (layout == ROAD).any()
    assert torch.equal(layout != before, before == ROAD)
    gone = model.edit(scene()).delete("car").layout
    assert torch.equal(gone != before, (before == CAR) | (before == WINDOW))


def test_boxes_masks_and_crops_are_added(model: Model) -> None:
    mask = np.zeros(SIZE, bool)
    mask[0, 0] = mask[3, 3] = True
    layout = model.edit(scene()).add("car", (28, 28, 99, 99)).add(ROOF, mask).layout
    assert (layout[28:, 28:] == CAR).all()
    assert [int(layout[0, 0]), int(layout[3, 3]), int(layout[0, 1])] == [ROOF, ROOF, SKY]
    pasted = model.edit(np.full(SIZE, ROAD, np.uint8)).add("car", Crop(scene(), (0, 18, 20, 32), (12, -4))).layout
    expected = np.full((60, 60), ROAD, np.uint8)  # the box goes from 0,18 to 12,-4: 12 to the right, 22 up
    source = scene()[22:28, 4:14]
    expected[0:6, 16:26] = source
    assert np.array_equal(pasted.numpy(), expected[:32, :32])


def test_steps_are_chained_and_taken_back_one_by_one(model: Model) -> None:
    editor = model.edit(scene())
    first = editor.delete((21, 10)).layout
    assert isinstance(editor.change((0, 0), "roof").add("tree", (0, 0, 4, 4)), Editor)
    assert torch.equal(editor.undo().undo().layout, first)
    assert torch.equal(editor.undo().layout, torch.from_numpy(scene()))
    with pytest.raises(ConfigError, match="no step to undo"):
        editor.undo()


def test_touching_objects_are_told_apart_by_their_instances() -> None:
    model = untrained(Labels(names=CLASSES, palette=PALETTE, boundaries=True))
    ids, instances = np.full(SIZE, ROAD, np.uint8), np.zeros(SIZE, np.int64)
    ids[10:20, 4:24] = CAR
    instances[10:20, 4:14], instances[10:20, 14:24] = 7, 9
    editor = model.edit((ids, instances))
    assert torch.equal(editor.draw().images, model.sample((ids, instances), n=1).images)
    editor.delete((5, 12)).add("car", (0, 24, 8, 30))
    assert editor.instances is not None
    assert set(editor.instances.unique().tolist()) == {0, 9, 10}
    assert int((editor.instances == 10).sum()) == int((editor.layout[24:30, :8] == CAR).sum()) == 48
    assert (editor.instances[10:20, 14:24] == 9).all()
    pair = (editor.layout, editor.instances)
    assert torch.equal(editor.draw().images, model.sample(pair, n=1).images)
    with pytest.raises(DataError, match="give a pair"):
        model.edit(model.condition.read((ids, instances)))
    assert model.edit(ids).instances is None


# mistakes


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (lambda editor: editor.change((0, 0), "raod"), "no class 'raod'; did you mean 'road'"),
        (lambda editor: editor.add(8, (0, 0, 4, 4)), r"no class 8; ids go from 0 to 7"),
        (lambda editor: editor.delete((32, 0)), "point 32,0 is outside the image; x goes from 0 to 31"),
        (lambda editor: editor.move((0, -1), 2, 0), "point 0,-1 is outside"),
        (lambda editor: editor.move((5, 22), 40, 0), "out of the image"),
        (lambda editor: editor.add("car", (4, 4)), "at point .*; give a box"),
        (lambda editor: editor.add("car", (4, 4, 4, 8)), "is empty"),
        (lambda editor: editor.add("car", (40, 4, 44, 8)), "outside the image of 32x32"),
        (lambda editor: editor.add("car", np.zeros(SIZE, bool)), "0 everywhere"),
        (lambda editor: editor.delete(np.ones((3, 3), bool)), r"got shape \(3, 3\)"),
        (lambda editor: editor.delete(np.ones(SIZE, bool)), "cannot delete the whole image"),
        (lambda editor: editor.delete((0.5, 3)), "whole pixels"),
        (lambda editor: editor.delete("pavement"), "this label map has no pavement, only sky"),
        (lambda editor: editor.change("raod", "sky"), "no class 'raod'; did you mean 'road'"),
        (lambda editor: editor.delete((float("nan"), 3)), "whole pixels"),
        (
            lambda editor: editor.add("sky", Crop(scene(), (0, 0, 9, 9), (10**20, 1))),
            f"whole pixels below 2147483648, got {10**20}",
        ),
        (lambda editor: editor.add("car", Crop(scene(), (0, 0, 9, 9), (0, 0))), "has no car, only sky"),
        (lambda editor: editor.add("sky", Crop(scene(), (0, 0, 9, 9), (50, 0))), "outside the image"),
    ],
)
def test_a_step_that_cannot_be_done_is_explained_and_changes_nothing(model: Model, step: object, told: str) -> None:
    editor = model.edit(scene())
    with pytest.raises(VariegateError, match=told):
        step(editor)  # type: ignore[operator]
    assert torch.equal(editor.layout, torch.from_numpy(scene()))
    assert not editor.history


def test_images_cannot_be_edited() -> None:
    with pytest.raises(ConfigError, match="does not read just a label map"):
        untrained(ImageCondition(channels=3)).edit(np.zeros((32, 32, 3), np.uint8))


# the command


@pytest.fixture
def run(model: Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "run" / "model")
    Image.fromarray(scene()).save(tmp_path / "layout.png")
    return tmp_path / "run"


def test_the_command_does_the_steps_in_order_and_writes_before_and_after(run: Path, model: Model) -> None:
    layout, out = run.parent / "layout.png", run.parent / "out"
    steps = ["move:5,22:14,0", "delete:21,10", "change:20,22:roof", f"add:car:{layout}:0,18,20,32:0,18"]
    steps += ["change:roof:building", "delete:car"]
    main(["edit", str(run), str(layout), "--steps", *steps, "--index", "2", "--seed", "1", "--out", str(out)])
    editor = model.edit(scene())
    expected = editor.move((5, 22), 14, 0).delete((21, 10)).change((20, 22), ROOF)
    expected = expected.add(CAR, Crop(scene(), (0, 18, 20, 32), (0, 18))).change("roof", "building").delete("car")
    written = Image.open(out / "layout.png")
    assert written.mode == "P"
    assert np.array_equal(np.asarray(written), expected.layout.numpy())
    assert written.getpalette()[: 3 * len(PALETTE)] == [value for colour in PALETTE for value in colour]
    for name, source in (("before", scene()), ("after", expected.layout)):
        drawn = np.asarray(model.sample(source, n=1, seed=1, first=2).pil()[0]).astype(int)
        assert np.abs(np.asarray(Image.open(out / f"{name}.png")).astype(int) - drawn).max() <= 1
    assert Image.open(out / "sheet.png").size == (2 * 32 + 2, 2 * 32 + 2)
    again = model.edit(out / "layout.png")
    assert torch.equal(again.layout, expected.layout)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("mvoe:1,1:2,2", "did you mean 'move'"),
        ("move:1,1", "expected move:X,Y:DX,DY"),
        ("move:1,1:2", "expected move"),
        ("delete:a,b", "expected delete:X,Y"),
        ("change:0,0:tee", "did you mean 'tree'"),
        ("change:raod:tree", "expected change:X,Y:CLASS or change:CLASS:CLASS"),
        ("delete:pavement", "this label map has no pavement"),
        ("add:car:1,2,3", "expected add:CLASS"),
        ("delete:99,0", "outside the image"),
    ],
)
def test_a_wrong_step_is_answered_with_one_sentence(
    run: Path, step: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run.parent / "out"
    with pytest.raises(SystemExit) as stopped:
        main(["edit", str(run), str(run.parent / "layout.png"), "--steps", step, "--out", str(out)])
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.startswith(f"variegate: --steps {step}: ")
    assert told in error
    assert not out.exists()


def test_instances_of_an_earlier_edit_do_not_stay_beside_another_layout(run: Path) -> None:
    layout, numbers, out = run.parent / "layout.png", run.parent / "numbers.png", run.parent / "out"
    Image.fromarray(np.ones(SIZE, np.uint16)).save(numbers)
    command = ["edit", str(run), str(layout), "--steps", "change:20,22:roof", "--out", str(out)]
    main([*command, "--instances", str(numbers)])
    assert (out / "instances.png").is_file()
    main(command)
    assert sorted(file.name for file in out.iterdir()) == ["after.png", "before.png", "layout.png", "sheet.png"]


@pytest.mark.parametrize(("size", "height"), [("32", 32), ("64", 64)])
def test_layouts_of_another_size_than_the_images_are_on_the_sheet_too(run: Path, size: str, height: int) -> None:
    layout, out = run.parent / "large.png", run.parent / "out"
    Image.fromarray(scene().repeat(3, axis=0).repeat(3, axis=1)).save(layout)
    main(["edit", str(run), str(layout), "--steps", "delete:63,30", "--size", size, "--out", str(out)])
    sheet = np.asarray(Image.open(out / "sheet.png"))
    assert sheet.shape == (2 * height + 2, 2 * height + 2, 3)
    assert Image.open(out / "layout.png").size == (96, 96)
    rows = np.arange(height) * 96 // height + 96 // height // 2
    colours = np.asarray(PALETTE, np.uint8)[scene().repeat(3, axis=0).repeat(3, axis=1)[np.ix_(rows, rows)]]
    assert np.array_equal(sheet[:height, :height], colours)


def test_a_layout_is_never_replaced_by_what_is_made_of_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run.parent
    layout = folder / "layout.png"
    was = layout.read_bytes()
    other = folder / "other.png"
    other.write_bytes(was)
    for words in (
        [str(layout), "--steps", "delete:5,22"],
        [str(folder / "run" / ".." / "layout.png"), "--steps", "delete:5,22"],
        [str(other), "--steps", f"add:car:{layout}:0,18,20,32:0,18"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["edit", str(run), *words, "--out", str(folder)])
        assert stopped.value.code == 2
        assert "layout.png: would be overwritten" in capsys.readouterr().err
    assert layout.read_bytes() == was
    assert not (folder / "sheet.png").exists()


def test_the_style_can_come_from_the_codes_of_earlier_samples(
    run: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run.parent
    mixed = (model.codes(3, seed=1) + model.codes(3, seed=2)) / 2**0.5
    model.sample(scene(), codes=mixed).save(folder / "drawn")
    codes = ["--codes", str(folder / "drawn" / "codes.safetensors")]
    words = ["edit", str(run), str(folder / "layout.png"), "--steps", "delete:5,22", "--out", str(folder / "out")]
    main([*words, *codes, "--index", "2"])
    drawn = np.asarray(model.sample(scene(), codes=mixed[2:]).pil()[0]).astype(int)
    assert np.abs(np.asarray(Image.open(folder / "out" / "before.png")).astype(int) - drawn).max() <= 1
    for index in ("3", "-1"):
        with pytest.raises(SystemExit):
            main([*words, *codes, "--index", index])
        assert "--index must be between 0 and 2 for these codes" in capsys.readouterr().err
