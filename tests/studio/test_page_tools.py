"""Every kind of condition has its tool, a composite one for each part, and two models can share one."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

Switch = Callable[[str], Any]


def png(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def picture(side: int, shade: int = 90) -> str:
    return png(Image.new("RGB", (side, side), (shade, shade, shade)))


def mask() -> str:
    white = np.zeros((16, 16), np.uint8)
    white[4:8, 4:8] = 255
    return png(Image.fromarray(white))


CLASSES = [{"name": "sky", "colour": [0, 90, 255]}, {"name": "sea", "colour": [0, 0, 90]}]
NEEDS: dict[str, dict[str, Any]] = {
    "class": {"names": ["cat", "dog"]},
    "image": {"shrink": 2},
    "hole": {},
    "landmarks": {"points": 2},
    "vector": {"length": 2},
    "none": {},
    "labels": {"classes": CLASSES},
}
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "class": [{"index": 0}, {"index": 1}],
    "image": [{"data": picture(8)}, {"data": picture(8, 20)}],
    "hole": [{"image": picture(16), "mask": mask()}] * 2,
    "landmarks": [{"height": 16, "width": 16, "points": [[4, 4], [12, 8]]}] * 2,
    "vector": [{"values": [0, 1]}, {"values": [1, 3]}],
    "none": [{}] * 2,
    "labels": [{"height": 2, "width": 2, "ids": "AAEBAA=="}] * 2,
}
MODELS = [*NEEDS, "class+labels"]


def model(identity: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"classes": [], "names": [], "points": None, "length": None, "shrink": None}
    parts = [{"kind": kind, "noun": kind, **empty, **NEEDS[kind]} for kind in identity.split("+")]
    return {"id": identity, "parts": parts, "height": 16, "width": 16, "examples": 2, "different": None}


def example(identity: str, index: int) -> dict[str, Any]:
    parts = [{"kind": kind, **EXAMPLES[kind][index]} for kind in identity.split("+")]
    return parts[0] if len(parts) == 1 else {"kind": "composite", "parts": parts}


def answer_example(route: Any) -> None:
    *_, identity, _, index = route.request.url.replace("%2B", "+").split("/")
    route.fulfill(json={"condition": example(identity, int(index))})


@pytest.fixture(scope="module")
def served(browser_shared: Any, browser_url: str) -> Any:
    """A page whose server seems to have a model for every kind of condition."""
    image = {"png": picture(16), "code": {"seed": 0, "index": 0}}
    images = [{**image, "position": place} for place in range(8)]
    samples = {"images": images, "seconds": 0, "height": 16, "width": 16}
    moments = {"mean": picture(16), "deviation": picture(16), "deviation_top": 0.1, "predicted": False}
    rest = {"pairwise": [[0]], "nearest": [], "surprisal": [], "surprisal_top": 0, "images": images[:1]}
    page = browser_shared.page
    page.route("**/v1/models", lambda route: route.fulfill(json={"models": [model(one) for one in MODELS]}))
    page.route("**/v1/models/*/examples/*", answer_example)
    page.route("**/v1/sample", lambda route: route.fulfill(json=samples))
    page.route("**/v1/explain", lambda route: route.fulfill(json={**moments, **rest}))
    browser_shared.open(browser_url)
    return browser_shared


@pytest.fixture
def switch(served: Any) -> Switch:
    """Turns the page to a model, and to an example of it."""

    def turn(identity: str) -> Any:
        served.page.get_by_label("Model").select_option(identity)
        served.wait_until_calm()
        served.button("Next example").click()
        served.wait_until_calm()
        return served

    return turn


def sent(page: Any) -> Any:
    page.wait_until_calm()
    return page.asked[-1]["condition"]


@pytest.mark.parametrize("identity", [identity for identity in MODELS if identity != "hole"])
def test_examples_are_sent_as_they_came(switch: Switch, identity: str) -> None:
    page = switch(identity)
    for _ in range(2):
        index = int(page.page.locator("#examples span").inner_text().split()[1]) - 1
        assert sent(page) == example(identity, index)
        page.button("Next example").click()
        page.wait_until_calm()


def test_a_class_is_picked(switch: Switch) -> None:
    page = switch("class")
    page.page.get_by_role("listbox").select_option("cat")
    assert sent(page) == {"kind": "class", "index": 0}


def test_a_picture_is_cut_to_what_the_model_reads(switch: Switch) -> None:
    page = switch("image")
    file = io.BytesIO()
    Image.new("RGB", (100, 60), (200, 10, 10)).save(file, "JPEG")
    with page.page.expect_file_chooser() as chooser:
        page.button("Open a picture").click()
    chooser.value.set_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()})
    shown = Image.open(io.BytesIO(base64.b64decode(sent(page)["data"]))).convert("RGB")
    assert shown.size == (8, 8)
    assert abs(np.array(shown).astype(int).mean((0, 1)) - (200, 10, 10)).max() < 5


def test_a_hole_is_painted_on_its_picture(switch: Switch) -> None:
    page = switch("hole")
    page.button("Rectangle").click()
    page.stroke((0, 0), (1, 1))
    page.pick("keep")
    page.stroke((4, 4), (15, 15))
    white = np.asarray(Image.open(io.BytesIO(base64.b64decode(sent(page)["mask"]))).convert("L")) > 127
    assert {(int(row), int(column)) for row, column in np.argwhere(white)} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_landmarks_are_dragged_or_moved_by_keys(switch: Switch) -> None:
    page = switch("landmarks")
    stage = page.page.get_by_role("application")
    frame = stage.bounding_box()
    pixel = frame["width"] / 16
    page.page.mouse.move(frame["x"] + 12.5 * pixel, frame["y"] + 8.5 * pixel)
    page.page.mouse.down()
    page.page.mouse.move(frame["x"] + 2.5 * pixel, frame["y"] + 10.5 * pixel)
    page.page.mouse.up()
    stage.focus()
    for key in ("PageDown", "ArrowRight"):
        page.page.keyboard.press(key)
    assert np.allclose(sent(page)["points"], [[5, 4], [2, 10]], atol=0.05)


def test_a_vector_lies_between_two_examples(switch: Switch) -> None:
    page = switch("vector")
    page.page.get_by_label("From").first.select_option("example 1")
    page.page.get_by_label("To", exact=True).first.select_option("example 2")
    page.page.get_by_label("Share").fill("0.5")
    assert sent(page)["values"] == [0.5, 2]


def test_a_composite_has_a_tool_for_each_part(switch: Switch) -> None:
    page = switch("class+labels")
    page.page.get_by_role("listbox").select_option("cat")
    page.page.get_by_label("Brush size").fill("1")
    page.stroke((0, 0))
    pieces = sent(page)
    assert pieces["kind"] == "composite"
    assert pieces["parts"] == [{"kind": "class", "index": 0}, {**example("labels", 0), "ids": "AQEBAA=="}]


def test_two_models_are_compared_on_one_layout(browser_pages: Callable[..., Any], browser_url: str) -> None:
    page = browser_pages()

    def double(route: Any) -> None:
        [model] = route.fetch().json()["models"]
        route.fulfill(json={"models": [model, {**model, "id": "second"}]})

    def as_first(route: Any) -> None:
        route.continue_(post_data={**route.request.post_data_json, "model": "street"})

    page.page.route("**/v1/models", double)
    page.page.route("**/v1/sample", as_first)
    page.open(browser_url)
    page.page.locator("#compare").scroll_into_view_if_needed()
    page.page.get_by_alt_text("seed 0, image 3 by second").wait_for()
    line = page.page.get_by_label("Line")
    line.fill("80")
    assert page.page.locator(".sheet").last.evaluate("sheet => sheet.style.clipPath") == "inset(0px 20% 0px 0px)"
