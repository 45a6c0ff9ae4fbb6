"""Images in arrays: .npz files, down-sampled ImageNet, CIFAR-10; what is read, held out and refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.shared import shared
from helpers.tiny import RNG
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.conditions import ClassLabel, ImageCondition, Unconditional
from variegate.data.derived.derived import edges

pytestmark = pytest.mark.core


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def write(file: Path, **arrays) -> Path:
    np.savez(file, **arrays)
    return file


def test_images_and_labels_of_an_npz(tmp_path: Path) -> None:
    images, labels = noise(20, 6, 10, 3), np.arange(20) % 2
    pairs = open_data(write(tmp_path / "some.npz", images=images, labels=labels, classes=np.array(["on", "off"])))
    assert pairs.condition == ClassLabel(names=("on", "off"), frame=(6, 10))
    assert pairs.size == (6, 10)  # not rounded: all images have it
    assert (pairs.name, len(pairs), len(pairs.of_split("val"))) == ("some", 18, 2)
    seen = set()
    for one in (pairs, pairs.of_split("val")):
        for k, name in enumerate(one.files):
            row = int(name.rpartition(":")[2])
            seen.add(row)
            condition, image = one.raw(k)
            assert torch.equal(image, torch.from_numpy(images[row]).permute(2, 0, 1))
            assert torch.equal(condition, torch.full((1, 6, 10), labels[row]))
    assert seen == set(range(20))
    assert {int(pairs.of_split("val").raw(k)[0].max()) for k in (0, 1)} == {0, 1}
    assert pairs.resized((3, 5)).raw(0)[1].shape == (3, 3, 5)
    assert torch.equal(pickle.loads(pickle.dumps(pairs)).raw(4)[1], pairs.raw(4)[1])


def test_a_sibling_is_the_test_split(tmp_path: Path) -> None:
    write(tmp_path / "x_train.npz", images=noise(6, 4, 4), labels=np.array([0, 1, 2, 0, 1, 2]))
    write(tmp_path / "x_test.npz", images=noise(2, 4, 4), labels=np.array([0, 1]))
    pairs = open_data(tmp_path / "x_train.npz")
    assert pairs.splits == ("train", "val", "test")
    assert pairs.name == "x"
    assert pairs.condition.channels == 3
    assert pairs.image_channels == 1  # (N, H, W) is grey
    assert pairs.raw(0)[1].shape == (1, 4, 4)
    colour = open_data(tmp_path / "x_train.npz", grey=False).raw(0)[1]
    assert torch.equal(colour, pairs.raw(0)[1].expand(3, -1, -1))


def test_conditions_are_derived_from_arrays(tmp_path: Path) -> None:
    images = noise(4, 8, 8, 3)
    file = write(tmp_path / "x.npz", images=images)
    with pytest.raises(DataError, match="has no labels; give --condition none"):
        open_data(file)
    assert isinstance(open_data(file, condition="none").condition, Unconditional)
    assert open_data(file, condition="superres:4").raw(0)[0].shape == (3, 8, 8)
    from PIL import Image

    grey = np.array(Image.fromarray(images[0]).convert("L"))
    assert torch.equal(open_data(file, condition="edges").raw(0)[0][0], torch.from_numpy(edges(grey)))
    again = open_data(file, condition=ImageCondition(channels=1, derived="grey"))
    assert torch.equal(again.raw(0)[0][0], torch.from_numpy(grey))
    with pytest.raises(DataError, match=r"x\.npz: has no classes"):
        open_data(file, condition="class+edges")
    with pytest.raises(DataError, match="has arrays of images, but the model reads an image"):
        open_data(file, condition=ImageCondition())


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pictures": noise(2, 4, 4)}, r"has no array `images`, only pictures; expected `images` uint8"),
        ({"images": noise(2, 4, 4).astype(np.float32)}, "has images of type float32; expected"),
        ({"images": noise(2, 4, 4, 4)}, r"has images of shape \(2, 4, 4, 4\)"),
        ({"images": noise(2, 4)}, r"has images of shape \(2, 4\)"),
        ({"images": np.array([noise(2, 2), noise(3, 3)], dtype=object)}, "of different sizes .* resize all to one"),
        ({"images": noise(2, 4, 4), "labels": np.array([0, 1, 2])}, "one for each of the 2 images"),
        ({"images": noise(2, 4, 4), "labels": np.array([0.0, 1.0])}, "expected labels .* got type float64"),
        ({"images": noise(2, 4, 4), "labels": np.array([0, -1])}, "has label -1; labels must start at 0"),
        (
            {"images": noise(2, 4, 4), "labels": np.array([0, 2**60])},
            r"has label \d+, too large .*; correct",
        ),
        (
            {"images": noise(2, 4, 4), "labels": np.array([0, 2]), "classes": np.array(["a", "b"])},
            "has label 2, but there are 2 classes, 0 to 1; correct the labels",
        ),
    ],
)
def test_what_is_wrong_with_an_npz_is_told(tmp_path: Path, arrays, words: str) -> None:
    file = write(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=rf"x\.npz: .*{words}"):
        open_data(file)
    [problem] = check(file).problems
    with pytest.raises(DataError, match=words):
        raise DataError(problem)


def test_files_that_do_not_fit_each_other_are_told(tmp_path: Path) -> None:
    write(tmp_path / "train.npz", images=noise(4, 4, 4), labels=np.array([0, 1, 0, 1]))
    write(tmp_path / "test.npz", images=noise(2, 8, 4))
    told = "\n".join(check(tmp_path).problems)
    assert "test.npz: has images of 4x8, but train has 4x4" in told
    assert "test.npz: has no labels, unlike train.npz" in told


def test_a_damaged_npz_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "x.npz", images=noise(40, 8, 8), labels=np.zeros(40, int))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"x\.npz: is not an \.npz file, or is cut short"):
        open_data(file)
    file.write_bytes(whole[:1000] + bytes(64) + whole[1064:])  # inside the images, whose checksum then fails
    [problem] = check(file, condition="none").problems
    assert "cut short or damaged (Bad CRC-32 for file 'images.npy'); write or copy it again" in problem


def test_down_sampled_imagenet_has_planes_first_and_labels_from_one(tmp_path: Path) -> None:
    images = noise(6, 4, 4, 3)
    flat = images.transpose(0, 3, 1, 2).reshape(6, 48)
    for part, rows in (("1", slice(0, 3)), ("2", slice(3, 4)), ("10", slice(4, 5))):
        write(tmp_path / f"train_data_batch_{part}.npz", data=flat[rows], labels=np.arange(1, 6)[rows])
    write(tmp_path / "val_data.npz", data=flat[5:], labels=np.array([5]))
    pairs = open_data(tmp_path)
    assert pairs.splits == ("train", "val")
    assert pairs.condition == ClassLabel(names=("0", "1", "2", "3", "4"), frame=(4, 4))
    for k in range(5):
        condition, image = pairs.raw(k)
        assert torch.equal(image, torch.from_numpy(images[k]).permute(2, 0, 1))
        assert int(condition.max()) == k
    assert pairs.of_split("val").raw(0)[0].unique().tolist() == [4]
    assert "down-sampled ImageNet, 4x4" in check(tmp_path).text()
    write(tmp_path / "val_data.npz", data=flat[5:], labels=np.array([0]))
    with pytest.raises(DataError, match=r"val_data\.npz: has label 0; labels must start at 1"):
        open_data(tmp_path)
    write(tmp_path / "val_data.npz", data=flat[5:, :40], labels=np.array([1]))
    with pytest.raises(DataError, match=r"expected uint8 \(N, 3 H H\), planes first"):
        open_data(tmp_path)


def cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Two batches and a test batch of four images each, with the checksums that torchvision then expects."""
    import hashlib

    from torchvision.datasets import CIFAR10

    place, images = root / "cifar-10-batches-py", noise(12, 32, 32, 3)
    place.mkdir()
    flat = images.transpose(0, 3, 1, 2).reshape(12, -1)
    files = {"data_batch_1": slice(0, 4), "data_batch_2": slice(4, 8), "test_batch": slice(8, 12)}
    content = {
        name: {"data": flat[rows], "labels": list(range(10))[rows][:4] or [0] * 4} for name, rows in files.items()
    }
    content["test_batch"]["labels"] = [9, 8, 9, 8]
    content["batches.meta"] = {"label_names": [f"name {i}" for i in range(10)]}  # type: ignore[dict-item]
    for name, value in content.items():
        (place / name).write_bytes(pickle.dumps(value))
    sums = {name: hashlib.md5((place / name).read_bytes()).hexdigest() for name in content}
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in ("data_batch_1", "data_batch_2")])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    return images


def test_cifar_as_torchvision_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = cifar(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path, tmp_path / "cifar-10-batches-py", f"cifar10:{tmp_path}", "cifar10"):
        pairs = open_data(path)
        assert pairs.splits == ("train", "val", "test")
        known = {tuple(image.flatten()): row for row, image in enumerate(images.transpose(0, 3, 1, 2))}
        rows = {s: [known[tuple(one.raw(k)[1].flatten().tolist())] for k in range(len(one))]
                for s in pairs.splits for one in [pairs.of_split(s)]}  # fmt: skip
        assert sorted(rows["train"] + rows["val"]) == list(range(8))
        assert sorted(rows["test"]) == list(range(8, len(images)))
        test = pairs.of_split("test")
        assert pairs.condition.names[int(test.raw(rows["test"].index(8))[0].max())] == "name 9"
    with (tmp_path / "cifar-10-batches-py" / "data_batch_2").open("ab") as file:
        file.write(b"x")  # no longer the published file, which must not be unpickled
    with pytest.raises(DataError, match="differs from the published one; download it again"):
        open_data(tmp_path)
    with pytest.raises(DataError, match="no cifar-10-batches-py/ in"):
        open_data(f"cifar10:{tmp_path / 'elsewhere'}")


def test_digits_are_grey_in_sixteen_levels_with_a_fixed_split() -> None:
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pairs = open_data("digits")
    held = pairs.of_split("test")
    assert (len(pairs), len(pairs.of_split("val")), len(held)) == (1398, 100, 299)
    assert (pairs.size, pairs.image_channels) == ((8, 8), 1)
    assert pairs.condition.names == tuple("0123456789")
    place = {(one.split != "test", int(name.rpartition(":")[2])): (one, k)
             for one in (pairs, pairs.of_split("val"), held) for k, name in enumerate(one.files)}  # fmt: skip
    row = {True: 0, False: 0}
    for i in range(0, 1797):
        test = i % 6 == 5
        if i % 97 == 0 or i == 5:
            one, k = place[not test, row[test]]
            raw, image = one.raw(k)
            assert torch.equal(image[0].float() / 17, torch.from_numpy(np.minimum(bunch.images[i], 15)).float())
            assert int(raw.max()) == bunch.target[i]
        row[test] += 1
    levels = torch.stack([pairs.raw(k)[1] for k in range(200)])
    assert torch.equal(levels // 16 * 17, levels)  # four bits keep them
    assert check("digits").ok


def test_the_real_cifar_subset() -> None:
    pairs = open_data(shared("data", "cifar10_train.npz"))
    assert [len(pairs.of_split(split)) for split in ("train", "val", "test")] == [6900, 100, 1500]
    with np.load(shared("data", "cifar10_test.npz"), allow_pickle=False) as content:
        images, labels, classes = content["images"], content["labels"], content["classes"]
    held = pairs.of_split("test")
    for k in (0, 700, 1499):
        (raw, image), row = held.raw(k), int(held.files[k].rpartition(":")[2])
        assert torch.equal(image, torch.from_numpy(images[row]).permute(2, 0, 1))
        assert pairs.condition.names[int(raw.max())] == classes[labels[row]]
