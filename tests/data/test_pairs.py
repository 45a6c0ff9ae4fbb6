"""Pairs come out at one size, from files or derived or drawn; visits depend on their key alone."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from helpers.tiny import labelled, photo, real, save
from variegate.core.errors import ConfigError, DataError
from variegate.data import Pairs, open_data
from variegate.data.conditions import ImageCondition, Labels
from variegate.data.dataset.visits import Visits, to_batch

core = pytest.mark.core


@core
@pytest.mark.parametrize(("kind", "channels"), [("edges", 1), ("grey", 1), ("self", 3), ("superres:4", 3)])
def test_conditions_are_derived_from_plain_images(tmp_path: Path, kind: str, channels: int) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.png", photo())
    pairs = open_data(tmp_path, condition=kind)
    assert pairs.condition == ImageCondition(channels=channels, derived=kind)  # type: ignore[arg-type]
    condition, image = pairs.raw(0)
    assert condition.shape == (channels, 16, 16)
    assert image.shape == (3, 16, 16)
    assert torch.equal(condition, image) == (kind == "self")
    again = open_data(tmp_path, condition=pairs.condition)
    assert torch.equal(again.raw(0)[0], condition)


@core
def test_class_folders_serve_as_plain_images(tmp_path: Path) -> None:
    for person in ("ann", "bob"):
        save(tmp_path / person / "1.png", photo())
    assert len(open_data(tmp_path, condition="self")) == 1  # the other is held out


@core
def test_plain_images_without_a_condition_say_how_to_give_one(tmp_path: Path) -> None:
    save(tmp_path / "1.png", photo())
    with pytest.raises(DataError, match=r"1 single images.*--condition edges, grey, self, superres:4 or inpaint"):
        open_data(tmp_path)


@core
@pytest.mark.parametrize(
    ("kind", "words"),
    [("edge", "did you mean 'edges'"), ("superres", "integer factor"), ("superres:1", "at least 2"), ("x", "known: ")],
)
def test_a_derived_condition_that_does_not_exist_is_corrected(tmp_path: Path, kind: str, words: str) -> None:
    save(tmp_path / "1.png", photo())
    with pytest.raises(DataError, match=words):
        open_data(tmp_path, condition=kind)


@core
@pytest.mark.parametrize(("asked", "size"), [(None, (16, 24)), (8, (8, 8)), ((5, 7), (5, 7))])
def test_every_pair_has_exactly_the_size(tmp_path: Path, asked: int | tuple[int, int] | None, size) -> None:
    save(tmp_path / "a.png", photo(18, 31))
    save(tmp_path / "b.png", photo(40, 20))
    pairs = open_data(tmp_path, size=asked, condition="grey")
    for split in ("train", "val"):
        condition, image = open_data(tmp_path, size=pairs.size, split=split, condition="grey").raw(0)
        assert condition.shape == (1, *size)
        assert image.shape == (3, *size)


@core
def test_without_val_and_test_the_last_tenth_of_train_is_held_out(tmp_path: Path) -> None:
    for i in range(25):
        save(tmp_path / f"{i}.png", photo(8, 8))
    train = open_data(tmp_path, condition="self")
    held = train.validation()
    assert (len(train), len(held), held.split) == (23, 2, "val")
    assert not set(train.files) & set(held.files)
    assert open_data(tmp_path, split="val", condition="self").files == held.files


@core
def test_validation_is_val_then_test_and_a_single_pair_serves_as_both(tmp_path: Path) -> None:
    both = tmp_path / "both"
    for split in ("train", "test"):
        save(both / split / "1.png", photo(8, 8))
    assert open_data(both, condition="self").validation().split == "test"
    save(both / "val" / "1.png", photo(8, 8))
    assert open_data(both, condition="self").validation().split == "val"
    save(tmp_path / "one" / "1.png", photo(8, 8))
    assert open_data(tmp_path / "one", condition="self").validation().split == "train"


@core
def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no split 'tran'; did you mean 'train'"):
        open_data(labelled(tmp_path), split="tran")


@core
def test_pairs_stay_in_memory_within_the_budget_and_are_not_pickled(tmp_path: Path) -> None:
    pairs = open_data(labelled(tmp_path))
    first = pairs.raw(0)
    assert pairs.raw(0)[0] is first[0]
    assert len(pickle.dumps(pairs)) < 4000
    assert torch.equal(pickle.loads(pickle.dumps(pairs)).raw(0)[1], first[1])
    poor = Pairs(replace(pairs.source, cache_bytes=4 * 16 * 16), "train")
    poor.raw(0)
    assert poor.raw(1)[0] is not poor.raw(1)[0]
    with pytest.raises(IndexError):
        pairs.raw(len(pairs))


@core
def test_a_broken_file_is_named_when_it_is_reached(tmp_path: Path) -> None:
    labelled(tmp_path)
    (tmp_path / "train" / "1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"train/1\.jpg: is empty"):
        open_data(tmp_path).raw(1)


@core
def test_visits_depend_on_the_key_alone(tmp_path: Path) -> None:
    pairs = open_data(labelled(tmp_path))
    one, other = Visits(pairs, jitter=1.5, flip=True), Visits(pairs, jitter=1.5, flip=True)
    other[1, 3], other[0, 9]  # earlier visits change nothing
    keys = [(7 << 40) + i for i in range(20)]
    seen = [one[0, key] for key in keys]
    assert all(torch.equal(a["image"], other[0, key]["image"]) for a, key in zip(seen, keys))
    assert len({visit["image"].numpy().tobytes() for visit in seen}) > 10


@core
def test_condition_and_image_are_cropped_and_mirrored_alike(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / f"{i}.png", photo())
    visits = Visits(open_data(tmp_path, condition="self"), jitter=1.3, flip=True)
    for key in range(20):
        visit = visits[0, key]
        assert visit["image"].shape == (3, 16, 16)
        assert torch.equal(visit["condition"], visit["image"])


@core
def test_flip_mirrors_half_of_the_visits_and_without_jitter_changes_nothing_else(tmp_path: Path) -> None:
    pairs = open_data(labelled(tmp_path))
    image = pairs.raw(0)[1]
    visits, plain = Visits(pairs, flip=True), Visits(pairs)
    mirrored = [torch.equal(visits[0, key]["image"], image.flip(-1)) for key in range(200)]
    assert 70 < sum(mirrored) < 130
    assert all(m or torch.equal(visits[0, key]["image"], image) for key, m in enumerate(mirrored))
    assert torch.equal(plain[0, 5]["image"], image)
    with pytest.raises(ConfigError, match=r"jitter must be .* got 0\.9"):
        Visits(pairs, jitter=0.9)


@core
def test_a_batch_is_what_the_networks_see(tmp_path: Path) -> None:
    pairs = open_data(labelled(tmp_path))
    visits, key = Visits(pairs), ((1 << 22) - 1 << 40) + 5
    batch = to_batch(default_collate([visits[0, key], visits[1, 2]]), pairs.condition)
    assert batch.condition.shape == (2, 3, 16, 16)
    assert batch.image.shape == (2, 3, 16, 16)
    assert torch.equal(batch.image[0], pairs.raw(0)[1] / 127.5 - 1)
    assert batch.key.tolist() == [key, 2]
    assert batch.index.tolist() == [0, 1]


@core
def test_streets_need_no_files() -> None:
    pairs = open_data("streets:30", size=32)
    assert (len(pairs), len(pairs.validation()), pairs.size) == (30, 3, (32, 32))
    condition, image = pairs.raw(0)
    assert isinstance(pairs.condition, Labels)
    assert condition.shape == (1, 32, 32)
    assert int(condition.max()) < pairs.condition.channels
    assert image.shape == (3, 32, 32)
    assert Visits(pairs, jitter=1.1)[0, 0]["condition"].shape == (1, 32, 32)
    with pytest.raises(DataError, match="expected streets:COUNT"):
        open_data("streets:many")


@pytest.mark.parametrize(
    "path", ["streets:5hours", "streets:300:dark", "streets:300:", "streets:hours:300", "streets:0"]
)
def test_streets_of_a_count_or_variant_that_is_none_are_refused(path: str) -> None:
    with pytest.raises(DataError, match=f"{path}: expected streets:COUNT"):
        open_data(path)


@pytest.mark.parametrize(
    ("path", "count", "name"), [("streets:hours", 2000, "hours"), ("streets:30:skewed", 30, "skewed")]
)
def test_variants_of_streets_are_named(path: str, count: int, name: str) -> None:
    pairs = open_data(path, 16)
    assert (len(pairs), pairs.name) == (count, f"streets, {name}")


def test_facades_are_label_colours_to_photographs() -> None:
    pairs = open_data(real("facades"))
    assert (len(pairs), len(pairs.validation()), pairs.size) == (400, 100, (256, 256))
    assert "B is the condition" in pairs.description
    flat = [(c.float().diff(dim=-1).abs() <= 6).float().mean() for c, _ in (pairs.raw(i) for i in range(5))]
    busy = [(x.float().diff(dim=-1).abs() <= 6).float().mean() for _, x in (pairs.raw(i) for i in range(5))]
    assert all(a > b for a, b in zip(flat, busy))


def test_camvid_is_twelve_classes() -> None:
    pairs = open_data(real("camvid"))
    assert isinstance(pairs.condition, Labels)
    assert pairs.condition.names[4] == "pavement"
    assert pairs.condition.void == 11
    assert (pairs.size, pairs.splits) == ((192, 256), ("train", "val", "test"))
    assert [len(open_data(real("camvid"), split=s, condition=pairs.condition)) for s in pairs.splits] == [367, 101, 233]


def test_photos_become_pairs_with_a_derived_condition() -> None:
    pairs = open_data(real("photos"), condition="superres:4", size=64)
    condition, image = pairs.raw(0)
    assert condition.shape == image.shape == (3, 64, 64)
    assert condition.float().diff(dim=-1).abs().mean() < image.float().diff(dim=-1).abs().mean()
