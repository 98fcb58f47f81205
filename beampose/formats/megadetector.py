"""MegaDetector's JSON, format 1.6, which Timelapse and AddaxAI open; reads SpeciesNet's, too.

https://lila.science/megadetector-output-format
"""

import contextlib
import functools
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import __version__, files, json_files, storage
from beampose.formats import spreadsheets
from beampose.formats.detection_table import BoxRow, Detections

VERSION = "1.6"
ANIMAL = "1"
# Of what SpeciesNet says of an image, not of a box in it.
_WHOLE_IMAGE = "0"
# Digits of coordinates and confidences: a pixel of a frame of 10,000.
DIGITS = 4
# Between the head of a file and its entries, a line each.
_BEGIN = ', "images": ['
# Letters of a detection that an error shows.
_SHOWN = 300
# What becomes of several entries of a film or an image.
ALL_TAKEN = "the boxes of all are taken, the same box once"
# By how much of the frame boxes go beyond it, and confidences beyond 1, where they were rounded.
_ROUNDED = 0.01
_FRAME_NAME = re.compile(r"frame_?([0-9]+)\.(?:jpe?g|png)$", re.IGNORECASE)


def entry(
    found: Detections, *, video: str, size: tuple[int, int], fps: float, frames: np.ndarray
) -> dict[str, Any]:
    """A video and its detections.

    Args:
      size: height and width of a frame.
      frames: int64, the analysed frames that could be decoded.
    """
    return {
        "file": video,
        "frame_rate": fps,
        "frames_processed": frames.tolist(),
        "detections": [
            {**one, "frame_number": frame}
            for one, frame in zip(detections(found, *size), found.frames.tolist(), strict=True)
        ],
    }


def detections(found: Detections, height: int, width: int) -> list[dict[str, Any]]:
    """Boxes with their classes, the likeliest first.

    Args:
      height, width: of the frame or image.
    """
    shares = found.places / np.array([width, height, width, height])
    confidence = found.confidence
    said = []
    for i in range(len(found.frames)):
        order = np.argsort(-found.scores[i], kind="stable")
        classes = [[str(k), round(float(found.scores[i, k]), DIGITS)] for k in order.tolist()]
        said.append(
            {
                "category": ANIMAL,
                # A whole number would not be a confidence to their validator.
                "conf": round(float(confidence[i]), DIGITS),
                "bbox": [round(float(v), DIGITS) for v in shares[i]],
                "classifications": classes,
            }
        )
    return said


def failed(video: str, why: str) -> dict[str, Any]:
    """A video that could not be processed."""
    return {
        "file": video,
        # Required of videos, also of those that nothing is known of.
        "frame_rate": -1,
        "frames_processed": [],
        "failure": why,
        "detections": None,
    }


def header(classes: Sequence[str], detector: str) -> dict[str, Any]:
    """All of a file but its images.

    It says no time, so that a repeated run writes the same bytes.

    Args:
      detector: what the boxes come from.
    """
    return {
        "info": {
            "format_version": VERSION,
            "detector": detector,
            "classifier": f"beampose {__version__}",
        },
        "detection_categories": {ANIMAL: "animal"},
        "classification_categories": {str(i): name for i, name in enumerate(classes)},
    }


def write(file: storage.Address, head: dict[str, Any], images: Iterable[dict[str, Any]]) -> None:
    """Writes a file, an entry a line, one in memory at a time; completely or not at all."""
    with storage.replacing(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(head)[:-1] + _BEGIN)
        between = "\n"
        for image in images:
            stream.write(between + json.dumps(image))
            between = ",\n"
        stream.write("\n]}\n")


def join(
    file: storage.Address,
    head: dict[str, Any],
    parts: Sequence[storage.Address],
    failures: Sequence[tuple[str, str]],
) -> None:
    """One file of the files of several videos and sets of images, relative to the folder of all.

    One entry is in memory at a time.

    Args:
      failures: paths of videos, and why they failed.
    """
    folders = {files.parent(image["file"]) for part in parts for image in own_entries(part)}
    folders |= {files.parent(path) for path, _ in failures}
    base = common_folder(sorted(folders))

    def every() -> Iterator[dict[str, Any]]:
        for part in parts:
            for image in own_entries(part):
                yield {**image, "file": relative(image["file"], base)}
        yield from (failed(relative(path, base), why) for path, why in failures)

    write(file, head, every())


def own_part(file: storage.Address) -> dict[str, Any]:
    """The only entry of a video's own file, as `write` wrote it.

    Raises:
      ValueError: it is another file.
    """
    for image in own_entries(file):
        return json_files.checked(image, file, "file", "frames_processed")
    raise ValueError(f"{file} lists no video.")


def own_entries(file: storage.Address) -> Iterator[dict[str, Any]]:
    """The entries of a file that `write` wrote, one in memory at a time.

    Raises:
      ValueError: it is another file.
    """
    with storage.place(file).open("r", encoding="utf-8") as stream:
        if not next(stream, "").endswith(_BEGIN + "\n"):
            # As versions before wrote it: on one line.
            yield from storage.read_json(file, "images")["images"]
            return
        for line in stream:
            if line.startswith("{"):
                value = json_files.parse(line.rstrip().removesuffix(","), str(file))
                yield json_files.checked(value, file, "file")


def common_folder(every: Sequence[str]) -> str:
    """The folder that all folders are or lie in; nothing if there is none."""
    folders = [one.split("/") for one in every]
    common = [parts[0] for parts in zip(*folders, strict=False) if len(set(parts)) == 1]
    agree = [len(set(parts)) == 1 for parts in zip(*folders, strict=False)]
    length = agree.index(False) if False in agree else len(agree)
    return "/".join(common[:length])


def relative(path: str, base: str) -> str:
    return path.removeprefix(base.rstrip("/") + "/") if base else path


def read(path: str, video: str) -> tuple[list[BoxRow], str]:
    """The boxes of a video, and a remark if several entries of it were joined.

    Entries of other films, and of photos, are not looked into.

    Raises:
      ValueError: as `entry_of`, or the entry says that the video failed, or cannot be read.
    """
    name, _ = entry_of(path, video)
    categories, entries = contents(path, files.stamp(path))
    rows: list[BoxRow] = []
    failures = []
    seen: list[int | None] = []
    for image in entries[name]:
        if image.value.get("failure"):
            failures.append(str(image.value["failure"]))
            continue
        where = f"{path}: images[{image.number}]"
        detections = detections_of(image.value, where)
        rows += (box_row(detection, image.frame, categories, where) for detection in detections)
        seen.append(image.frame)
    if failures and not seen:
        raise ValueError(f"{path} says that {files.name(video)} failed: {failures[0]}.")
    # Entries of single frames are one each; one without a frame is of the whole film.
    if len(seen) == (1 if None in seen else len(set(seen))):
        return rows, ""
    return list(once(rows)), f"has several entries in {files.name(path)}: {ALL_TAKEN}"


def once(rows: Iterable[BoxRow]) -> Iterator[BoxRow]:
    """Each frame, place and category once, with its highest confidence: entries may be copies."""
    surest: dict[tuple, BoxRow] = {}
    for row in rows:
        key = (*row[:5], row[6])
        surest[key] = max(row, surest.get(key, row), key=lambda one: one[5])
    yield from surest.values()


def entry_of(path: str, video: str) -> tuple[str, int]:
    """The entry of a file whose path agrees with a video's the longest, and in how many parts.

    Raises:
      ValueError: the file is not MegaDetector's, or does not name the video, or several may be it.
    """
    entries = contents(path, files.stamp(path)).entries
    parts = folded(video).split("/")

    def agreement(name: str) -> int:
        other = folded(name).split("/")
        count = 0
        for one, two in zip(reversed(parts), reversed(other), strict=False):
            if one != two:
                break
            count += 1
        return count

    ranked = sorted(((agreement(name), name) for name in entries), reverse=True)
    if not ranked or not ranked[0][0]:
        raise ValueError(f"{path} holds no results of a video named {files.name(video)}.")
    if len(ranked) > 1 and ranked[1][0] == ranked[0][0]:
        raise ValueError(
            f"{path} holds several videos that may be {video}: {ranked[0][1]} and {ranked[1][1]}. "
            "Keep the folders of the videos as they were, or give a file for each."
        )
    agreed, name = ranked[0]
    return name, agreed


def folded(path: str) -> str:
    """A path written on any system as it compares with others: neither the case of letters counts,
    nor whether accents are composed with them, as macOS does not."""
    return unicodedata.normalize("NFC", path.replace("\\", "/").lower())


class OtherNumbers(ValueError):
    """Boxes or confidences that were written by another rule, which those beside them were, too."""


class Entry(NamedTuple):
    """An entry: its place in the list, and its frame where it is a frame of a film."""

    number: int
    value: dict[str, Any]
    frame: int | None


class Contents(NamedTuple):
    """Names of categories, and the entries of a file by the film or photo they are of."""

    categories: dict[str, str]
    entries: dict[str, list[Entry]]


@functools.lru_cache(maxsize=4)
def contents(path: str, stamp: tuple[int, str]) -> Contents:
    """What a file holds; kept, since every range of every video asks.

    Args:
      stamp: see `files.stamp`.
    """
    values = json_files.parse(files.read_bytes(path), path)
    try:
        if "predictions" in values:
            values = _of_speciesnet(values["predictions"], path)
        names = {str(k): str(v) for k, v in values["detection_categories"].items()}
        images = list(values["images"])
    except (TypeError, KeyError, AttributeError):
        raise ValueError(
            f"{path} is not MegaDetector's JSON: it needs images and detection_categories."
        ) from None
    found: dict[str, list[Entry]] = {}
    for number, image in enumerate(images):
        if not isinstance(image, dict) or not isinstance(image.get("file"), str):
            raise ValueError(f"{path}: images[{number}] must name its file.")
        try:
            name, frame = _video_and_frame(image["file"])
        except ValueError as error:
            raise ValueError(f"{path}: images[{number}]: {error}.") from None
        found.setdefault(name, []).append(Entry(number, image, frame))
    return Contents(names, found)


def _of_speciesnet(predictions: list[dict[str, Any]], path: str) -> dict[str, Any]:
    """What SpeciesNet's `run_model` writes, as MegaDetector has it."""
    names, images, whole = {}, [], False
    for one in predictions:
        every = one.get("detections") or []
        own = [found for found in every if str(found["category"]) != _WHOLE_IMAGE]
        whole = whole or len(own) < len(every)
        names |= {str(found["category"]): found["label"] for found in own}
        failures = [str(name) for name in one.get("failures") or []]
        lost = "DETECTOR" in failures or (failures and not every)
        unseen = one.get("detections") is None
        image = {"file": one["filepath"], "detections": None if unseen else own}
        images.append({**image, "failure": ", ".join(failures)} if lost else image)
    if whole and not names:
        raise ValueError(
            f"{path} holds SpeciesNet's classes of whole images, and no boxes: run its detector, "
            "too (without --classifier_only)."
        )
    return {"detection_categories": names, "images": images}


def _video_and_frame(name: str) -> tuple[str, int | None]:
    """The video of an entry; the frame too where the entry is a frame inside a video's folder."""
    frame = _FRAME_NAME.search(name.replace("\\", "/"))
    return (files.parent(name), _frame_number(frame.group(1))) if frame else (name, None)


def _frame_number(value: Any) -> int:
    """A frame, which some programs write as text or with a point."""
    with contextlib.suppress(ValueError):
        if (found := spreadsheets.whole(value)) >= 0:
            return found
    image = (
        " (it has none, as in an image; MegaDetector takes an animated GIF for its first picture: "
        "save that as a PNG)"
    )
    raise ValueError(
        f"frame_number must be a whole number from 0 on{image if value is None else ''}"
    )


def detections_of(value: dict[str, Any], where: str) -> list[Any]:
    """The detections of an entry that says no failure.

    Raises:
      ValueError: it has none. An empty list says that nothing was found; without any nobody looked.
    """
    found = value.get("detections")
    if found is None:
        raise ValueError(
            f"{where} has neither detections nor a failure: run the detector on it again."
        )
    if not isinstance(found, list):
        raise ValueError(f"{where}: detections must be a list. Received: {found!r}.")
    return found


def box_row(detection: Any, frame: int | None, names: dict[str, str], where: str) -> BoxRow:
    """A box of an entry.

    Raises:
      OtherNumbers: what it holds is no x, y, width, height, or no confidence from 0 to 1.
      ValueError: it cannot be read.
    """
    try:
        if not isinstance(detection, dict):
            raise ValueError("it must have bbox, category and conf")
        x, y, width, height = _places(detection["bbox"])
        number = detection.get("frame_number") if frame is None else frame
        number = _frame_number(number)
        if not all(-_ROUNDED <= v <= 1 + _ROUNDED for v in (x, y, width, height)):
            # DeepMeerkat 3 writes pixels here, rounded from shares: nothing can be made of them.
            raise ValueError("bbox must be fractions of the frame, from 0 to 1")
        category = str(detection["category"])
        score = _number(detection["conf"], "conf")
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        told = repr(detection)[:_SHOWN]
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{where}: a detection cannot be read, {why}: {told}.") from None
    if other := _other_numbers(x + width, y + height, score):
        raise OtherNumbers(f"{where}: {other}: {repr(detection)[:_SHOWN]}.")
    return number, x, y, width, height, score, names.get(category, category)


def _other_numbers(right: float, bottom: float, score: float) -> str:
    """What is wrong with where a box ends, or with its confidence, and what to do; "" if nothing.

    Such a box would be cut at the edge of the frame, and those of the same file that lie inside it
    would be used though they are wrong. Confidences below 0 are those of boxes that a person took
    away with MegaDetector's tools for repeated detections.
    """
    if max(right, bottom) > 1 + _ROUNDED:
        return (
            "a box goes beyond the frame, which looks like x1, y1, x2, y2; bbox must be x, y, "
            "width, height, as shares of the frame: convert the boxes of the file"
        )
    if score > 1 + _ROUNDED:
        return (
            "a confidence is above 1 (percent?); conf must be from 0 to 1: divide those of the file"
        )
    return ""


def _places(value: Any) -> list[float]:
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("bbox must be a list of x, y, width and height")
    return [_number(one, "every value of bbox") for one in value]


def _number(value: Any, what: str) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    # As programs write what they could not compute; no threshold holds it back.
    if not math.isfinite(found):
        raise ValueError(f"{what} must be a number")
    return found
