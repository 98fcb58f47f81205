"""The labeling page in the system's Chromium, and its server as a process of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)


def needs_browser():
    """Skips a module where there is no browser, and says so."""
    pytest.importorskip("playwright", reason="needs pip install 'beampose[test]'")
    if CHROMIUM is None:
        pytest.skip("needs Chromium (on Debian: apt install chromium)", allow_module_level=True)


class Server:
    """`beampose label` of some words; the same words again have the same address."""

    def __init__(self, *words: object, cache: Path):
        self._words = [*map(str, words)]
        self._environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "beampose.pipelines.cli", "label", *self._words]
        self.process = subprocess.Popen(
            [*command, "--no-browser"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("http://"):
                self.address = line.strip()
                return
        raise AssertionError("".join(said))

    def kill(self) -> None:
        """As a machine that goes down: no goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def browser(**options):
    """A context of a new browser of 1280 x 800."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Its sockets lie in the folder of temporary files, and may not have long paths.
        short = {**os.environ, "TMPDIR": os.path.abspath(os.sep + "tmp")}
        chromium = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], env=short
        )
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, **options)
        context.set_default_timeout(10_000)
        yield context
        chromium.close()


class Page:
    """The page as a person uses it: places are pixels of the frame."""

    def __init__(self, context, address: str):
        self.page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.ready()

    def ready(self) -> None:
        self.wait("Boolean(window.beampose?.view.width > 0 && beampose.store.current)")
        # What is said of the film takes or gives room.
        self.wait("document.getElementById('strip').childElementCount > 0")
        until(self._still)

    def _still(self) -> bool:
        before = self.at((0, 0))
        time.sleep(0.4)
        return self.at((0, 0)) == before and self.evaluate("beampose.isCurrent()")

    def wait(self, code: str) -> None:
        """Until an expression is true. The page forbids what Playwright's own waiting does."""
        until(lambda: self.page.evaluate(code))

    def says(self, text: str) -> None:
        """Until the top line says something of saving."""
        self.wait(f"document.getElementById('saved').textContent.includes({text!r})")

    def evaluate(self, code: str, *arguments):
        return self.page.evaluate(code, *arguments)

    def at(self, xy) -> tuple[float, float]:
        """Where a place of the frame is on the screen."""
        x, y = self.evaluate("xy => beampose.toStage(xy)", list(xy))
        box = self.page.locator("#overlay").bounding_box()
        return box["x"] + x, box["y"] + y

    def click(self, xy, **options) -> None:
        self.page.mouse.click(*self.at(xy), **options)

    def drag(self, start, end) -> None:
        self.page.mouse.move(*self.at(start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at([(a + b) / 2 for a, b in zip(start, end, strict=True)]))
        self.page.mouse.move(*self.at(end))
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def points(self) -> list:
        """Of the frame that is shown."""
        return self.evaluate("beampose.store.current.points")

    def frame(self) -> str:
        return self.evaluate("beampose.store.current.key")

    def go(self, key: str) -> None:
        for _ in range(400):
            if self.frame() == key:
                until(self._still)
                return
            self.press("ArrowRight")
        raise AssertionError(f"{key} is not reached by keys")

    def saved(self) -> None:
        self.wait("beampose.pending.size === 0 && beampose.store.writing")


def until(check, seconds: float = 20.0):
    """What a check returns once it is something."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)
    return found
