"""The page for everyone: any width, keys alone, a screen reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

NAMELESS = """() => {
  const named = (element) =>
    element.labels?.length || element.getAttribute("aria-label") || element.title || element.textContent.trim() ||
    element.querySelector("img[alt]:not([alt=''])");
  const controls = [...document.querySelectorAll("button, input:not([hidden]), select, [role=application]")];
  const nameless = controls.filter((element) => element.checkVisibility() && !named(element));
  return nameless.map((element) => element.outerHTML);
}"""


def test_nothing_is_cut_off_at_any_width(browser_pages: Callable[..., Any], browser_url: str) -> None:
    page = browser_pages(color_scheme="dark")
    page.open(browser_url)
    page.button("Stamp").click()
    for name in ("seed 0, image 0", "seed 0, image 1"):
        page.button(f"Pin: {name}").click()
    page.button("More like this").click()
    page.page.locator("#understand").scroll_into_view_if_needed()
    page.page.get_by_role("table").wait_for()
    for width in (1440, 768, 360):
        page.page.set_viewport_size({"width": width, "height": 800})
        assert page.page.evaluate("document.documentElement.scrollWidth") == width


def test_every_control_has_a_name(browser_page: Any) -> None:
    for name in ("seed 0, image 0", "seed 0, image 1"):
        browser_page.button(f"Pin: {name}").click()
    browser_page.button("More like this").click()
    browser_page.button("Stamp").click()
    browser_page.page.locator(".stamps button").first.wait_for()
    assert browser_page.page.evaluate(NAMELESS) == []
    browser_page.page.locator(".cards .look").last.click()
    assert browser_page.page.evaluate(NAMELESS) == []
    assert browser_page.page.locator("img:not([alt])").count() == 0


def test_keys_alone_pin_an_image(browser_page: Any) -> None:
    browser_page.button("Most diverse first").focus()
    for key in ("Tab", "Tab", "Enter"):
        browser_page.page.keyboard.press(key)
    assert [*browser_page.pinned()] == ["seed 0, image 0"]
    assert browser_page.page.evaluate("document.activeElement.textContent") == "Pin"


def test_a_token_may_come_with_the_address(browser_pages: Callable[..., Any], browser_url: str) -> None:
    page = browser_pages()
    written = page.page.request.get(browser_url).text()
    [token] = re.findall('name="token" content="(.+?)"', written)
    without = written.replace(token, "")
    page.page.route(browser_url, lambda route: route.fulfill(body=without, content_type="text/html"))
    page.open(f"{browser_url}#token={token}")
    assert page.page.url == browser_url
    page.page.reload()
    page.page.locator("#samples .card img[src]").first.wait_for()
