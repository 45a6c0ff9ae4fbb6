"""Streets with a condition made from their image: the factors stay readable, since the layout is still known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.tiny import labelled, photo, save
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.conditions import ImageCondition, Labels
from variegate.data.dataset.visits import Visits
from variegate.data.streets.streets import Streets, read

pytestmark = pytest.mark.core

CHANNELS = {"self": 3, "inpaint": 4, "inpaint:centre": 4, "superres:4": 3, "edges": 1, "grey": 1}


@pytest.mark.parametrize(("kind", "channels"), CHANNELS.items())
def test_conditions_are_derived_from_streets(kind: str, channels: int) -> None:
    pairs, plain = open_data("streets:20", 32, condition=kind), open_data("streets:20", 32)
    assert pairs.condition == ImageCondition(channels=channels, derived=kind)  # type: ignore[arg-type]
    assert kind in pairs.description
    condition, image = pairs.raw(3)
    assert condition.shape == (channels, 32, 32)
    assert torch.equal(image, plain.raw(3)[1])
    assert (len(pairs), len(pairs.validation())) == (20, 2)
    again = open_data("streets:20", 32, condition=pairs.condition)
    assert torch.equal(again.raw(3)[0], condition)
    assert Visits(pairs, jitter=1.1)[0, 0]["condition"].shape == (channels, 32, 32)


@pytest.mark.parametrize("kind", [None, "edges", "inpaint"])
def test_the_layout_is_known_whatever_the_condition_is(kind: str | None) -> None:
    pairs = open_data("streets:20", 32, split="test", condition=kind)
    streets = Streets((32, 32), 2, split="test")
    layout = pairs.layout(1)
    assert layout is not None
    assert torch.equal(layout, streets.layout(1))
    image = pairs.raw(1)[1]
    assert read(image[None] / 127.5 - 1, layout).factors[0].tolist() == list(streets.factors(1).values())
    larger = pairs.resized((40, 48)).layout(1)
    assert larger is not None
    assert (larger.shape, larger.dtype) == ((1, 40, 48), torch.uint8)
    with pytest.raises(IndexError):
        pairs.layout(len(pairs))


def test_pairs_from_files_have_no_known_layout(tmp_path: Path) -> None:
    assert open_data(labelled(tmp_path)).layout(0) is None


def test_mistakes_are_corrected_as_for_folders() -> None:
    with pytest.raises(DataError, match="did you mean 'inpaint:centre'"):
        open_data("streets:20", condition="inpaint:center")
    with pytest.raises(DataError, match="integer factor"):
        open_data("streets:20", condition="superres")
    assert "did you mean 'edges'" in check("streets:20", condition="edge").problems[0]


def test_streets_refuse_a_model_that_reads_something_else() -> None:
    two = Labels(names=("a", "b"), palette=((0, 0, 0), (1, 1, 1)))
    for condition in (two, ImageCondition()):
        with pytest.raises(DataError, match="a label map of 8 channels, but the model reads"):
            open_data("streets:20", condition=condition)


def test_the_check_describes_them() -> None:
    text = check("streets:20", condition="inpaint").text()
    assert "colour images with a hole and its mask, derived from the image: inpaint" in text


def test_a_condition_is_derived_from_the_images_of_a_labelled_folder_alone(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "train_label" / f"{i}.png", np.zeros((16, 16), dtype=np.uint8))
        save(tmp_path / "train_img" / f"{i}.png", photo())
    pairs = open_data(tmp_path, condition="grey")
    assert [Path(file).parent.name for file in pairs.files] == ["train_img", "train_img"]
    assert check(tmp_path, condition="inpaint").splits == {"train": 2, "val": 1}
