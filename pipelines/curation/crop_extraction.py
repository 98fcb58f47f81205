"""Videos to crops ready to be sorted into Positive and Negative; needs no TensorFlow.

Crops of a range of frames are done when its rows are there, so that a killed run continues
and crops that have been moved are not made again.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import artefacts, csv_cells, files, storage
from beampose.core.wording import counted
from beampose.pipelines import film_names, manifest, still_sets
from beampose.pipelines.film_names import Film, Owner
from beampose.pipelines.manifest import Range, Sample
from beampose.pipelines.predict.candidates import Candidates
from beampose.pipelines.predict.frame_reader import split
from beampose.preprocess import images, stills
from beampose.preprocess.cut import RULE_FILE, Rule
from beampose.preprocess.split import video_of_crop
from beampose.preprocess.stills import Stills

LIST = "origin.csv"
WORK = ".extracted"
COLUMNS = (
    *("crop", "video", "frame", "box", "x", "y", "width", "height", "detector"),
    "video_fingerprint",
)
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
    sources = still_sets.expand(paths, wanted.folder)
    work = str(storage.place(wanted.folder, WORK))
    sets, unsure = still_sets.write_all(sources.sets, work, wanted.candidates.of_stills())
    films = film_names.assign([*sources.videos, *sets], CropFilms(wanted.folder))
    unsure |= wanted.candidates.unsure([film.path for film in films if film.stills is None])
    for film in films:
        try:
            if film.path in unsure:
                raise ValueError(unsure[film.path])
            if film.stills is None:
                crops[film.path], lost = _film(wanted, film, progress)
            else:
                crops[film.path], lost = _stills(wanted, film, film.stills, progress)
            failures += lost
        except (ValueError, OSError) as error:
            failures.append((film.path, files.why(error)))
    _write_list(wanted)
    storage.remove(storage.place(work, still_sets.WORK))
    return Extracted(crops, failures)


class CropFilms:
    """Names in a folder of crops; see `film_names.Known`.

    Which film they are of lies beside the rows of its ranges; before November 2026 only the paths
    in `origin.csv` said so.
    """

    def __init__(self, folder: str):
        self._work = storage.place(folder, WORK)
        self._before: dict[str, set[str]] = {}
        list_ = storage.place(folder, LIST)
        for row in _rows(list_) if list_.is_file() else ():
            if len(row) > 1 and row[0] != COLUMNS[0]:
                self._before.setdefault(video_of_crop(row[0]), set()).add(row[1])

    def owners(self, name: str) -> list[Owner]:
        before = sorted(self._before.get(name, ()))
        return film_names.recorded(self._work / name) or [Owner(p, by_path=True) for p in before]

    def names(self, path: str) -> list[str]:
        stem = files.stem(path)
        # Films of one name in one call were called after their paths before November 2026.
        code = hashlib.sha256(os.fsencode(path)).hexdigest()[:6]
        suffixed = re.compile(rf"{re.escape(stem)}-[0-9a-f]{{8,32}}")
        there = [one.name for one in self._work.iterdir()] if self._work.is_dir() else []
        before = f"{files.name(files.parent(path))}-{code}-{stem}"
        return [stem, before, *filter(suffixed.fullmatch, there)]

    def everything(self) -> Iterator[tuple[str, Owner]]:
        for one in self._work.iterdir() if self._work.is_dir() else ():
            if one.is_dir():
                yield from ((one.name, owner) for owner in film_names.recorded(one))


def _film(
    wanted: Extraction, film: Film, progress: Callable[..., Iterable]
) -> tuple[int, list[tuple[str, str]]]:
    """How many crops a film gives, and how many of its frames cannot be used."""
    video = manifest.index(film.path)
    wanted.candidates.check(video)
    frames = manifest.chosen(video, wanted.sample)
    if not len(frames):
        raise ValueError(f"{film.path}: no frame is chosen.")
    lead = wanted.candidates.lead
    stretches = manifest.stretches(film.name, video, frames, wanted.chunk, lead)
    film_names.record(storage.place(wanted.folder, WORK, film.name), film)
    lost = 0
    for stretch in progress(stretches, len(stretches), film.name):
        lost += len(_extract(wanted, stretch))
    made = sum(len(_rows(_done(wanted, part))) for s in stretches for part in s)
    gone = f"{counted(lost, 'frame')} cannot be decoded: no crops are cut from them"
    return made, [(film.path, gone)] if lost else []


def _stills(
    wanted: Extraction, film: Film, source: Stills, progress: Callable[..., Iterable]
) -> tuple[int, list[tuple[str, str]]]:
    """How many crops a set of images gives, and which images cannot be used."""
    film_names.record(storage.place(wanted.folder, WORK, film.name), film)
    pieces = -(-source.count // wanted.chunk)
    made, lost = 0, []
    windows = (piece for _, piece in stills.windows(source, wanted.chunk))
    for piece in progress(windows, pieces, film.name):
        part = Range(piece, film.name, range(piece.first, piece.first + len(piece.images)))
        lost += _extract(wanted, (part,))
        made += len(_rows(_done(wanted, part)))
    return made, lost


def _claim(wanted: Extraction) -> None:
    file = storage.place(wanted.folder, RULE_FILE)
    settings = json.loads(json.dumps(wanted.settings()))
    if file.is_file() and storage.read_json(file) != settings and _is_begun(wanted.folder):
        raise ValueError(
            f"{wanted.folder} holds crops that were cut with other settings ({file}). Give another "
            "folder, or the same settings."
        )
    storage.write_json(file, settings, durable=True)


def _is_begun(folder: str) -> bool:
    """Whether anything was cut into a folder: boxes that cannot be read leave nothing."""
    ranges = storage.whole(storage.place(folder, WORK), "*.csv")
    return bool(ranges or files.of_suffix(folder, ".jpg"))


def _extract(wanted: Extraction, stretch: Sequence[Range]) -> list[tuple[str, str]]:
    """Cuts the crops of ranges that have none yet; returns images or frames that cannot be used,
    and why."""
    todo = [part for part in stretch if not _done(wanted, part).is_file()]
    lost: list[tuple[str, str]] = []
    if not todo:
        return lost
    for part, frames in split(todo, wanted.candidates.lead, AHEAD):
        find, chosen, rows = wanted.candidates.of(part.video), set(part.frames), []
        for frame in frames:
            if frame.pixels is None:
                if isinstance(part.video, Stills):
                    image = part.video.address(part.video.still(frame.index))
                    lost.append((image, frame.failure))
                elif frame.index in chosen:
                    lost.append((part.video.path, frame.failure))
                continue
            places, sure = find(frame.index, frame.pixels)
            if frame.index in chosen:
                rows += _write_crops(wanted, part, frame.index, frame.pixels, (places, sure))
        # What has rows is not cut again: they must not outlive the crops in a power cut.
        artefacts.settle_files(storage.place(wanted.folder, row[0]) for row in rows)
        _write_rows(_done(wanted, part), rows)
    return lost


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
        source = part.video
        path = source.address(source.still(number)) if isinstance(source, Stills) else source.path
        about = (path, number, box, *place.tolist(), said, source.fingerprint)
        rows.append((name, *about))
    return rows


def _done(wanted: Extraction, part: Range) -> UPath:
    """The rows of a range; of another video or file of boxes it is another file."""
    video = part.video
    boxes = wanted.candidates.digest(video.path)

    def file(*film: object) -> UPath:
        code = storage.digest([*film, video.count, boxes])[:12]
        return storage.place(wanted.folder, WORK, f"{part.name}-{code}-{part.start:09d}.csv")

    if isinstance(video, Stills):
        return file(video.fingerprint)
    # How it was called before November 2026.
    before = file(video.path, files.size(video.path))
    return before if before.is_file() else file(video.fingerprint)


def _write_rows(file: UPath, rows: Iterable[Sequence]) -> None:
    with (
        storage.replacing(file, durable=True) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        csv_cells.Writer(stream, lineterminator="\n").writerows(rows)


def _rows(file: UPath) -> list[list[str]]:
    text = file.read_bytes().decode("utf-8")
    return [[csv_cells.plain(cell) for cell in row] for row in csv_cells.Rows(text)]


def _write_list(wanted: Extraction) -> None:
    """All rows of the folder, those of earlier runs too, a range in memory at a time."""

    def rows() -> Iterable[Sequence]:
        yield COLUMNS
        for file in storage.whole(storage.place(wanted.folder, WORK), "*.csv"):
            # Rows of before November 2026 lack the fingerprint.
            yield from ([*row, *[""] * (len(COLUMNS) - len(row))] for row in _rows(file))

    _write_rows(storage.place(wanted.folder, LIST), rows())
