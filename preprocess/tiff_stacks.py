"""TIFF stacks: files of several images, page after page, which are films to ImageJ and microscopes.

Only the lists of pages are read ahead. A page is then made a TIFF of its own in memory and decoded
as every image is, so that a stack takes the memory of a page, however long it is, and any page is
reached at once.
"""

import io
import itertools
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.core.answering import Unanswered
from beampose.core.wording import counted
from beampose.preprocess import decoding, tiff_tags
from beampose.preprocess.tiff_tags import Page, TiffFile

SUFFIXES = (".tif", ".tiff")
_MOST_TEXT = 1 << 16
# Bits of the kind of a page: a smaller copy, and a mask, are no images of their own.
_REDUCED, _MASK = 1, 4
# Brightness (of 255) that a 16 bit stack of 12 bit values does not reach.
_DARK = 16


class Stack(NamedTuple):
    """Pages of a stack.

    Attributes:
      pages: in order; one of an ordinary image.
      height, width: of every page.
      fps: images a second as ImageJ notes them, 0 if it does not.
      said: pages that ImageJ says there are, 0 if it does not.
      notes: sentences on what is not told by the pages alone.
    """

    pages: tuple[Page, ...]
    height: int
    width: int
    fps: float = 0.0
    said: int = 0
    notes: tuple[str, ...] = ()


_SHAPE = frozenset((tiff_tags.SUBFILE, tiff_tags.WIDTH, tiff_tags.HEIGHT))
_SEVERAL = "it holds {} {} of a moment, and each of its images is read as a frame of the film"


def is_stack(path: str) -> bool:
    """Whether a file is a TIFF of several images; False of what cannot be read."""
    if files.suffix(path) not in SUFFIXES:
        return False
    try:
        with files.open_file(path) as stream:
            file = TiffFile(stream)
            found = _full_pages(file)
            return next(found, None) is not None and (
                next(found, None) is not None or len(_contiguous(file)) > 1
            )
    except Unanswered:
        raise
    except (OSError, ValueError, struct.error):
        return False


def index(path: str) -> Stack:
    """Lists the pages of a TIFF, without decoding them.

    Raises:
      ValueError: not a TIFF, or its pages are of several sizes; the text names the file.
      OSError: it cannot be opened.
    """
    notes: list[str] = []
    pages: list[Page] = []
    size = (0, 0)
    with files.open_file(path) as stream:
        try:
            file = TiffFile(stream)
            for page, own in _full_pages(file):
                if pages and own != size:
                    raise _Unequal(
                        f"{path} is no film: its page {len(pages)} is {own[1]}x{own[0]}, page 0 is "
                        f"{size[1]}x{size[0]}. Save its pages as files of their own."
                    )
                size = own
                pages.append(page)
        except _Unequal as error:
            raise ValueError(str(error)) from None
        except (ValueError, struct.error) as error:
            if not pages:
                raise ValueError(f"{path} cannot be read as a TIFF: it {error}.") from None
            notes.append(f"its list of pages breaks after {len(pages)} of them, which are read")
        if not pages:
            raise ValueError(f"{path} cannot be read as a TIFF: it holds no image.")
        try:
            said, fps, told = _description(file, pages[0].offset)
            tags = file.tags(pages[0].offset, frozenset((tiff_tags.BITS,)))
            bits = file.one(tags, tiff_tags.BITS, 1)
            if len(pages) == 1:
                pages = _contiguous(file) or pages
        except (ValueError, struct.error) as error:
            raise ValueError(f"{path} cannot be read as a TIFF: it {error}.") from None
    dark = _dark(path, pages[0]) if bits == 16 and len(pages) > 1 else ()
    return Stack(tuple(pages), *size, fps, said, (*notes, *told, *dark))


def _dark(path: str, first: Page) -> Iterator[str]:
    """A note on 16 bits of which only low ones are used; of each value the high byte is taken."""
    ((_, pixels, _),) = decoded(path, [(0, first)])
    if pixels is not None and pixels.max() < _DARK:
        yield (
            f"its 16 bit values stay below {_DARK * 256:,} on the first page, and of them the high "
            "byte is taken: frames are nearly black. Spread them over the range, or save as 8 bit "
            "(Image > Type > 8-bit in ImageJ)"
        )


def page(path: str, number: int) -> np.ndarray:
    """uint8 (height, width, 3) of a page, from 0.

    Raises:
      OSError: the file cannot be opened.
      ValueError: it has no such page, or that cannot be decoded.
    """
    try:
        with files.open_file(path) as stream:
            file = TiffFile(stream)
            there = [one for one, _ in itertools.islice(_full_pages(file), number + 1)]
            there = (_contiguous(file) if len(there) == 1 else ()) or there
    except (ValueError, struct.error) as error:
        raise ValueError(f"cannot be read: page {number} of {files.name(path)}: {error}") from None
    if number >= len(there):
        name = f"page {number} of {files.name(path)}"
        raise ValueError(f"cannot be read: {name}: it has {counted(len(there), 'page')}")
    place = there[number]
    ((_, pixels, why),) = decoded(path, [(number, place)])
    if pixels is None:
        raise ValueError(f"cannot be read: page {number} of {files.name(path)}: {why}")
    return pixels


def decoded(
    path: str, pages: list[tuple[int, Page]]
) -> Iterator[tuple[int, np.ndarray | None, str]]:
    """Numbers and pixels of pages, or None and the reason.

    Raises:
      OSError: the file cannot be opened.
    """
    with files.open_file(path) as stream:
        for number, place in pages:
            try:
                alone = tiff_tags.alone(TiffFile(stream), place)
                with decoding.refused(), decoding.opened(io.BytesIO(alone)) as image:
                    yield number, decoding.loaded(image)[0], ""
            except Unanswered:
                raise
            except (ValueError, OSError, struct.error) as error:
                yield number, None, str(error)


class _Unequal(ValueError):
    """Pages of several sizes."""


def _full_pages(file: TiffFile) -> Iterator[tuple[Page, tuple[int, int]]]:
    """Pages with height and width, without smaller copies and masks of others."""
    offset, seen = file.first, set()
    while offset:
        if offset in seen:
            raise ValueError("has pages that follow each other in a circle")
        seen.add(offset)
        tags = file.tags(offset, _SHAPE)
        size = (file.one(tags, tiff_tags.HEIGHT), file.one(tags, tiff_tags.WIDTH))
        if not all(size):
            raise ValueError("has a page without a size")
        if not file.one(tags, tiff_tags.SUBFILE) & (_REDUCED | _MASK):
            yield Page(offset), size
        offset = file.raw(offset)[2]


def _contiguous(file: TiffFile) -> list[Page]:
    """Pages of a file of ImageJ that lists only the first; none of others."""
    said, _, _ = _description(file, file.first)
    tags = file.tags(
        file.first,
        frozenset((*tiff_tags.PIECES, *tiff_tags.PIECES.values(), tiff_tags.COMPRESSION)),
    )
    sizes = [file.whole(tags.get(counts)) for counts in tiff_tags.PIECES.values()]
    starts = [file.whole(tags.get(places)) for places in tiff_tags.PIECES]
    step, start = sum(map(sum, sizes)), min((one[0] for one in starts if one), default=0)
    if said < 2 or not step or file.one(tags, tiff_tags.COMPRESSION, 1) != 1:
        return []
    there = min(said, (file.size - start) // step)
    return [Page(file.first, i * step) for i in range(there)]


def _description(file: TiffFile, offset: int) -> tuple[int, float, tuple[str, ...]]:
    tags = file.tags(offset, frozenset((tiff_tags.DESCRIPTION, tiff_tags.SAMPLES)))
    tag = tags.get(tiff_tags.DESCRIPTION)
    text = tag.data[:_MOST_TEXT].decode("utf-8", "replace") if tag else ""
    return _described(text, file.one(tags, tiff_tags.SAMPLES, 1))


def _described(text: str, samples: int = 1) -> tuple[int, float, tuple[str, ...]]:
    """Pages, images a second and notes of a description by ImageJ or OME.

    Args:
      samples: values of a pixel.
    """
    values = dict(re.findall(r"^(\w+)=([^\r\n]*)", text, re.MULTILINE))
    if "ImageJ" not in values:
        values = {"OME": ""} if "<OME" in text else {}
        for word, letter in (("channels", "C"), ("slices", "Z"), ("frames", "T")):
            values[word] = "".join(re.findall(rf'Size{letter}="(\d+)"', text)[:1])
    notes = []
    if samples == 1 and _number(values.get("channels")) > 1:
        notes.append(_SEVERAL.format(values["channels"], "channels"))
    # Films that were opened as a plain stack are noted as slices, without frames.
    if _number(values.get("slices")) > 1 and _number(values.get("frames")) > 1:
        notes.append(_SEVERAL.format(values["slices"], "slices"))
    interval, rate = _positive(values.get("finterval")), _positive(values.get("fps"))
    seconds = values.get("tunit", "sec").strip().lower() in ("s", "sec", "second", "seconds")
    fps = 1 / interval if interval and seconds else rate
    return _number(values.get("images")), fps, tuple(notes)


def _number(text: str | None) -> int:
    return int(text[:9]) if text and text.isascii() and text.isdecimal() else 0


def _positive(text: str | None) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if 0 < value < 1e9 else 0.0
