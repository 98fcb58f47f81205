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
    return {font.name: font.fname for font in reversed(font_manager.fontManager.ttflist)}


def font(text: str, size: int) -> Any:
    """A font of Pillow's that has all letters of a text; else that with a box for each."""
    from PIL import ImageFont

    wanted = frozenset(map(ord, text))
    chosen = next((name for name in families() if wanted <= _letters(name)), families()[0])
    return ImageFont.truetype(_files().get(chosen, ""), size)


@functools.cache
def _letters(name: str) -> frozenset[int]:
    from matplotlib import ft2font

    try:
        return frozenset(ft2font.FT2Font(_files()[name]).get_charmap())
    except (KeyError, OSError, RuntimeError):
        return frozenset()


def lines(text: str, width: int, size: int) -> list[str]:
    """A text in lines no wider than so many pixels; a word that is wider is broken."""
    one = font(text, size)
    found, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if one.getlength(longer) <= width:
            line = longer
            continue
        if line:
            found.append(line)
        line = ""
        for letter in word:
            if line and one.getlength(line + letter) > width:
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
    ImageDraw.Draw(picture).text(
        place,
        text,
        fill=tuple(color),
        font=font(text, size),
        stroke_width=rim,
        stroke_fill=(0, 0, 0),
    )
    image[:] = np.asarray(picture)
