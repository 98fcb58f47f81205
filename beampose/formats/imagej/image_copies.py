"""Images that lie in a folder in several formats: img0.png, and img0.jpg that was made of it.

Tables count the images from before they were copied, or all of them; which is told by how far they
count.
"""

from collections import Counter
from collections.abc import Sequence

from beampose.core import files
from beampose.core.wording import counted
from beampose.formats.imagej import click_images
from beampose.formats.imagej.click_images import Rows
from beampose.preprocess import images

# Copies in those before the others lose nothing of the pixels.
_ORDER = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_DO = "Move the copies to another folder"
# What tables count: images once each, all files, what their Labels name alone, or nobody knows.
_EACH, _EVERY, _NAMED, _UNKNOWN = "each", "every", "named", "unknown"


def chosen(
    folder: str, paths: Sequence[str], tables: Sequence[Rows], parts: int
) -> tuple[list[str], str]:
    """The images that tables count, and what was guessed; "" if there are no copies.

    Args:
      paths: of the images, in natural order.
      parts: points of an image in a table whose rows name none.

    Raises:
      ValueError: which images are meant is not known.
    """
    first: dict[str, str] = {}
    for path in paths:
        first.setdefault(files.stem(path), path)
    times = Counter(map(files.stem, paths))
    copies = [stem for stem in first if times[stem] > 1]
    if not copies:
        return [*paths], ""
    each, every = len(first), len(paths)
    alike = [path for path in paths if files.stem(path) == copies[0]]
    more = f", and copies of {counted(len(copies) - 1, 'other image')}" if len(copies) > 1 else ""
    shown = f"{' and '.join(map(files.name, alike))} lie there{more}"
    tables = [rows for rows in tables if rows.labels]
    counts = {_counts(rows, paths, [*first.values()], parts) for rows in tables} - {_NAMED}
    numbers = {one for rows in tables for one in click_images.numbers_said(rows)}
    if numbers:
        counts = (counts - {_UNKNOWN}) | {_by_numbers(numbers, each)}
    if counts <= {_EVERY}:
        return [*paths], ""
    if counts != {_EACH}:
        raise ValueError(
            f"{folder}: {shown}: whether its tables count {each} images or all {every} is not "
            f"known. {_DO}."
        )
    whole = [
        s for s in _ORDER if len({files.stem(p) for p in paths if files.suffix(p) == s}) == each
    ]
    labels = [label for rows in tables for label in rows.labels]
    named = {files.suffix(paths[i]) for i in click_images.named(labels, paths) if i is not None}
    whole = [suffix for suffix in whole if suffix in named] or whole
    if not whole:
        raise ValueError(f"{folder}: {shown}, and no format has all {each} images. {_DO}.")
    _check_sizes(alike, folder)
    return [path for path in paths if files.suffix(path) == whole[0]], (
        f"{shown}: the tables count {each} images, so those ending with {whole[0]} are used. {_DO}"
    )


def _counts(rows: Rows, paths: Sequence[str], first: Sequence[str], parts: int) -> str:
    """What a table counts, as far as it says without numbers."""
    if any(one is not None for one in click_images.named(rows.labels, paths)):
        return _NAMED
    if any(one is not None for one in click_images.named(rows.labels, first)):
        return _EACH
    by_rows = {len(first) * parts: _EACH, len(paths) * parts: _EVERY}
    return by_rows.get(len(rows.labels), _UNKNOWN)


def _by_numbers(numbers: set[int], each: int) -> str:
    if max(numbers) > each:
        return _EVERY
    return _EACH if numbers == {*range(1, each + 1)} else _UNKNOWN


def _check_sizes(paths: Sequence[str], folder: str) -> None:
    """Raises ValueError if an image and its copy differ in size: labels belong to one of them."""
    sizes: dict[tuple[int, int], str] = {}
    for path in paths:
        try:
            height, width = images.load(path, once=True)[0].shape[:2]
        except (OSError, ValueError):
            # Said of each image when it is read.
            continue
        sizes.setdefault((height, width), path)
    if len(sizes) > 1:
        told = " and ".join(f"{files.name(p)} {w}x{h}" for (h, w), p in sizes.items())
        raise ValueError(f"{folder}: {told} pixels: which of them was labeled is not known. {_DO}.")
