"""Folders whose names are classes: what is held out, how a class is given, what is wrong with them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.tiny import photo, real, save
from variegate.core.errors import DataError
from variegate.data import condition_from_mapping, open_data
from variegate.data.checks.check import check
from variegate.data.conditions import ClassLabel, CompositeCondition, ImageCondition, Unconditional
from variegate.data.conditions.metadata import evenly
from variegate.data.dataset.visits import Visits
from variegate.data.derived import blocks
from variegate.data.scenes.layouts import read_layouts

pytestmark = pytest.mark.core


def animals(root: Path, counts: dict[str, int] | None = None) -> Path:
    for name, count in (counts or {"cat": 20, "dog": 10, "eel": 10}).items():
        for i in range(count):
            save(root / name / f"{i}.png", photo())
    return root


def test_folders_are_classes_and_each_has_its_share_of_what_is_held_out(tmp_path: Path) -> None:
    pairs = open_data(animals(tmp_path))
    assert isinstance(pairs.condition, ClassLabel)
    assert pairs.condition.names == ("cat", "dog", "eel")
    assert "3 class folders: 36 train, 4 val" in pairs.description
    held = pairs.of_split("val")
    assert Counter(Path(file).parent.name for file in held.files) == {"cat": 2, "dog": 1, "eel": 1}
    for one in (pairs, held):
        for k, file in enumerate(one.files):
            raw, image = one.raw(k)
            assert raw.dtype == torch.uint8
            assert raw.stride()[1:] == (0, 0)
            assert torch.equal(raw, torch.full((1, 16, 16), ("cat", "dog", "eel").index(Path(file).parent.name)))
            assert torch.equal(image, torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1))


def test_the_end_of_an_even_order_has_every_class() -> None:
    labels = np.repeat([0, 1, 2], [60, 20, 20])
    order = evenly(labels)
    assert sorted(order) == list(range(100))
    assert np.bincount(labels[order[-10:]]).tolist() == [6, 2, 2]
    assert order[labels[order] == 0].tolist() == list(range(60))


def test_splits_of_class_folders(tmp_path: Path) -> None:
    animals(tmp_path / "train", {"b": 3, "a": 2})
    animals(tmp_path / "test", {"b": 1})
    pairs = open_data(tmp_path)
    assert [len(pairs.of_split(split)) for split in ("train", "val", "test")] == [4, 1, 1]
    assert pairs.of_split("test").raw(0)[0][0, 0, 0] == 1
    assert len(open_data(tmp_path, condition="none")) == 4
    animals(tmp_path / "test", {"c": 1})
    with pytest.raises(DataError, match=r"test/c: is a class that .*train lacks; move it elsewhere"):
        open_data(tmp_path)
    assert len(open_data(tmp_path, condition="none").of_split("test")) == 2, "without classes it does not matter"


def test_a_class_is_given_by_name_or_number_or_as_planes() -> None:
    condition = ClassLabel(names=("cat", "7", "dog"), frame=(4, 6))
    for source in ("dog", "class:dog", Path("class:dog"), "2", "class:2", 2, np.int64(2), torch.tensor(2)):
        assert torch.equal(condition.read(source), torch.full((1, 4, 6), 2, dtype=torch.uint8))
    assert condition.read("7")[0, 0, 0] == 1  # a name comes before a number
    raw = condition.read("dog", (8, 8))
    assert torch.equal(condition.read(raw), raw)
    assert condition.read(raw, (2, 2)).shape == (1, 2, 2)
    encoded = condition.encode(torch.stack([raw, condition.read("cat", (8, 8))]))
    assert encoded.stride()[2:] == (0, 0)
    assert encoded[:, :, 3, 5].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert condition_from_mapping(condition.model_dump(mode="json")) == condition


def test_many_classes_are_numbered_in_sixteen_bits() -> None:
    condition = ClassLabel(names=tuple(map(str, range(300))), frame=(2, 2))
    raw = condition.read(299)
    assert raw.dtype == torch.int16
    assert int(condition.encode(raw[None])[0, :, 0, 0].argmax()) == 299


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("dgo", "there is no class 'dgo'; did you mean 'dog'?"),
        ("9", r"class 9: there is no class number 9; expected 0 to 1 \(cat, dog\)"),
        (-1, "no class number -1"),
        (0.5, "one whole number"),
        (np.arange(4), r"got 4 value\(s\)"),
        (Image.new("L", (2, 2)), "got an image or a pair"),
        (torch.arange(4).view(1, 2, 2), "varies between pixels"),
    ],
)
def test_what_is_no_class_is_told(source, words: str) -> None:
    with pytest.raises(DataError, match=words):
        ClassLabel(names=("cat", "dog"), frame=(2, 2)).read(source)


def test_a_class_has_no_size_of_its_own() -> None:
    with pytest.raises(DataError, match="give the size of the image"):
        ClassLabel(names=("cat",)).read("cat")


def test_the_image_of_a_class_shows_its_name() -> None:
    condition = ClassLabel(names=("cat", "dog"), frame=(32, 32))
    cat, dog = (condition.to_image(condition.read(name)) for name in condition.names)
    assert cat.shape == (3, 32, 32)
    assert cat.dtype == torch.uint8
    assert cat.float().std() > 10
    assert not torch.equal(cat, dog)
    long = ClassLabel(names=("a very long name of a class",), frame=(8, 8))
    assert long.to_image(long.read(0)).shape == (3, 8, 8)


def test_none_is_a_condition_of_any_folder(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.png", photo())
    pairs = open_data(tmp_path, condition="none")
    assert isinstance(pairs.condition, Unconditional)
    raw, image = pairs.raw(0)
    assert (raw.shape, image.shape) == ((0, 16, 16), (3, 16, 16))
    assert pairs.condition.encode(torch.stack([raw, raw])).shape == (2, 0, 16, 16)
    assert torch.equal(pairs.condition.read("none"), raw)
    assert pairs.condition.to_image(raw).unique().tolist() == [128]
    with pytest.raises(DataError, match="this model is unconditional; give none"):
        pairs.condition.read("cat")
    assert "none: a model of images alone" in check(tmp_path, condition="none").text()
    assert open_data("streets:10", condition="none").raw(0)[0].shape == (0, 64, 64)


def test_a_class_and_what_is_made_from_the_image_together(tmp_path: Path) -> None:
    pairs = open_data(animals(tmp_path), condition="class+edges")
    alone = [open_data(tmp_path, condition=pairs.condition.parts[0]), open_data(tmp_path, condition="edges")]
    assert isinstance(pairs.condition, CompositeCondition)
    assert pairs.condition.channels == 3 + 1
    again = open_data(tmp_path, condition=condition_from_mapping(pairs.condition.model_dump(mode="json")))
    by_file = {file: alone[1].raw(k)[0] for k, file in enumerate(alone[1].files)}
    for k in range(3):
        raw, _ = pairs.raw(k)
        assert torch.equal(raw, again.raw(k)[0])
        assert torch.equal(raw, torch.cat([alone[0].raw(k)[0], by_file[pairs.files[k]]]).float())
        edges = ImageCondition(channels=1).encode(by_file[pairs.files[k]][None])
        one_hot = alone[0].condition.encode(alone[0].raw(k)[0][None])
        assert torch.equal(pairs.condition.encode(raw[None]), torch.cat([one_hot, edges], dim=1))
        assert torch.equal(pairs.condition.read(raw), raw)
        assert pairs.condition.to_image(raw).shape == (3, 16, 16)
    save(tmp_path / "drawing.png", photo(6, 4))
    read = pairs.condition.read(f"dog+{tmp_path / 'drawing.png'}")
    assert torch.equal(read[0], torch.ones(6, 4))
    assert torch.equal(read, pairs.condition.read((1, tmp_path / "drawing.png")))
    assert torch.equal(pairs.condition.mirror(read)[1], read[1].flip(-1))
    frames = read_layouts([f"cat+{tmp_path / 'drawing.png'}", f"dog+{tmp_path / 'drawing.png'}"], pairs.condition)
    assert torch.equal(frames[1], read)
    assert torch.equal(frames[0][0], torch.zeros(6, 4))
    with pytest.raises(DataError, match=r"expected 2 conditions, a class and image; give CLASS\+IMAGE"):
        pairs.condition.read("dog")


def test_blocks_of_a_joined_condition_begin_at_the_first_pixel_of_a_crop(tmp_path: Path) -> None:
    pairs = open_data(animals(tmp_path, {"cat": 3, "dog": 3}), condition="class+superres:4")
    visits = Visits(pairs, jitter=1.3, flip=True)
    for key in range(6):
        visit = visits[key % len(pairs), key]
        whole, image = pairs.raw(key % len(pairs))
        assert visit["condition"].shape == (4, 16, 16)
        assert torch.equal(visit["condition"][0], whole[0])
        assert torch.equal(visit["condition"][1:], torch.from_numpy(reduced(visit["image"], 4)).float())
        assert image.shape == (3, 16, 16)


def reduced(image: torch.Tensor, factor: int) -> np.ndarray:
    """(3, H, W) as blocks of a low-resolution image."""
    return blocks.reduce(image.permute(1, 2, 0).contiguous().numpy(), factor).transpose(2, 0, 1).copy()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("clas", "did you mean 'class'"),
        ("class+none", "only class, one vector file, landmarks, and either labels and normals or what is"),
        ("edges+grey", "can be joined"),
        ("vectors", "needs a file after a colon"),
        ("labels+normals+edges", "can be joined"),
        ("class+landmarks", "has no landmarks next to its images"),
        ("labels+landmarks", "has no label maps of its images"),
        ("class", "has no classes; put the images of each class into their own folder"),
    ],
)
def test_conditions_that_cannot_be_asked_for(tmp_path: Path, words: str, told: str) -> None:
    save(tmp_path / "1.png", photo())
    with pytest.raises(DataError, match=told):
        open_data(tmp_path, condition=words)


def test_a_trained_model_reads_its_classes_whatever_their_order(tmp_path: Path) -> None:
    animals(tmp_path, {"dog": 4, "eel": 3})
    known = ClassLabel(names=("cat", "dog", "eel"), frame=(16, 16))
    pairs = open_data(tmp_path, condition=known)
    assert {int(pairs.raw(k)[0].max()) for k in range(len(pairs))} == {1, 2}
    with pytest.raises(DataError, match="has a class 'eel', but the model has 2: cat, dog; use data with these"):
        open_data(tmp_path, condition=ClassLabel(names=("cat", "dog"), frame=(16, 16)))
    with pytest.raises(DataError, match="has class folders, but the model reads an image"):
        open_data(tmp_path, condition=ImageCondition())


def test_check_explains_class_folders(tmp_path: Path) -> None:
    animals(tmp_path, {"cat": 5, "dog": 4})
    report = check(tmp_path)
    assert report.ok
    assert "one of 2 classes (cat, dog)" in report.text()
    assert "55.6 %  cat" in report.text()
    save(tmp_path / "eel" / "1.png", photo())
    (tmp_path / "cat" / "2.png").write_bytes(b"no image")
    told = check(tmp_path).problems
    assert any("class 'eel' has one image to train on" in problem for problem in told)
    assert any("2.png: is not an image" in problem for problem in told)
    (tmp_path / "fox").mkdir()
    assert any(
        "fox: contains no images; add some, or delete the folder" in problem for problem in check(tmp_path).problems
    )


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    pairs = open_data(animals(tmp_path), condition="class+self", grey=True)
    raw, image = pairs.raw(0)
    assert pairs.image_channels == 1
    assert torch.equal(image[0], torch.from_numpy(np.array(Image.open(pairs.files[0]).convert("L"))))
    assert torch.equal(raw[1:], image.expand(3, -1, -1).float())
    with pytest.raises(DataError, match="cannot be read in grey"):
        open_data("streets:10", grey=True)


def test_people_in_folders_are_classes() -> None:
    pairs = open_data(real("faces_identity"))
    assert pairs.condition.channels == 500
    assert pairs.raw(3)[0].dtype == torch.int16
