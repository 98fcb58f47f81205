"""MegaDetector's JSON, format 1.6, which Timelapse and AddaxAI open.

https://lila.science/megadetector-output-format
"""

import contextlib
import functools
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import __version__, files, json_files, storage
from beampose.formats import spreadsheets
from beampose.formats.detection_table import BoxRow, Detections

VERSION = "1.6"
ANIMAL = "1"
# Digits of coordinates and confidences: a pixel of a frame of 10,000.
DIGITS = 4
# Letters of a detection that an error shows.
_SHOWN = 300
_FRAME_NAME = re.compile(r"frame_?(\d+)\.(?:jpe?g|png)$", re.IGNORECASE)


def entry(
    found: Detections, *, video: str, size: tuple[int, int], fps: float, frames: np.ndarray
) -> dict[str, Any]:
    """A video and its detections.

    Args:
      size: height and width of a frame.
      frames: int64, the analysed frames that could be decoded.
    """
    height, width = size
    shares = found.places / np.array([width, height, width, height])
    confidence = found.confidence
    detections = []
    for i, frame in enumerate(found.frames.tolist()):
        order = np.argsort(-found.scores[i], kind="stable")
        detections.append(
            {
                "category": ANIMAL,
                # A whole number would not be a confidence to their validator.
                "conf": round(float(confidence[i]), DIGITS),
                "bbox": [round(float(v), DIGITS) for v in shares[i]],
                "frame_number": frame,
                "classifications": [
                    [str(k), round(float(found.scores[i, k]), DIGITS)] for k in order.tolist()
                ],
            }
        )
    return {
        "file": video,
        "frame_rate": fps,
        "frames_processed": frames.tolist(),
        "detections": detections,
    }


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


def write(file: storage.Address, head: dict[str, Any], images: Sequence[dict[str, Any]]) -> None:
    storage.write_text(file, json.dumps({**head, "images": list(images)}) + "\n")


def join(
    file: storage.Address,
    head: dict[str, Any],
    parts: Sequence[storage.Address],
    failures: Sequence[tuple[str, str]],
) -> None:
    """One file of the files of several videos, their names relative to the folder of all.

    One part is in memory at a time.

    Args:
      failures: paths of videos, and why they failed.
    """
    names = [_images(part)[0]["file"] for part in parts]
    base = common_folder([*names, *(path for path, _ in failures)])
    with storage.replacing(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(head)[:-1] + ', "images": [')
        between = "\n"
        for part in parts:
            for image in _images(part):
                image["file"] = relative(image["file"], base)
                stream.write(between + json.dumps(image))
                between = ",\n"
        for path, why in failures:
            stream.write(between + json.dumps(failed(relative(path, base), why)))
            between = ",\n"
        stream.write("\n]}\n")


def own_part(file: storage.Address) -> dict[str, Any]:
    """The only entry of a video's own file, as `write` wrote it.

    Raises:
      ValueError: it is another file.
    """
    return _images(file)[0]


def _images(file: storage.Address) -> list[dict[str, Any]]:
    images = storage.read_json(file, "images")["images"]
    needed = ("file", "frames_processed")
    if not isinstance(images, list) or not images:
        raise ValueError(f"{file} lists no video.")
    return [json_files.checked(one, file, *needed) for one in images]


def common_folder(paths: Sequence[str]) -> str:
    """The folder that all paths lie in; nothing if there is none."""
    folders = [files.parent(path).split("/") for path in paths]
    common = [parts[0] for parts in zip(*folders, strict=False) if len(set(parts)) == 1]
    agree = [len(set(parts)) == 1 for parts in zip(*folders, strict=False)]
    length = agree.index(False) if False in agree else len(agree)
    return "/".join(common[:length])


def relative(path: str, base: str) -> str:
    return path.removeprefix(base.rstrip("/") + "/") if base else path


def read(path: str, video: str) -> list[BoxRow]:
    """The boxes of a video. Entries of other films, and of photos, are not looked into.

    Raises:
      ValueError: as `entry_of`, or the entry says that the video failed, or cannot be read.
    """
    name, _ = entry_of(path, video)
    categories, entries = _contents(path, files.size(path))
    rows: list[BoxRow] = []
    failures = []
    for image in entries[name]:
        if image.value.get("failure"):
            failures.append(str(image.value["failure"]))
            continue
        where = f"{path}: images[{image.number}]"
        detections = image.value.get("detections") or []
        if not isinstance(detections, list):
            raise ValueError(f"{where}: detections must be a list. Received: {detections!r}.")
        rows += (_row(detection, image.frame, categories, where) for detection in detections)
    if failures and len(failures) == len(entries[name]):
        raise ValueError(f"{path} says that {files.name(video)} failed: {failures[0]}.")
    return rows


def entry_of(path: str, video: str) -> tuple[str, int]:
    """The entry of a file whose path agrees with a video's the longest, and in how many parts.

    Raises:
      ValueError: the file is not MegaDetector's, or does not name the video, or several may be it.
    """
    entries = _contents(path, files.size(path)).entries
    parts = video.replace("\\", "/").lower().split("/")

    def agreement(name: str) -> int:
        other = name.replace("\\", "/").lower().split("/")
        count = 0
        for one, two in zip(reversed(parts), reversed(other), strict=False):
            if one != two:
                break
            count += 1
        return count

    ranked = sorted(((agreement(name), name) for name in entries), reverse=True)
    if not ranked or not ranked[0][0]:
        raise ValueError(f"{path} holds no results of a video named {parts[-1]}.")
    if len(ranked) > 1 and ranked[1][0] == ranked[0][0]:
        raise ValueError(
            f"{path} holds several videos that may be {video}: {ranked[0][1]} and {ranked[1][1]}. "
            "Keep the folders of the videos as they were, or give a file for each."
        )
    agreed, name = ranked[0]
    return name, agreed


class _Image(NamedTuple):
    """An entry: its place in the list, and its frame where it is a frame of a film."""

    number: int
    value: dict[str, Any]
    frame: int | None


class _Contents(NamedTuple):
    """Names of categories, and the entries of a file by the film or photo they are of."""

    categories: dict[str, str]
    entries: dict[str, list[_Image]]


@functools.lru_cache(maxsize=4)
def _contents(path: str, size: int) -> _Contents:
    """Kept, since every range of every video asks.

    Args:
      size: bytes of the file; another size is another file.
    """
    values = json_files.parse(files.read_bytes(path), path)
    try:
        names = {str(k): str(v) for k, v in values["detection_categories"].items()}
        images = list(values["images"])
    except (TypeError, KeyError, AttributeError):
        raise ValueError(
            f"{path} is not MegaDetector's JSON: it needs images and detection_categories."
        ) from None
    found: dict[str, list[_Image]] = {}
    for number, image in enumerate(images):
        if not isinstance(image, dict) or not isinstance(image.get("file"), str):
            raise ValueError(f"{path}: images[{number}] must name its file.")
        try:
            name, frame = _video_and_frame(image["file"])
        except ValueError as error:
            raise ValueError(f"{path}: images[{number}]: {error}.") from None
        found.setdefault(name, []).append(_Image(number, image, frame))
    return _Contents(names, found)


def _video_and_frame(name: str) -> tuple[str, int | None]:
    """The video of an entry; the frame too where the entry is a frame inside a video's folder."""
    frame = _FRAME_NAME.search(name.replace("\\", "/"))
    return (files.parent(name), _frame_number(frame.group(1))) if frame else (name, None)


def _frame_number(value: Any) -> int:
    """A frame, which some programs write as text or with a point."""
    with contextlib.suppress(ValueError):
        if (found := spreadsheets.whole(value)) >= 0:
            return found
    raise ValueError("frame_number must be a whole number from 0 on")


def _row(detection: Any, frame: int | None, names: dict[str, str], where: str) -> BoxRow:
    try:
        x, y, width, height = (float(v) for v in detection["bbox"])
        number = detection.get("frame_number") if frame is None else frame
        number = _frame_number(number)
        if not all(-0.01 <= v <= 1.01 for v in (x, y, width, height)):
            # DeepMeerkat 3 writes pixels here, rounded from shares: nothing can be made of them.
            raise ValueError("bbox must be fractions of the frame, from 0 to 1")
        category = str(detection["category"])
        score = float(detection["conf"])
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        told = repr(detection)[:_SHOWN]
        raise ValueError(f"{where}: a detection cannot be read, {error}: {told}.") from None
    return number, x, y, width, height, score, names.get(category, category)
