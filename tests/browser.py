"""Chromium, driven through a pipe: no driver and no package, only a browser where there is one.

The protocol is Chrome's own (https://chromedevtools.github.io/devtools-protocol/), whose messages end in a
zero byte on the pipes 3 and 4 that ``--remote-debugging-pipe`` opens.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The names by which distributions call it.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

#: Why a test is skipped, and what would help.
MISSING = "no Chromium is found: apt-get install chromium"


def found() -> str | None:
    """Where the browser is; ``None`` where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


#: Becomes a program whose 3 and 4 are the pipes that are given.
_START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


class Page:
    """One page of the browser, and all that has happened on it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser, self.session = browser, session
        #: What it has asked for by a network, and what has gone wrong.
        self.requests: list[str] = []
        self.problems: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol, and its answer."""
        return self.browser.call(method, params, self.session)

    def run(self, script: str) -> Any:
        """The value of an expression on the page; of a promise, what it becomes."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file, and wait for it."""
        self.browser.loaded = False
        self.call("Page.navigate", url="about:blank")
        self.browser.until_loaded()
        self.requests.clear()
        self.browser.loaded = False
        self.call("Page.navigate", url=f"{path.as_uri()}{f'#{fragment}' if fragment else ''}")
        self.browser.until_loaded()
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for is painted."""
        painted = "new Promise(then => requestAnimationFrame(() => requestAnimationFrame(() => then())))"
        self.run(painted)
        while self.run('document.querySelector(".waiting") !== null'):
            self.run(painted)

    def size(self, width: int, height: int = 900, *, dark: bool = False, touch: bool = False) -> None:
        """Make the window so large."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def middle(self, selector: str) -> tuple[float, float]:
        """Where the middle of an element is, once it is in sight."""
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;"
            "e.scrollIntoView({block: 'center', inline: 'nearest'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        assert place is not None, f"there is no {selector}"
        return place[0], place[1]

    def click(self, selector: str, *, shift: bool = False) -> None:
        """Click in the middle of an element."""
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind, x=x, y=y, button="left", clickCount=1, modifiers=8 if shift else 0,
            )  # fmt: skip
        self.settle()

    def tap(self, selector: str) -> None:
        """Touch an element."""
        x, y = self.middle(selector)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.settle()

    def press(self, selector: str, key: str = "Enter") -> None:
        """Press a key on an element."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        code = {"Enter": 13, " ": 32}[key]
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                text="\r" if key == "Enter" else key,
            )
        self.settle()

    def picture(self, path: Path) -> None:
        """What is seen, as a PNG."""
        path.write_bytes(b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


class Browser:
    """A browser without a window."""

    def __init__(self, command: str, folder: str) -> None:
        to_read, to_write = os.pipe(), os.pipe()
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
            "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
            "--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank",
        ]  # fmt: skip

        # the browser reads from 3 and writes to 4, whichever of these the tests have open themselves
        given, taken = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_read[0], to_write[1]))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, str(given), str(taken), command, *flags],
            pass_fds=(given, taken),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for fd in (given, taken):
            os.close(fd)
        os.close(to_read[0])
        os.close(to_write[1])
        self.sent, self.got = to_read[1], to_write[0]
        self.number, self.rest = 0, b""
        self.loaded = False
        self.page: Page | None = None

    def call(self, method: str, params: dict[str, Any] | None = None, session: str = "") -> dict[str, Any]:
        """A command, and its answer; what happens meanwhile is noted."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        os.write(self.sent, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                result = answer["result"]
                assert isinstance(result, dict)
                return result
            self.note(answer)

    def read(self) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self.rest:
            more = os.read(self.got, 1 << 20)
            assert more, "the browser has ended"
            self.rest += more
        line, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(line)
        assert isinstance(message, dict)
        return message

    def note(self, message: dict[str, Any]) -> None:
        """Keep what has happened."""
        method, params = message.get("method", ""), message.get("params", {})
        if self.page is None:
            return
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Network.requestWillBeSent":
            self.page.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]  # of what a page is not allowed to see there is a text alone
            self.page.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.page.problems.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.page.problems.append(json.dumps(params["args"])[:500])

    def until_loaded(self) -> None:
        """Wait for the page that was asked for."""
        while not self.loaded:
            self.note(self.read())

    def tab(self) -> Page:
        """A page of its own."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.page = page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        return page


@contextlib.contextmanager
def opened() -> Iterator[Page]:
    """A page of a browser, which ends with it."""
    command = found()
    assert command is not None, MISSING
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(command, folder)
        try:
            yield browser.tab()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.process.pid, signal.SIGKILL)
            browser.process.wait()
            os.close(browser.sent)
            os.close(browser.got)
