"""The samples on the page: they follow the layout and the codes, stay once pinned, and come back from files."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path
from typing import Any

FIRST = "seed 0, image 0"


def saved(page: Any, button: str, folder: Path) -> Path:
    """The file that a button downloads."""
    with page.page.expect_download() as download:
        page.button(button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_samples_change_after_a_stroke(browser_page: Any) -> None:
    before = browser_page.samples()
    assert [*before] == [f"seed 0, image {index}" for index in range(8)]
    assert len({*before.values()}) == 8
    browser_page.pick("tree")
    browser_page.stroke((10, 4), (10, 24))
    browser_page.wait_until_calm()
    after = browser_page.samples()
    assert [*after] == [*before]
    assert all(after[name] != before[name] for name in before)


def test_a_moving_pen_asks_for_few_small_images(browser_page: Any) -> None:
    browser_page.asked.clear()
    browser_page.page.mouse.move(*browser_page.at(3, 3))
    browser_page.page.mouse.down()
    browser_page.page.mouse.move(*browser_page.at(9, 9))
    browser_page.page.mouse.up()
    browser_page.wait_until_calm()
    first, last = browser_page.asked[0], browser_page.asked[-1]
    assert (first["size"], len(first["codes"])) == ([32, 32], 4)
    assert (last.get("size"), len(last["codes"])) == (None, 8)
    assert {one["supersedes"]["name"] for one in browser_page.asked} == {first["supersedes"]["name"]}


def test_new_codes_give_new_images(browser_page: Any) -> None:
    before = browser_page.samples()
    browser_page.button("New codes").click()
    browser_page.wait_until_calm()
    after = browser_page.samples()
    assert [*after] == [f"seed 1, image {index}" for index in range(8)]
    assert not {*after.values()} & {*before.values()}
    browser_page.page.get_by_label("Seed", exact=True).fill("0")
    browser_page.page.keyboard.press("Enter")
    browser_page.wait_until_calm()
    assert browser_page.samples() == before


def test_more_images_and_the_most_diverse_first(browser_shared: Any) -> None:
    browser_shared.page.get_by_label("Images").fill("12")
    browser_shared.wait_until_calm()
    before = browser_shared.samples()
    assert len(before) == 12
    browser_shared.button("Most diverse first").click()
    browser_shared.wait_until_calm()
    assert browser_shared.samples() == before
    assert [*browser_shared.samples()] != [*before]


def test_a_pinned_image_keeps_its_code_while_the_layout_changes(browser_page: Any) -> None:
    image = browser_page.samples()[FIRST]
    browser_page.button(f"Pin: {FIRST}").click()
    browser_page.wait_until_calm()
    assert browser_page.pinned() == {FIRST: image}
    assert [*browser_page.samples()] == [f"seed 0, image {index}" for index in range(1, 9)]
    browser_page.button("New codes").click()
    browser_page.wait_until_calm()
    assert browser_page.pinned() == {FIRST: image}
    browser_page.button("Next example").click()
    browser_page.wait_until_calm()
    changed = browser_page.pinned()[FIRST]
    assert changed != image
    browser_page.button("Undo").click()
    browser_page.wait_until_calm()
    assert browser_page.pinned() == {FIRST: image}
    browser_page.button(f"Unpin: {FIRST}").click()
    assert browser_page.pinned() == {}


def test_more_like_this_reaches_from_the_same_to_a_new_image(browser_page: Any) -> None:
    plain = browser_page.samples()
    browser_page.button(f"Pin: {FIRST}").click()
    browser_page.button(f"More like this: {FIRST}").click()
    difference = browser_page.page.get_by_label("Difference")
    difference.fill("0")
    browser_page.wait_until_calm()
    assert {*browser_page.samples().values()} == {plain[FIRST]}
    difference.fill("1")
    browser_page.wait_until_calm()
    assert [*browser_page.samples().values()][:7] == [*plain.values()][1:]
    browser_page.button("Show all kinds").click()
    browser_page.wait_until_calm()
    assert [*browser_page.samples().values()][:7] == [*plain.values()][1:]


def test_a_saved_image_comes_back_with_layout_and_code(browser_page: Any, tmp_path: Path) -> None:
    browser_page.pick("car")
    browser_page.stroke((3, 3), (12, 20))
    browser_page.wait_until_calm()
    layout, image = browser_page.colours(), browser_page.samples()["seed 0, image 2"]
    browser_page.page.get_by_role("button", name="Sample of seed 0, image 2").click()
    file = saved(browser_page, "Save PNG with recipe", tmp_path)
    assert file.name == "street-0-2.png"
    browser_page.button("Close").click()
    browser_page.button("Next example").click()
    browser_page.button("New codes").click()
    browser_page.wait_until_calm()
    browser_page.drop(file.name, base64.b64encode(file.read_bytes()).decode())
    browser_page.page.locator(".pinned img[src]").wait_for()
    browser_page.wait_until_calm()
    assert (browser_page.colours() == layout).all()
    assert browser_page.pinned() == {"seed 0, image 2": image}


def test_a_png_without_recipe_is_offered_as_a_layout(browser_page: Any, tmp_path: Path) -> None:
    layout = browser_page.colours()
    picture = browser_page.canvas.evaluate("canvas => canvas.toDataURL('image/png').split(',')[1]")
    browser_page.page.get_by_role("button", name=f"Sample of {FIRST}").click()
    plain = saved(browser_page, "Save plain PNG", tmp_path)
    browser_page.button("Close").click()
    browser_page.button("Next example").click()
    browser_page.drop("layout.png", picture)
    browser_page.button("Import it as layout").click()
    browser_page.wait_until_calm()
    assert (browser_page.colours() == layout).all()
    browser_page.drop(plain.name, base64.b64encode(plain.read_bytes()).decode())
    browser_page.button("Import it as layout").click()
    browser_page.page.locator("#status.error", has_text="do not belong to any class").wait_for()
    browser_page.wrong.clear()  # browsers note answers 404 and 422 there


def test_all_samples_are_saved_as_one_file(browser_page: Any, tmp_path: Path) -> None:
    browser_page.button(f"Pin: {FIRST}").click()
    browser_page.wait_until_calm()
    sheet = saved(browser_page, "Save all as one PNG", tmp_path)
    assert sheet.read_bytes().startswith(b"\x89PNG")
    with zipfile.ZipFile(saved(browser_page, "Save all as ZIP", tmp_path)) as archive:
        assert sum(name.startswith("images/") for name in archive.namelist()) == 9


def test_a_morph_leads_from_one_pinned_image_to_another(browser_page: Any, tmp_path: Path) -> None:
    samples = browser_page.samples()
    for name in (FIRST, "seed 0, image 1"):
        browser_page.button(f"Pin: {name}").click()
    frame = browser_page.page.locator(".stage img")
    frame.scroll_into_view_if_needed()
    browser_page.page.locator(".stage img[src]").wait_for()
    browser_page.wait_until_calm()
    assert frame.get_attribute("src") == samples[FIRST]
    browser_page.page.get_by_label("Frame").fill("24")
    assert frame.get_attribute("src") == samples["seed 0, image 1"]
    assert frame.get_attribute("alt") == "Frame 24 of 24, from seed 0, image 0 to seed 0, image 1"
    assert saved(browser_page, "Save GIF", tmp_path).read_bytes().startswith(b"GIF8")


def test_what_is_uncertain_is_shown_in_pictures_and_numbers(browser_page: Any) -> None:
    browser_page.page.locator("#understand").scroll_into_view_if_needed()
    table = browser_page.page.get_by_role("table")
    table.wait_for()
    assert table.locator("tbody td").count() == 64
    assert table.locator("tbody td").nth(1).get_attribute("title").startswith("seed 0, image 0 and seed 0, image 1: 0.")
    assert browser_page.page.get_by_alt_text("Heat map of the standard deviation").count() == 1
    assert browser_page.page.locator(".pair").count() == 8


def test_a_failure_is_told_in_the_words_of_the_server(browser_shared: Any) -> None:
    failure = {"error": "the layout is upside down"}
    browser_shared.page.route("**/v1/sample", lambda route: route.fulfill(status=422, json=failure))
    browser_shared.button("New codes").click()
    browser_shared.page.locator("#status.error", has_text="the layout is upside down").wait_for()
    browser_shared.page.unroute("**/v1/sample")
    browser_shared.button("New codes").click()
    browser_shared.wait_until_calm()
    assert " images of " in browser_shared.status()
    browser_shared.wrong.clear()


def test_a_request_that_was_refused_is_made_again(browser_shared: Any) -> None:
    refusals = ["0.1"]
    page = browser_shared.page

    def refuse(route: Any) -> None:
        if refusals:
            route.fulfill(status=429, headers={"Retry-After": refusals.pop()}, json={"error": "refused"})
        else:
            route.continue_()

    page.route("**/v1/sample", refuse)
    browser_shared.button("New codes").click()
    seed = page.get_by_label("Seed", exact=True).input_value()
    page.locator(f"#samples .card [title='seed {seed}, image 0']").wait_for()
    assert refusals == []
    assert "refused" not in browser_shared.status()
    browser_shared.wrong.clear()
