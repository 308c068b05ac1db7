"""A real browser without a window, driven over its debugging protocol."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.waiting import eventually

# How many pixels of the screen are not of the colour of its first one.
LIT = """(() => {
    const canvas = document.querySelector("#screen canvas");
    if (!canvas || !canvas.width) return 0;
    const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const first = dots.slice(0, 3).toString();
    let lit = 0;
    for (let at = 0; at < dots.length; at += 4)
        if (dots.slice(at, at + 3).toString() !== first) lit += 1;
    return lit;
})()"""
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


class Browser:
    """One page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)

    def go(self, address: str) -> None:
        """Open a page."""
        self._call("Page.navigate", url=address)

    def evaluate(self, expression: str) -> Any:
        """Return what an expression is in the page."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=30))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])


@contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """Run a browser that keeps its things in a directory; without one the test is skipped."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium-headless-shell")
    process = subprocess.Popen(
        [
            program,
            "--headless",
            "--no-sandbox",  # it runs as root here, and visits nothing but our page
            "--disable-gpu",
            "--remote-debugging-port=0",
            f"--user-data-dir={directory}",
            "about:blank",
        ],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port_file = directory / "DevToolsActivePort"
        eventually(lambda: port_file.exists() and "/" in port_file.read_text(), 30)
        port = port_file.read_text().split()[0]
        with connect(_page(int(port)), max_size=None) as socket:
            yield Browser(socket)
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the program may be a script around the browser
        process.wait()


def _page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
        pages = json.load(answer)
    return str(next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"))
