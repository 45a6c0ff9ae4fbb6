"""The hosted demo draws, refuses in words, and its page can be built; nothing is served."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
import yaml
from PIL import Image

from helpers.shared import ROOT

gradio = pytest.importorskip("gradio")

SPACE = ROOT / "examples" / "space"


@pytest.fixture(scope="module")
def app() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MODEL", "street")
        patched.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        spec = importlib.util.spec_from_file_location("space_app", SPACE / "app.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def test_it_draws_different_images_of_an_example_and_the_same_for_the_same_seed(app: ModuleType) -> None:
    layout = app.example(0)
    images = app.draw(layout, seed=3, count=4)
    assert [image.size for image in images] == [(64, 64)] * 4
    pixels = [np.asarray(image).astype(int) for image in images]
    assert all(np.abs(one - pixels[0]).mean() > 1 for one in pixels[1:])
    again = app.draw(layout, seed=3, count=4)
    assert all((np.asarray(one) == np.asarray(two)).all() for one, two in zip(images, again))
    assert np.abs(np.asarray(app.draw(layout, seed=4, count=1)[0]).astype(int) - pixels[0]).mean() > 1


def test_an_uploaded_layout_of_another_size_is_drawn_at_the_size_of_training(app: ModuleType) -> None:
    upload = app.example(1).resize((128, 96), Image.Resampling.NEAREST)
    [image] = app.draw(upload, seed=0, count=1)
    assert image.size == (64, 64)


def test_wrong_conditions_are_told_in_one_sentence(app: ModuleType) -> None:
    with pytest.raises(gradio.Error, match="No label map given; upload one"):
        app.draw(None, seed=0, count=1)
    with pytest.raises(gradio.Error, match="colour"):
        app.draw(Image.new("RGB", (64, 64), (1, 2, 3)), seed=0, count=1)


def test_the_page_has_a_condition_a_seed_a_count_and_a_gallery(app: ModuleType) -> None:
    page = app.build()
    kinds = [type(block).__name__ for block in page.blocks.values()]
    assert {"Image", "Number", "Slider", "Button", "Gallery", "Dataset"} <= set(kinds)
    assert any(function.fn is app.draw for function in page.fns.values())


def test_the_folder_is_what_a_space_needs() -> None:
    header = yaml.safe_load((SPACE / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert header["sdk"] == "gradio"
    assert (SPACE / header["app_file"]).is_file()
    assert "variegate[" in (SPACE / "requirements.txt").read_text()
    assert len((SPACE / "app.py").read_text().splitlines()) < 80
