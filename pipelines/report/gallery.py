"""The plots of a report: each on the page, and as files a paper can use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from beampose.pipelines.report import plots

FOLDER = "plots"


class Shown(NamedTuple):
    """A plot of the page: the stem of its files, its caption, its SVG, and whether it asks for the
    page's whole width."""

    name: str
    caption: str
    svg: Markup
    wide: bool = False


class Gallery:
    """Draws into a folder that is there."""

    def __init__(self, folder: Path):
        self._folder = folder

    def show(self, name: str, caption: str, plot: Callable[..., Any], *values, **named) -> Shown:
        """Writes `<name>.svg` and `<name>.png` of what a function of `plots` draws."""
        with plots.styled():
            figure = plot(*values, **named)
            figure.savefig(self._folder / f"{name}.png", dpi=plots.DPI)
            wide = figure.get_figwidth() > 1.5 * plots.SIZE[0]
            text = plots.svg(figure)
        (self._folder / f"{name}.svg").write_text(text, encoding="utf-8")
        # Our own, from matplotlib, which escapes the names it is given.
        return Shown(name, caption, Markup(text), wide)  # noqa: S704
