"""Columns of lists of crops: which is the image, which the class, which the split.

DeepMeerkat's have two and no header. Those of other programs say it in a header, or, as Vertex AI's
do, by words such as TRAIN that stand in one of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from beampose.core import files
from beampose.formats.crop_folders import SPLITS
from beampose.preprocess import images

# How headers of such lists call their columns; of several the first here is taken.
_URI = (
    *("image_uri", "image_path", "filepath", "filepaths", "file_path", "path", "uri", "filename"),
    *("file_name", "image_name", "image", "images", "img_path", "img", "file", "url", "crop"),
    *("name", "id"),
)
_LABEL = ("label", "labels", "class_name", "class", "classes", "category", "target", "species")
_SPLIT = (
    *("split", "set", "subset", "partition", "data_set", "data set", "dataset"),
    *("ml_use", "usage"),
)
# Of rows that no split is said of.
_NO_SPLIT = ("", "unassigned")


class Columns(NamedTuple):
    """Columns of a list, counted from 0.

    Attributes:
      width: cells of a row.
      split: None if no column says it.
      header: whether the first row is one.
      others: names of columns that are not used.
    """

    width: int = 2
    uri: int = 0
    label: int = 1
    split: int | None = None
    header: bool = False
    others: tuple[str, ...] = ()


def find(rows: Sequence[Sequence[str]]) -> Columns | None:
    """Columns of rows; None if they are not those of a list of crops, or it cannot be told."""
    rows = [[cell.strip() for cell in row] for row in rows]
    if not rows:
        return None
    words = [cell.lower() for cell in rows[0]]
    uri, label = _first(words, _URI), _first(words, _LABEL)
    if uri is not None and label is not None and not any(map(_is_image, words)):
        split = _first(words, _SPLIT)
        used = (uri, label, split)
        # Without a name, pandas counts the rows there.
        others = [
            word
            for i, word in enumerate(rows[0])
            if i not in used and word and not word.startswith("Unnamed: ")
        ]
        return Columns(len(words), uri, label, split, header=True, others=tuple(others))
    width = len(words)
    if width == 2:
        return Columns(header=_names_no_image([row[0] for row in rows]))
    # One that is too short is told by its line.
    kinds = list(zip(*(row for row in rows if len(row) == width), strict=True))
    uris = [i for i, cells in enumerate(kinds) if all(map(_is_image, cells))]
    splits = [i for i, cells in enumerate(kinds) if all(map(is_split, cells)) and any(cells)]
    rest = [i for i, cells in enumerate(kinds) if i not in uris + splits and any(cells)]
    if len(uris) == len(splits) == len(rest) == 1:
        return Columns(width, uris[0], rest[0], splits[0])
    return None


def is_split(word: str) -> bool:
    return word.lower() in SPLITS or word.lower() in _NO_SPLIT


def split_of(word: str) -> str | None:
    """The split that a cell says; None if it says none."""
    return SPLITS.get(word.lower())


def _first(words: Sequence[str], known: Sequence[str]) -> int | None:
    return next((words.index(word) for word in known if word in words), None)


def _is_image(word: str) -> bool:
    return files.suffix(word) in images.SUFFIXES


def _names_no_image(uris: Sequence[str]) -> bool:
    """Returns True if the first row is the only one that names no image, in whatever words."""
    named = [_is_image(uri) for uri in uris]
    return len(uris) > 1 and not named[0] and all(named[1:])
