"""The studio in a browser: a real server with the bundled model, and Chromium without a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

CHROMIUM = Path("/usr/bin/chromium")
DESKTOP = {"width": 1440, "height": 900}
TOKEN = "token-of-the-browser"
READ_CANVAS = """canvas => {
  const { width, height } = canvas;
  return [height, width, [...canvas.getContext("2d").getImageData(0, 0, width, height).data]];
}"""
DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""


class StudioPage:
    """The page of the studio, and what a user does on it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.wrong: list[str] = []  # errors on the console, refusals by the policy among them, and exceptions
        self.asked: list[dict[str, Any]] = []  # bodies of requests for samples
        self.waiting = 0  # requests under way
        page.on("console", lambda message: message.type == "error" and self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", self.note)
        page.on("requestfinished", lambda request: self.count(-1))
        page.on("requestfailed", lambda request: self.count(-1))

    def note(self, request: Any) -> None:
        self.count(1)
        if request.url.endswith("/v1/sample"):
            self.asked.append(request.post_data_json)

    def count(self, change: int) -> None:
        self.waiting += change

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.page.locator("#samples .card img[src]").nth(3).wait_for()

    def wait_until_calm(self) -> None:
        """Until the page has asked for nothing for longer than it waits for a pen to rest."""
        calm = 0
        while calm < 4:
            self.page.wait_for_timeout(50)
            calm = 0 if self.waiting else calm + 1

    def button(self, name: str, nth: int = 0) -> Any:
        return self.page.get_by_role("button", name=name).nth(nth)

    @property
    def canvas(self) -> Any:
        return self.page.locator("#tools canvas").first

    def colours(self) -> NDArray[np.uint8]:
        """The canvas (H, W, 3), after the next frame."""
        self.page.evaluate(
            "() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
        )
        height, width, values = self.canvas.evaluate(READ_CANVAS)
        return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]

    def at(self, row: int, column: int) -> tuple[float, float]:
        """Where on the screen the middle of a pixel of the canvas is."""
        frame = self.canvas.bounding_box()
        height, width = self.canvas.evaluate("canvas => [canvas.height, canvas.width]")
        return frame["x"] + (column + 0.5) / width * frame["width"], frame["y"] + (row + 0.5) / height * frame["height"]

    def stroke(self, *places: tuple[int, int]) -> None:
        """Press at the first (row, column), pass the others and let go at the last."""
        self.page.mouse.move(*self.at(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.at(*place))
        self.page.mouse.up()

    def pick(self, name: str) -> None:
        self.page.get_by_role("group", name="Classes").get_by_role("button", name=name).click()

    def clear(self) -> None:
        """One class everywhere, and a brush of one pixel for another."""
        self.button("Brush").click()
        self.page.get_by_label("Brush size").fill("1")
        self.pick("building")
        self.button("Clear to building").click()
        self.pick("car")

    def samples(self, where: str = ".cards:not(.pinned)") -> dict[str, str]:
        """The shown images by the name of their code."""
        pairs = self.page.locator(f"{where} .card").evaluate_all(
            "cards => cards.map((card) => [card.querySelector('span').title, card.querySelector('img').src])"
        )
        return dict(pairs)

    def pinned(self) -> dict[str, str]:
        return self.samples(".pinned")

    def status(self) -> str:
        return str(self.page.locator("#status").text_content())

    def drop(self, name: str, content: str) -> None:
        """Drop a file (base64) on the page."""
        self.page.evaluate(DROP, [name, content])


@pytest.fixture(scope="session")
def browser_driver() -> Any:
    driver = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"the page is tested in Chromium, which is not at {CHROMIUM}")
    return driver


@pytest.fixture(scope="module")  # not longer, since its event loop is in the way of other tests
def browser_engine(browser_driver: Any) -> Iterator[Any]:
    with browser_driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def browser_url(browser_driver: Any) -> Iterator[str]:
    """Where a studio with the bundled model listens."""
    from variegate.studio.app import make_app
    from variegate.studio.listening import Listening
    from variegate.studio.service import Studio
    from variegate.studio.shelf import Shelf

    listening = Listening()
    with listening.in_thread(make_app(Studio(Shelf([])), listening.hosts, TOKEN)) as url:
        yield url


Make = Callable[..., StudioPage]


@contextmanager
def pages(engine: Any) -> Iterator[Make]:
    """Makes pages, each in a browser context of its own with the given options; none may complain in its console."""
    opened: list[StudioPage] = []

    def make(**options: Any) -> StudioPage:
        context = engine.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(10_000)
        opened.append(StudioPage(context.new_page()))
        return opened[-1]

    yield make
    for one in opened:
        one.page.context.close()
    # The browser itself notes an answer 409 there if it comes just as the page gives up its request.
    assert [text for one in opened for text in one.wrong if "409" not in text] == []


@pytest.fixture
def browser_pages(browser_engine: Any) -> Iterator[Make]:
    with pages(browser_engine) as make:
        yield make


@pytest.fixture
def browser_page(browser_pages: Make, browser_url: str) -> StudioPage:
    """The studio as it opens on a desktop."""
    page = browser_pages()
    page.open(browser_url)
    return page


@pytest.fixture(scope="module")
def browser_shared(browser_engine: Any, browser_url: str) -> Iterator[StudioPage]:
    """A page for tests that do not mind what others have left on it."""
    with pages(browser_engine) as make:
        page = make()
        page.open(browser_url)
        yield page
