"""A real browser without a screen: Chromium of the distribution, driven by Selenium."""

import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from tests.waiting import eventually

# Every piece of text against what is behind it, as WCAG 2 has it; what fails AA is returned.
CONTRAST = """
const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => {
  const f = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
};
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0.5) return c;
  }
  return parse(getComputedStyle(document.documentElement).backgroundColor);
};
const bad = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());) {
  const e = node.parentElement;
  if (!node.textContent.trim() || !e.checkVisibility()) continue;
  if (e.closest("svg, script, noscript")) continue;
  const box = e.getBoundingClientRect();
  if (!box.width || box.right < 0) continue;
  const style = getComputedStyle(e);
  const [a, b] = [light(parse(style.color)), light(behind(e))].sort((x, y) => y - x);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  const ratio = (a + 0.05) / (b + 0.05);
  const text = node.textContent.trim().slice(0, 40);
  if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)} ${e.tagName} ${text}`);
}
return bad;
"""
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
LOADED = "return performance.getEntriesByType('resource').map((e) => [e.name, e.encodedBodySize])"


class Chromium:
    """One window of it, at one address."""

    def __init__(self, driver: webdriver.Chrome, base: str) -> None:
        self.driver, self.base = driver, base

    def open(self, path: str) -> None:
        self.driver.get(self.base + path)

    def block(self, *addresses: str) -> None:
        """Let requests to such addresses fail, as if the network were down; none lets all pass."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(addresses)})

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.base)

    @property
    def text(self) -> str:
        return self.one("body").text

    def one(self, words: str) -> WebElement:
        """The first that a selector finds, once the page that is being loaded has it."""
        eventually(lambda: self.all(words), tell=self._said, every_s=0.05)
        return self.driver.find_element(By.CSS_SELECTOR, words)

    def all(self, words: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, words)

    def fill(self, **values: str) -> None:
        """Write into fields, or choose, by their names."""
        for name, value in values.items():
            eventually(lambda n=name, v=value: self._filled(n, v), tell=self._said, every_s=0.1)  # type: ignore[misc]

    def _filled(self, name: str, value: str) -> bool:
        fields = self.all(f"main [name='{name}']")
        if not fields:
            return False
        field = fields[0]
        if field.tag_name != "select":
            field.clear()
            field.send_keys(value)
            return True
        options = field.find_elements(By.TAG_NAME, "option")
        found = [one for one in options if one.text.startswith(value)]
        if found:
            found[0].click()
        return bool(found)

    def press(self, words: str, *, sure: bool = False) -> None:
        """Press a button or follow a link by its words; `sure` answers the question it asks."""
        path = f"//main//*[self::button or self::a][normalize-space()='{words}']"
        eventually(lambda: self._clicked(path), tell=self._said, every_s=0.1)
        if sure:
            self.one("#confirm [data-answer=yes]").click()

    def fill_look(self, **values: str) -> None:
        """Choose language, colours and region in the menu of the session."""
        self.one(".menu summary").click()
        for name, value in values.items():
            Select(self.one(f".menu [name={name}]")).select_by_value(value)
        self.one(".menu form button").click()

    def tick(self, words: str) -> None:
        """Tick or untick a box by its words."""
        path = f"//main//label[starts-with(normalize-space(), '{words}')]"
        eventually(lambda: self._clicked(path), tell=self._said, every_s=0.1)

    def choose(self, words: str) -> None:
        """Tick the box that stands before something in a table."""
        path = f"//main//tr[contains(., '{words}')]//input[@name='id']"
        eventually(lambda: self._clicked(path), tell=self._said, every_s=0.1)

    def _clicked(self, path: str) -> bool:
        """Click, unless the page is just being drawn anew, which live pages are at any time."""
        try:
            self.driver.find_element(By.XPATH, path).click()
        except (NoSuchElementException, StaleElementReferenceException):
            return False
        except WebDriverException as error:
            if "does not belong to the document" not in str(error):
                raise
            return False
        return True

    def wait_for(self, words: str) -> None:
        """Wait until a page says something, by itself or because it was left for another."""
        eventually(lambda: words in self._said(), tell=self._said, every_s=0.05)

    def wait_for_state(self, status: str) -> None:
        """Wait until the thing that a page is about, or the first of a list, is in a state."""
        found = "(document.querySelector('.head .state') || document.querySelector('td .state'))"
        text = f"return {found}?.textContent.trim() || ''"
        eventually(lambda: self.script(text) == status, tell=self._said, every_s=0.05)

    def wait_for_project(self, name: str) -> None:
        """Wait until the session works in a project, which every page tells in its head."""
        text = "return document.querySelector('.where')?.textContent || ''"
        eventually(lambda: name in self.script(text), tell=self._said, every_s=0.05)

    def _said(self) -> str:
        said: str = self.script("return document.body ? document.body.innerText : ''")
        return said

    @contextmanager
    def framed(self) -> Iterator[None]:
        """Look into the frame that the page has, for as long as the block takes."""
        self.driver.switch_to.frame(self.one("iframe"))
        try:
            yield
        finally:
            self.driver.switch_to.default_content()

    def script(self, text: str) -> Any:
        return self.driver.execute_script(text)

    def sign_in(self, name: str, password: str) -> None:
        self.open("/sign-in")
        self.fill(name=name, password=password)
        self.press("Sign in")

    def look(self, *, dark: bool, width: int, height: int = 900) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme, still])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)

    def cdp(self, command: str, **values: Any) -> None:
        self.driver.execute_cdp_cmd(command, values)

    def complaints(self) -> list[str]:
        """Return what the browser's console says that is wrong."""
        found = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(entry["message"]) for entry in found]


@contextmanager
def chromium(base: str, prefix: Sequence[str] = ()) -> Iterator[Chromium]:
    """Start one for as long as the block takes; where there is none, the test is skipped.

    What stands before its command, as what leads into a network namespace, is `prefix`.
    """
    program, chauffeur = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or chauffeur is None:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "lang=en",
    ):
        options.add_argument(f"--{argument}")
    options.add_argument("--hide-scrollbars")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as directory:
        wrapped = Path(directory) / "chromedriver"
        wrapped.write_text(f'#!/bin/sh\nexec {shlex.join([*prefix, chauffeur])} "$@"\n')
        wrapped.chmod(0o700)
        driver = webdriver.Chrome(options=options, service=Service(str(wrapped)))
        driver.implicitly_wait(10)  # for what the page that one is led to has
        try:
            yield Chromium(driver, base)
        finally:
            driver.quit()
