"""A participant takes part in a browser: exposures are as long as they should be, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from study_helpers import study_in

from variegate.studio.listening import Listening
from variegate.studio.study.answers import read_responses
from variegate.studio.study.app import make_app
from variegate.studio.study.schema import ANSWERS, read_study
from variegate.studio.study.store import Store

CHROMIUM = Path("/usr/bin/chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")
MOSTLY = 0.75  # of the exposures: a busy machine drops frames, which is measured and flagged


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, Store]]:
    """Where a study is served, and its answers."""
    listening = Listening()
    with (
        Store(folder / ANSWERS) as store,
        listening.in_thread(make_app(read_study(folder), folder, store, listening.hosts)) as url,
    ):
        yield url, store


def test_images_are_shown_as_long_as_they_should_be(tmp_path: Path, browser: sync_api.Browser) -> None:
    folder = study_in(tmp_path, conditions=3, exposures=(0.5,), repeats=0.34, attention=1)
    trials = 5
    with serving(folder) as (url, _):
        page = browser.new_page(viewport={"width": 390, "height": 844})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto(url)
        page.get_by_role("button", name="I agree and take part").click()
        page.get_by_role("button", name="Start").click()
        for number in range(trials):
            page.locator(".answer:enabled").first.wait_for()
            assert page.locator(".layers img:visible").count() == 0  # hidden before the question
            if number == 2:  # leave, and come back later
                page.reload()
                page.get_by_role("button", name="Go on").click()
                page.get_by_role("button", name="Start").click()
                page.locator(".answer:enabled").first.wait_for()
            if number % 2:
                page.keyboard.press("f" if number == 1 else "ArrowRight")
            else:
                page.get_by_role("button", name="Fake").click()
        page.get_by_role("heading", name="Thank you").wait_for()
        page.close()
    found = read_responses(folder).judgements
    assert not problems
    assert [one.trial.number for one in found] == list(range(trials))
    assert [one.choice for one in found] == ["fake", "fake", "fake", "real", "fake"]
    assert all(one.shown_ms is not None and one.shown_ms >= 499 for one in found)
    assert all(one.frames and one.frame_ms and not one.hidden for one in found)
    assert sum(not one.off for one in found) >= MOSTLY * trials


def test_an_answer_that_cannot_be_stored_is_kept_and_sent_again(tmp_path: Path, browser: sync_api.Browser) -> None:
    folder = study_in(tmp_path, "two-alternative", conditions=2, repeats=0, attention=0)
    with serving(folder) as (url, store):
        page = browser.new_page()
        page.goto(url)
        page.get_by_role("button", name="I agree and take part").click()
        page.get_by_role("button", name="Start").click()
        page.locator(".answer:enabled").first.wait_for()
        full = {"error": "the server's disk is full or cannot be written; your earlier answers are safe"}
        page.route("**/v1/answers", lambda route: route.fulfill(status=507, json=full))
        page.locator(".stage img").nth(1).click()
        page.get_by_text("Your answer is kept here and sent again").wait_for()
        assert not store.answers()
        page.unroute_all()
        page.reload()  # the answer outlives the page
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Start").click()
        page.locator(".answer:enabled").first.wait_for()
        page.keyboard.press("j")
        page.get_by_role("heading", name="Thank you").wait_for()
        page.close()
    assert [one.choice for one in read_responses(folder).judgements] == ["right", "right"]
