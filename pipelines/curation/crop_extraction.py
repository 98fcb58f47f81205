"""Videos to crops ready to be sorted into Positive and Negative; needs no TensorFlow.

Crops of a range of frames are done when its rows are there, so that a killed run continues
and crops that have been moved are not made again.
"""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import files, storage
from beampose.pipelines import manifest
from beampose.pipelines.manifest import Range, Sample
from beampose.pipelines.predict.candidates import Candidates
from beampose.pipelines.predict.frame_reader import split
from beampose.preprocess import images
from beampose.preprocess.cut import RULE_FILE, Rule
from beampose.preprocess.videos import Video

LIST = "origin.csv"
WORK = ".extracted"
COLUMNS = ("crop", "video", "frame", "box", "x", "y", "width", "height", "detector")
# Decoded frames ahead of the search.
AHEAD = 16


class Extraction(NamedTuple):
    """Settings for cutting crops out of videos.

    Attributes:
      folder: where crops go.
      candidates: what finds boxes.
      rule: how a crop is cut around a box.
      sample: of the frames to analyse.
      chunk: frames between two points at which a killed run continues.
    """

    folder: str
    candidates: Candidates
    rule: Rule
    sample: Sample
    chunk: int

    def settings(self) -> dict[str, Any]:
        return {
            **self.rule._asdict(),
            **{f"sample_{name}": value for name, value in self.sample._asdict().items()},
            **self.candidates.describe(),
            "chunk": self.chunk,
        }


class Extracted(NamedTuple):
    """Crops by video, and failures (path, reason)."""

    crops: dict[str, int]
    failures: list[tuple[str, str]]


def run(wanted: Extraction, paths: Sequence[str], progress: Callable[..., Iterable]) -> Extracted:
    """Writes crops `<video>_<frame>_<box>.jpg`, `origin.csv` and the rule, `crops.json`.

    Raises:
      OSError, ValueError: no such videos, or the folder holds crops by other settings.
    """
    _claim(wanted)
    crops: dict[str, int] = {}
    failures: list[tuple[str, str]] = []
    for name, path in manifest.named(manifest.expand(paths)):
        flat = name.replace("/", "-")
        try:
            video = manifest.index(path)
            wanted.candidates.check(video)
            frames = manifest.chosen(video, wanted.sample)
            if not len(frames):
                raise ValueError(f"{path}: no frame is chosen.")
            lead = wanted.candidates.lead
            stretches = manifest.stretches(flat, video, frames, wanted.chunk, lead)
            for stretch in progress(stretches, len(stretches), flat):
                _extract(wanted, stretch)
            crops[path] = sum(len(_rows(_done(wanted, part))) for s in stretches for part in s)
        except (ValueError, OSError) as error:
            failures.append((path, str(error)))
    _write_list(wanted)
    return Extracted(crops, failures)


def _claim(wanted: Extraction) -> None:
    file = storage.place(wanted.folder, RULE_FILE)
    settings = json.loads(json.dumps(wanted.settings()))
    if file.is_file() and storage.read_json(file) != settings:
        raise ValueError(
            f"{wanted.folder} holds crops that were cut with other settings ({file}). Give another "
            "folder, or the same settings."
        )
    storage.write_json(file, settings)


def _extract(wanted: Extraction, stretch: Sequence[Range]) -> None:
    todo = [part for part in stretch if not _done(wanted, part).is_file()]
    if not todo:
        return
    for part, frames in split(todo, wanted.candidates.lead, AHEAD):
        find, chosen, rows = wanted.candidates.of(part.video), set(part.frames), []
        for frame in frames:
            if frame.pixels is None:
                continue
            places, sure = find(frame.index, frame.pixels)
            if frame.index in chosen:
                rows += _write_crops(wanted, part, frame.index, frame.pixels, (places, sure))
        _write_rows(_done(wanted, part), rows)


def _write_crops(
    wanted: Extraction,
    part: Range,
    number: int,
    pixels: np.ndarray,
    found: tuple[np.ndarray, np.ndarray],
) -> list[tuple]:
    rows = []
    for box, (place, sure) in enumerate(zip(*found, strict=True)):
        name = f"{part.name}_{number}_{box}.jpg"
        crop = wanted.rule.cut(pixels, tuple(place.tolist()))
        storage.write_bytes(
            storage.place(wanted.folder, name),
            images.encode_jpeg(np.ascontiguousarray(crop), quality=95),
        )
        said = "" if np.isnan(sure) else f"{sure:.4f}"
        rows.append((name, part.video.path, number, box, *place.tolist(), said))
    return rows


def _done(wanted: Extraction, part: Range) -> UPath:
    """The rows of a range; of another video or file of boxes it is another file."""
    video: Video = part.video
    identity = [
        video.path,
        files.size(video.path),
        video.count,
        wanted.candidates.digest(video.path),
    ]
    code = storage.digest(identity)[:12]
    name = f"{part.name}-{code}-{part.start:09d}.csv"
    return storage.place(wanted.folder, WORK, name)


def _write_rows(file: UPath, rows: Iterable[Sequence]) -> None:
    with (
        storage.replacing(file) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _rows(file: UPath) -> list[list[str]]:
    return list(csv.reader(file.read_text(encoding="utf-8").splitlines()))


def _write_list(wanted: Extraction) -> None:
    """All rows of the folder, those of earlier runs too, a range in memory at a time."""

    def rows() -> Iterable[Sequence]:
        yield COLUMNS
        for file in storage.whole(storage.place(wanted.folder, WORK), "*.csv"):
            yield from _rows(file)

    _write_rows(storage.place(wanted.folder, LIST), rows())
