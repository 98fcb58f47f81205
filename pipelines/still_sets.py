"""What paths mean where videos and photographs are taken alike: films, and sets of still images.

A folder that holds images is taken whole, however deep, its videos too; it makes one set. A list
makes a set of the images it names; images and patterns of a call make one together. A TIFF or a
GIF of one picture is an image, one of several a film.
"""

import glob
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from beampose.core import (
    files,
    fingerprints,
    folder_walks,
    placeholders,
    storage,
    system_folders,
    texts,
)
from beampose.core.wording import counted
from beampose.pipelines import manifest
from beampose.preprocess import gifs, images, media_folders, stills, tiff_stacks, videos
from beampose.preprocess.stills import Box, Still, Stills

LOG = logging.getLogger(__name__)
# Beside predictions, while a run needs them.
WORK = ".stills"
# Boxes of images by name: of each its boxes or none, and why it cannot be used.
FindBoxes = Callable[[str, str, Sequence[str]], Sequence[tuple[tuple[Box, ...] | None, str]]]


class Recalled(NamedTuple):
    """Images of a set with their numbers in an earlier run; `earlier` and `owns` as in `Stills`."""

    images: list[Still]
    earlier: str = ""
    owns: str = ""


# What an earlier run knows of the images of a set, which has this path.
Recall = Callable[[str, list[Still]], Recalled]


class StillSet(NamedTuple):
    """Images that get one table.

    Attributes:
      path: what was named.
      name: of the results, before others of that name are looked for.
      root: the folder that names of images count from.
      sizes: bytes by name, in the order of names; 0 of a file that is not there.
    """

    path: str
    name: str
    root: str
    sizes: dict[str, int]


class Sources(NamedTuple):
    """Videos, and sets of still images."""

    videos: list[str]
    sets: list[StillSet]


def expand(paths: Sequence[str], leave: str = "") -> Sources:
    """Videos and images that paths, folders, globs and lists mean, each once.

    Args:
      leave: a folder that is not looked into, such as that of the results.

    Raises:
      FileNotFoundError: a glob, a folder or a list without any.
      ValueError: a list that is no text.
    """
    films: list[str] = []
    sets: list[StillSet] = []
    loose: dict[str, int] = {}
    known = files.sizes([path for path in paths if files.is_address(path)])
    for path in paths:
        if known.get(path) and files.suffix(path) in videos.SUFFIXES and not gifs.is_photo(path):
            films.append(path)
            continue
        inner, pictures = _meant(path, leave)
        films += inner
        if pictures is not None and (files.is_folder(path) or _is_list(path)):
            whole = files.absolute(path)
            root = whole if files.is_folder(path) else _common(list(pictures))
            sets.append(_set(whole, _name(whole), root, pictures))
        else:
            loose |= pictures or {}
    if loose:
        sets.append(_loose(loose))
    return Sources(list(dict.fromkeys(films)), list({one.path: one for one in sets}.values()))


def _meant(path: str, leave: str) -> tuple[list[str], dict[str, int] | None]:
    """Videos of a path, and its images with their bytes; None if it means no images."""
    if files.is_folder(path):
        return _inside(path, leave)
    if glob.has_magic(path) and not files.exists(path) or _is_list(path):
        found = manifest.expand([path])
    else:
        found = [files.absolute(path)]
    pictures = [one for one in found if _is_picture(one)]
    chosen = set(pictures)
    sizes = {one: files.size(one) if files.exists(one) else 0 for one in pictures}
    return [one for one in found if one not in chosen], sizes or None


def _inside(folder: str, leave: str) -> tuple[list[str], dict[str, int] | None]:
    pictures, films, others, drawn = {}, [], [], []
    whole = files.absolute(folder).rstrip("/")
    for path, size in _walked(folder, whole, leave):
        if _is_picture(path):
            pictures[path] = size
        elif videos.is_video(path):
            (drawn if media_folders.is_drawn(path) else films).append(path)
        elif files.suffix(path) in media_folders.IMAGES.others:
            others.append(path)
    if not pictures:
        # As every verb takes a folder of videos, with what it says of those that are not taken.
        return manifest.expand([folder]), None
    if films:
        both = counted(len(pictures), "image"), counted(len(films), "video")
        LOG.warning("NOTE %s: %s and %s taken", folder, *both)
    if drawn:
        LOG.warning("NOTE %s: not taken: %s", folder, media_folders.with_drawings(drawn))
    # Many cameras write a raw file beside each JPEG: there nothing is left out.
    taken = {_without_suffix(path) for path in pictures}
    if left := [path for path in others if _without_suffix(path) not in taken]:
        LOG.warning("NOTE %s: %s", folder, media_folders.unreadable(left, media_folders.IMAGES))
    return films, pictures


def _walked(folder: str, whole: str, leave: str) -> Iterator[tuple[str, int]]:
    """All files of a folder and their bytes; says which of its folders are a system's, and which
    links may have led to folders."""
    kept: list[str] = []
    lost: list[str] = []

    def enters(inner: str) -> bool:
        if system_folders.is_one(inner):
            kept.append(inner)
            return False
        return True

    for path, size in folder_walks.walk(whole, enters):
        if not (leave and f"{path}/".startswith(f"{leave.rstrip('/')}/")):
            yield path, size
            if not size and not files.suffix(path) and placeholders.lost_link(path):
                lost.append(path)
    if lost:
        LOG.warning("NOTE %s: %s", folder, _leads_nowhere(lost, whole))
    if kept:
        said = system_folders.left_out(sorted(kept), whole)
        LOG.warning("NOTE %s: %s: name one if you want what it holds", folder, said)


def _leads_nowhere(lost: list[str], whole: str) -> str:
    """Of links that might be folders of images."""
    one, more = lost[0], f", and {len(lost) - 1} more" if lost[1:] else ""
    return f"not taken: {one[len(whole) + 1 :]}, which {placeholders.lost_link(one)}{more}"


def _without_suffix(path: str) -> str:
    return path[: len(path) - len(files.suffix(path))]


def _loose(sizes: dict[str, int]) -> StillSet:
    if len(sizes) == 1:
        (path,) = sizes
        return _set(path, files.stem(path), files.parent(path), sizes)
    root = _common(list(sizes))
    return _set(files.join(root, "*"), files.name(root) or "images", root, sizes)


def _set(path: str, name: str, root: str, sizes: dict[str, int]) -> StillSet:
    start = len(root.rstrip("/")) + 1 if root else 0
    order = sorted(sizes) if files.is_folder(path) else list(sizes)
    return StillSet(path, name, root, {one[start:]: sizes[one] for one in order})


def _name(path: str) -> str:
    """What results of a folder or a list are called."""
    return files.name(path) if files.is_folder(path) else files.stem(path)


def _is_picture(path: str) -> bool:
    if files.suffix(path) in images.SUFFIXES:
        return not tiff_stacks.is_stack(path)
    return gifs.is_photo(path)


def _is_list(path: str) -> bool:
    return files.suffix(path) in manifest.LISTS and files.exists(path)


def _common(paths: Sequence[str]) -> str:
    """The folder that all lie in; empty if they have none in common."""
    shared = files.parent(paths[0]).split("/")
    for path in paths[1:]:
        other = files.parent(path).split("/")
        same = 0
        while same < min(len(shared), len(other)) and shared[same] == other[same]:
            same += 1
        shared = shared[:same]
    found = "/".join(shared)
    return "" if found in ("", "gs:", "gs:/", "s3:/") else found


def _held(one: StillSet) -> tuple[str, dict[str, str]]:
    """Fingerprint of a set, and those of its images that can be used, by name."""
    there = {name: size for name, size in one.sizes.items() if size and not texts.unnameable(name)}
    code, each = fingerprints.of_set_and_each(one.root, there.items())
    return code, dict(zip(there, each, strict=True))


def _lost(one: StillSet, name: str) -> str:
    """Why an image without a byte cannot be used."""
    path = files.join(one.root, name) if one.root else name
    return placeholders.lost_link(path) or "is not there, or is empty"


def lies_there(path: str, leave: str = "") -> str:
    """Fingerprint of the set of images that a path means now; empty if it means none.

    Args:
      leave: as of `expand`.
    """
    try:
        found = [one for one in expand([path], leave).sets if one.path == files.absolute(path)]
        return fingerprint(found[0]) if found else ""
    except (OSError, ValueError):
        return ""


def fingerprint(one: StillSet) -> str:
    """Hex digits of the names and contents of a set's images.

    Raises:
      OSError: an image cannot be read.
    """
    return _held(one)[0]


def write(
    one: StillSet, folder: str, boxes: FindBoxes | None = None, recall: Recall | None = None
) -> Stills:
    """Lists the images of a set in a folder, with their boxes.

    Args:
      boxes: what a detector found in images; None where nobody asked one.
      recall: finds images in earlier results; None where all are new.

    Raises:
      OSError, ValueError: an image or the boxes cannot be read; of an image that is not there it
        is its own failure.
    """
    # Tables cannot hold a name in no encoding: it is shown as it is printed.
    wrong = {name: why for name in one.sizes if (why := texts.unnameable(name))}
    code, codes = _held(one)
    every = [
        Still(texts.printable(name), 0, None, wrong[name])
        if name in wrong
        else Still(name, size, None, "" if size else _lost(one, name), codes.get(name, ""))
        for name, size in one.sizes.items()
    ]
    if boxes is not None:
        found = boxes(one.path, one.root, [still.name for still in every])
        every = [
            still._replace(boxes=own, failure=still.failure or why, code=_with(still.code, own))
            for still, (own, why) in zip(every, found, strict=True)
        ]
    recalled = recall(one.path, every) if recall else Recalled(every)
    # Folders of the same images have boxes and earlier results of their own.
    own = storage.digest([one.path, code])[:32]
    listing = str(storage.place(folder, WORK, f"{own}.jsonl"))
    stills.write(listing, recalled.images)
    total, (_, earlier, owns) = sum(still.bytes for still in every), recalled
    return Stills(one.path, one.name, one.root, len(every), code, listing, total, earlier, owns)


def _with(code: str, boxes: tuple[Box, ...] | None) -> str:
    """The code of an image and of its boxes."""
    return code if boxes is None else storage.digest([code, boxes])[: len(code)]


def write_all(
    sets: Sequence[StillSet],
    folder: str,
    boxes: FindBoxes | None = None,
    recall: Recall | None = None,
) -> tuple[list[Stills], dict[str, str]]:
    """`write` of all sets, and why one cannot be used, by path; that one is empty."""
    found, wrong = [], {}
    for one in sets:
        try:
            found.append(write(one, folder, boxes, recall))
        except (OSError, ValueError) as error:
            wrong[one.path] = files.why(error)
            found.append(Stills(one.path, one.name, one.root, len(one.sizes)))
    return found, wrong
