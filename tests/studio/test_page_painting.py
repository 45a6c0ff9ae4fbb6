"""Painting on the page: a stroke lands where the pointer was, and nothing of it is ever lost."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

CAR = (111, 66, 193)
TREE = (106, 153, 78)

HISTORY = """async (strokes) => {
  const { Layout } = await import("/static/layout.js");
  const { Hand } = await import("/static/hand.js");
  const layout = new Layout(12, 17);
  const copy = () => JSON.stringify([layout.height, layout.width, [...layout.ids]]);
  const states = [copy()];
  const hand = new Hand(layout);
  for (const { mode, id, size, places } of strokes) {
    Object.assign(hand, { mode, id, size });
    if (mode === "exchange") {
      layout.replace({ height: size, width: 9, ids: new Uint8Array(9 * size).fill(id) });
    } else {
      hand.down(places[0]);
      for (const place of places) hand.move(place);
      hand.up();
    }
    if (copy() !== states.at(-1)) states.push(copy());
  }
  const undone = [copy()];
  while (layout.canUndo) { layout.undo(); undone.push(copy()); }
  const redone = [copy()];
  while (layout.canRedo) { layout.redo(); redone.push(copy()); }
  return [states, undone.reverse(), redone];
}"""
PLACES = st.builds(lambda x, y: {"x": x, "y": y}, st.floats(-4, 21), st.floats(-4, 16))
STROKES = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["brush", "brush", "fill", "rectangle", "exchange"]),
        "id": st.integers(0, 4),
        "size": st.integers(1, 6),
        "places": st.lists(PLACES, min_size=1, max_size=4),
    }
)


def painted(page: Any, before: np.ndarray) -> set[tuple[int, int]]:
    """The pixels (row, column) that differ."""
    changed = (page.colours() != before).any(-1)
    return {(int(row), int(column)) for row, column in np.argwhere(changed)}


@pytest.mark.parametrize("scale", [1, 2])
def test_a_stroke_is_painted_where_the_pointer_was(
    browser_pages: Callable[..., Any], browser_url: str, scale: int
) -> None:
    page = browser_pages(device_scale_factor=scale)
    page.open(browser_url)
    page.clear()
    before = page.colours()
    page.stroke((3, 5), (3, 20))
    assert painted(page, before) == {(3, column) for column in range(5, 21)}
    assert tuple(page.colours()[3, 9]) == CAR
    page.page.set_viewport_size({"width": 700, "height": 700})
    page.stroke((12, 7), (25, 7))
    expected = {(3, column) for column in range(5, 21)} | {(row, 7) for row in range(12, 26)}
    assert painted(page, before) == expected


def test_what_is_painted_is_what_is_sent(browser_page: Any) -> None:
    browser_page.pick("tree")
    browser_page.stroke((5, 5), (20, 20))
    browser_page.wait_until_calm()
    sent = browser_page.asked[-1]["condition"]
    ids = np.frombuffer(base64.b64decode(sent["ids"]), np.uint8)
    trees = (browser_page.colours() == TREE).all(-1)
    assert np.array_equal(ids.reshape(trees.shape) == 4, trees)


def test_undo_and_redo_by_button_and_key(browser_page: Any) -> None:
    before = browser_page.colours()
    browser_page.pick("car")
    browser_page.stroke((4, 4), (4, 12))
    browser_page.stroke((8, 4), (8, 12))
    after = browser_page.colours()
    browser_page.page.keyboard.press("Control+z")
    browser_page.button("Undo").click()
    assert np.array_equal(browser_page.colours(), before)
    assert browser_page.button("Undo").is_disabled()
    browser_page.page.keyboard.press("Control+Shift+z")
    browser_page.button("Redo").click()
    assert np.array_equal(browser_page.colours(), after)


@settings(max_examples=60)
@given(strokes=st.lists(STROKES, max_size=8))
def test_undoing_all_is_the_start_and_redoing_all_the_end(browser_shared: Any, strokes: list[dict[str, Any]]) -> None:
    states, undone, redone = browser_shared.page.evaluate(HISTORY, strokes)
    assert undone == states
    assert redone == states


def test_a_layout_survives_a_reload(browser_page: Any) -> None:
    browser_page.button("Next example").click()
    browser_page.pick("car")
    browser_page.stroke((2, 2), (9, 15))
    browser_page.button("New codes").click()
    browser_page.wait_until_calm()
    before, samples = browser_page.colours(), browser_page.samples()
    browser_page.page.reload()
    browser_page.wait_until_calm()
    assert np.array_equal(browser_page.colours(), before)
    assert browser_page.samples() == samples


@pytest.mark.parametrize(
    "saved", ["no JSON", '{"condition": {"kind": "labels", "height": 9, "width": 9, "ids": "AAAA"}}']
)
def test_a_damaged_autosave_is_passed_over(browser_page: Any, saved: str) -> None:
    before = browser_page.colours()
    browser_page.page.add_init_script(f"localStorage.setItem('variegate.studio.street', {saved!r})")
    browser_page.page.reload()
    browser_page.wait_until_calm()
    assert np.array_equal(browser_page.colours(), before)


@pytest.fixture
def blank(browser_shared: Any) -> Any:
    """A page with a layout of buildings only."""
    browser_shared.clear()
    return browser_shared


def test_painting_by_keyboard_is_told(blank: Any) -> None:
    before = blank.colours()
    blank.stroke((0, 0))  # leaves the cursor there
    for key in ("Shift+ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "Space", "ArrowRight", "Enter"):
        blank.page.keyboard.press(key)
    assert painted(blank, before) == {(0, 0), (9, 2), (9, 3)}
    assert blank.page.locator("[aria-live=polite]").first.text_content() == "row 10, column 4, car, painted"


def test_a_rectangle_by_keyboard_has_two_corners(blank: Any) -> None:
    blank.stroke((1, 1))
    before = blank.colours()
    for key in ("r", "Space", "ArrowRight", "ArrowDown", "Escape"):
        blank.page.keyboard.press(key)
    assert painted(blank, before) == set()
    for key in ("Space", "ArrowRight", "ArrowDown", "Space"):
        blank.page.keyboard.press(key)
    assert painted(blank, before) == {(2, 2), (2, 3), (3, 2), (3, 3)}


def test_keys_choose_class_brush_and_tool(blank: Any) -> None:
    press = blank.page.keyboard.press
    for key in ("5", "]", "]", "f"):
        press(key)
    pressed = blank.page.locator("#tools [aria-pressed=true]").all_inner_texts()
    assert [text.split("\n")[0] for text in pressed] == ["Fill", "tree"]
    assert blank.page.get_by_label("Brush size").input_value() == "3"
    blank.page.get_by_label("Seed", exact=True).focus()
    press("1")
    assert blank.page.locator(".palette [aria-pressed=true]").inner_text().startswith("tree")


def test_a_bucket_fills_what_hangs_together(blank: Any) -> None:
    blank.button("Rectangle").click()
    blank.stroke((4, 4), (10, 10))
    before = blank.colours()
    blank.button("Fill").click()
    blank.pick("tree")
    blank.stroke((6, 6))
    assert painted(blank, before) == {(row, column) for row in range(4, 11) for column in range(4, 11)}


def test_a_stamp_is_an_object_of_an_example(blank: Any) -> None:
    blank.button("Stamp").click()
    blank.page.locator(".stamps [aria-pressed=true]").wait_for()
    assert blank.page.locator(".stamps [aria-pressed=true]").get_attribute("aria-label").startswith("car, ")
    blank.stroke((8, 12), (16, 16))
    cars = (blank.colours() == CAR).all(-1)
    rows, columns = np.nonzero(cars)
    assert 0 < cars.sum() < cars.size / 3
    assert abs((rows.min() + rows.max()) / 2 - 16) <= 1
    assert abs((columns.min() + columns.max()) / 2 - 16) <= 1


def test_a_cancelled_pointer_ends_its_stroke(blank: Any) -> None:
    before = blank.colours()
    blank.page.mouse.move(*blank.at(5, 5))
    blank.page.mouse.down()
    blank.canvas.dispatch_event("pointercancel", {"pointerId": 1, "bubbles": True})
    blank.page.mouse.move(*blank.at(5, 15))
    blank.page.mouse.up()
    assert painted(blank, before) == {(5, 5)}
    blank.button("Undo").click()
    assert painted(blank, before) == set()


def test_undoing_while_the_pointer_is_down_keeps_what_comes_after(blank: Any) -> None:
    before = blank.colours()
    blank.page.mouse.move(*blank.at(5, 5))
    blank.page.mouse.down()
    blank.page.keyboard.press("Control+z")
    blank.page.mouse.move(*blank.at(5, 7))
    blank.page.mouse.up()
    assert painted(blank, before) == {(5, 5), (5, 6), (5, 7)}
    blank.button("Undo").click()
    assert painted(blank, before) == set()


def test_touch_paints_too(browser_pages: Callable[..., Any], browser_url: str) -> None:
    page = browser_pages(viewport={"width": 390, "height": 844}, has_touch=True, device_scale_factor=3)
    page.open(browser_url)
    page.clear()
    before = page.colours()
    page.canvas.scroll_into_view_if_needed()
    page.page.touchscreen.tap(*page.at(6, 9))
    assert painted(page, before) == {(6, 9)}
