"""Letters of every script on images and in plots, by the fonts that this machine has.

OpenCV draws ASCII alone, and matplotlib's own font has no Chinese, Japanese or Korean letters.
"""

import functools
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

# First the font that comes with matplotlib, then any other that has the letters; the last one has a
# box for every letter there is, so that nothing is left out without a sign.
PLAIN, BOXES = "DejaVu Sans", "Last Resort High-Efficiency"
# Fonts of many letters that systems come with, as matplotlib calls them, the better ones first.
_WIDE = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans JP", "Noto Sans SC"),
    *("Source Han Sans", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback"),
    *("Microsoft YaHei", "SimHei", "Yu Gothic", "Meiryo", "MS Gothic", "Malgun Gothic"),
    *("Hiragino Sans", "PingFang SC", "Heiti TC", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("IPAexGothic", "IPAGothic", "TakaoGothic", "NanumGothic", "UnDotum", "Noto Sans"),
    *("Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai"),
)


@functools.cache
def families() -> list[str]:
    """Fonts for matplotlib's `font.family`: where one lacks a letter the next is asked."""
    return [PLAIN, *(name for name in (*_WIDE, BOXES) if name in _files())]


@functools.cache
def _files() -> dict[str, str]:
    """The file of each font of this machine, by name."""
    from matplotlib import font_manager

    # Of fonts that cannot be read it tells on the screen.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    every = sorted(font_manager.fontManager.ttflist, key=_plainness, reverse=True)
    return {font.name: font.fname for font in every}


def _plainness(font: Any) -> tuple[bool, bool, bool]:
    """The upright, regular one of the faces of a font comes first."""
    regular = font.weight in (400, "normal", "regular", "book")
    return font.style != "normal", not regular, font.stretch not in ("normal", 100, "100")


@functools.lru_cache(maxsize=64)
def font(name: str, size: int) -> Any:
    """A font of this machine for Pillow."""
    from PIL import ImageFont

    return ImageFont.truetype(_files().get(name, ""), size)


def runs(text: str) -> list[tuple[str, str]]:
    """A text in pieces, each with the name of the first font that has its letters.

    What no font has is written as boxes, and what is beside it as letters all the same.
    """
    found: list[tuple[str, str]] = []
    for letter in text:
        has = (name for name in families() if ord(letter) in _letters(name))
        name = next(has, families()[-1])
        if found and (name == found[-1][1] or letter == " "):
            found[-1] = (found[-1][0] + letter, found[-1][1])
        else:
            found.append((letter, name))
    return found


def width(text: str, size: int) -> float:
    """Pixels that a line takes."""
    return sum(font(name, size).getlength(piece) for piece, name in runs(text))


def height(size: int) -> int:
    """Pixels from the top of a line to below its longest letters."""
    return sum(font(PLAIN, size).getmetrics())


@functools.cache
def _letters(name: str) -> frozenset[int]:
    from matplotlib import ft2font

    try:
        return frozenset(ft2font.FT2Font(_files()[name]).get_charmap())
    except (KeyError, OSError, RuntimeError):
        return frozenset()


def lines(text: str, most: int, size: int) -> list[str]:
    """A text in lines no wider than `most` pixels; a word that is wider is broken."""
    found, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if width(longer, size) <= most:
            line = longer
            continue
        if line:
            found.append(line)
        line = ""
        for letter in word:
            if line and width(line + letter, size) > most:
                found.append(line)
                line = ""
            line += letter
    return [*found, line]


def write(
    image: np.ndarray,
    place: tuple[int, int],
    text: str,
    size: int,
    color: Sequence[int],
    rim: int = 0,
) -> None:
    """Writes a line of text with its upper left corner at x, y. Changes the image.

    Args:
      size: height of letters in pixels.
      rim: width of a dark rim around them.
    """
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    x, base = float(place[0]), place[1] + font(PLAIN, size).getmetrics()[0]
    for piece, name in runs(text):
        own = font(name, size)
        draw.text(
            (x, base),
            piece,
            fill=tuple(color),
            font=own,
            anchor="ls",
            stroke_width=rim,
            stroke_fill=(0, 0, 0),
        )
        x += own.getlength(piece)
    image[:] = np.asarray(picture)
