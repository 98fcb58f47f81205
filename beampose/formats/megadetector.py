"""MegaDetector's JSON, format 1.6, which Timelapse and AddaxAI open.

https://lila.science/megadetector-output-format
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from beampose.core import __version__, files, storage
from beampose.formats.detection_table import Detections

VERSION = "1.6"
ANIMAL = "1"
# Digits of coordinates and confidences: a pixel of a frame of 10,000.
DIGITS = 4


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
    names = [storage.read_json(part)["images"][0]["file"] for part in parts]
    base = common_folder([*names, *(path for path, _ in failures)])
    with storage.replacing(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(head)[:-1] + ', "images": [')
        between = "\n"
        for part in parts:
            for image in storage.read_json(part)["images"]:
                image["file"] = relative(image["file"], base)
                stream.write(between + json.dumps(image))
                between = ",\n"
        for path, why in failures:
            stream.write(between + json.dumps(failed(relative(path, base), why)))
            between = ",\n"
        stream.write("\n]}\n")


def common_folder(paths: Sequence[str]) -> str:
    """The folder that all paths lie in; nothing if there is none."""
    folders = [files.parent(path).split("/") for path in paths]
    common = [parts[0] for parts in zip(*folders, strict=False) if len(set(parts)) == 1]
    agree = [len(set(parts)) == 1 for parts in zip(*folders, strict=False)]
    length = agree.index(False) if False in agree else len(agree)
    return "/".join(common[:length])


def relative(path: str, base: str) -> str:
    return path.removeprefix(base.rstrip("/") + "/") if base else path
