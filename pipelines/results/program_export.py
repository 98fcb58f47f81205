"""Results as files of other programs: NWB, COCO's keypoint results, SimBA's csv."""

import csv
import datetime
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import artefacts, files, storage
from beampose.core.infos import ModelInfo
from beampose.core.names import INFO
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.formats import nwb_writer, simba_csv
from beampose.formats.coco import coco_results
from beampose.formats.coco.coco_results import Ids, Image
from beampose.formats.deeplabcut import prediction_tables
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines.results import named_sets, result_files, result_names
from beampose.pipelines.results.result_files import Found

NWB, COCO, SIMBA = "nwb", "coco", "simba"
PROGRAMS = (NWB, COCO, SIMBA)
# Those that take no photographs.
OF_VIDEOS = (NWB, SIMBA)
_TIMES = "_times.csv"


class Exported(NamedTuple):
    """What was written.

    Attributes:
      files: of each source its files.
      failures: sources without results, and why.
      notes: on what is not in the files.
    """

    files: dict[str, list[str]]
    failures: list[tuple[str, str]]
    notes: list[str]


class _Source(NamedTuple):
    """Results of a video or of a set of photographs; sizes are 0 where they are not known.

    Attributes:
      root: folder that names of its images count from; empty where a table was named.
    """

    path: str
    name: str
    stem: str
    table: Table
    fps: float
    height: int
    width: int
    root: str = ""


class _Shared(ValueError):
    """An image of two sources has one id in COCO."""


def run(
    config: Config,
    paths: Sequence[str],
    program: str,
    to: str,
    images: str = "",
    *,
    named: bool = True,
) -> Exported:
    """Writes the results of videos, sets of photographs and files of predictions.

    Args:
      program: one of `PROGRAMS`.
      to: a folder.
      images: of COCO, a file whose ids of images are used.
      named: whether somebody named the paths. Of others COCO leaves out those with images of
        larger ones, as one photograph of a folder that was predicted whole later.

    Raises:
      ValueError: a library is missing, or the model finds no keypoints.
    """
    if program == NWB:
        nwb_writer.check()
    there = storage.names(to)
    ids = coco_results.read_ids(images) if images else Ids()
    sources, failures = _sources(config, paths)
    done: dict[str, list[str]] = {}
    if program == COCO:
        if not named:
            sources.sort(key=lambda one: len(one.table.rows), reverse=True)
        shared: list[tuple[str, str]] = []
        done, notes = _coco(sources, to, ids, _edges(config), (failures, shared))
        if named:
            failures += shared
        else:
            notes += [f"{path} is left out: it {why}" for path, why in shared]
        return Exported(done, failures, notes + _replaced(done, there))
    for one in _apart(sources, failures):
        try:
            done[one.path] = _nwb(one, to, config) if program == NWB else _simba(one, to)
        except (OSError, ValueError) as error:
            failures.append((one.path, files.why(error)))
    return Exported(done, failures, _replaced(done, there))


def _replaced(done: dict[str, list[str]], there: set[str]) -> list[str]:
    """A note on files that were there before the run, of whichever run or program."""
    written = dict.fromkeys(file for each in done.values() for file in each)
    # The list of bodyparts is only written again where it says the same.
    again = [file for file in written if files.name(file) in there - {simba_csv.NAMES}]
    if not again:
        return []
    return [f"{counted(len(again), 'file')} of before replaced, such as {again[0]}"]


def _sources(config: Config, paths: Sequence[str]) -> tuple[list[_Source], list[tuple[str, str]]]:
    named = named_sets.apart(config, paths)
    found, failures = [], list(named.lost)
    for path, one in named.sets.items():
        stem = named_sets.stem(config, one)
        try:
            table = prediction_tables.read(f"{stem}.h5")
            root = path if files.is_folder(path) else one.images_root
            found.append(_Source(path, one.name, stem, table, 0.0, 0, 0, root))
        except (OSError, ValueError) as error:
            failures.append((path, files.why(error)))
    if named.films:
        of_films, lost = result_files.each(config, named.films, _film)
        found, failures = found + of_films, failures + lost
    return found, failures


def _apart(sources: Sequence[_Source], failures: list[tuple[str, str]]) -> list[_Source]:
    """Sources whose files are not called as those of one before."""
    first: dict[str, _Source] = {}
    found = []
    for one in sources:
        other = first.setdefault(one.name, one)
        if other.stem == one.stem:
            found.append(one)
            continue
        why = f"is called {one.name} as {other.path} is, whose results it would replace"
        failures.append((one.path, f"{why}: export it into another folder"))
    return found


def _film(one: Found) -> _Source:
    size, fps = result_files.size_and_rate(one)
    film = one.film()[0]
    root = files.parent(film) if film else ""
    stem = one.tracked or one.stem
    table = prediction_tables.read(one.table())
    table = table._replace(values=table.values + [*result_files.offset(one), 0])
    name, (height, width) = files.name(one.name), size or (0, 0)
    return _Source(film or one.given, name, stem, table, fps or 0.0, height, width, root)


def _edges(config: Config) -> tuple[tuple[str, str], ...]:
    info = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    return tuple((a, b) for a, b in info.edges) if info else ()


def _nwb(one: _Source, to: str, config: Config) -> list[str]:
    if one.table.rows.dtype.kind not in "iu":
        raise ValueError("is a set of photographs: NWB takes videos, whose rows have times.")
    there = files.exists(one.path) and not files.is_address(one.path)
    made = os.path.getmtime(one.path) if there else 0.0
    recording = nwb_writer.Recording(
        path=one.path,
        height=one.height,
        width=one.width,
        seconds=_seconds(one),
        started=datetime.datetime.fromtimestamp(made, datetime.timezone.utc),
        edges=_edges(config),
    )
    file = files.join(to, f"{one.name}.nwb")
    nwb_writer.write(file, one.table, recording)
    return [file]


def _seconds(one: _Source) -> np.ndarray | None:
    """When each row is: by its own csv where the rate varies, else by the frame rate."""
    if files.exists(one.stem + _TIMES):
        when = _times(one.stem + _TIMES)
        if set(one.table.frames.tolist()) <= set(when):
            return np.array([when[frame] for frame in one.table.frames.tolist()])
    return one.table.frames / one.fps if one.fps else None


def _times(file: str) -> dict[int, float]:
    """Seconds of frames.

    Raises:
      ValueError: the file is damaged.
    """
    try:
        with files.open_file(file) as stream:
            rows = list(csv.DictReader(stream.read().decode().splitlines()))
        when = {int(row["frame"]): float(row["seconds"]) for row in rows}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"{file} is no table of frames and seconds: {error!r}.") from None
    if not np.isfinite(list(when.values())).all():
        raise ValueError(f"{file} holds a time that is not a number.")
    return when


def _simba(one: _Source, to: str) -> list[str]:
    if one.table.rows.dtype.kind not in "iu":
        raise ValueError("is a set of photographs: SimBA takes videos.")
    file, names = files.join(to, f"{one.name}.csv"), files.join(to, simba_csv.NAMES)
    simba_csv.check_names(names, one.table)
    simba_csv.write(file, one.table)
    simba_csv.write_names(names, one.table)
    return [file, names]


def _coco(
    sources: Sequence[_Source],
    to: str,
    ids: Ids,
    edges: Sequence[tuple[str, str]],
    lost: tuple[list[tuple[str, str]], list[tuple[str, str]]],
) -> tuple[dict[str, list[str]], list[str]]:
    """Writes all sources into one file. Returns the files of each, and notes.

    Args:
      lost: gets the sources that failed, and those with images of another one.
    """
    animals: list[dict[str, Any]] = []
    listed: list[tuple[Any, Image]] = []
    bodyparts: dict[str, None] = {}
    failures, shared = lost
    unlisted = 0
    done = {}
    owners: dict[str, str] = {}
    below = _below(sources, ids)
    for one in sources:
        try:
            find = ids.exactly if one.path in below else ids.of
            images = [i._replace(name=below.get(one.path, "") + i.name) for i in _images(one)]
            _refuse_shared([image.name for image in images], owners)
            numbers = [find(image.name) for image in images]
        except _Shared as error:
            shared.append((one.path, str(error)))
            continue
        except (OSError, ValueError) as error:
            failures.append((one.path, files.why(error)))
            continue
        owners |= {image.name: one.path for image in images}
        bodyparts |= dict.fromkeys(one.table.bodyparts)
        animals += coco_results.animals(one.table, numbers)
        listed += zip(numbers, images, strict=True)
        unlisted += sum(number is None for number in numbers)
        done[one.path] = [files.join(to, coco_results.RESULTS)]
    if not done:
        return {}, []
    document = coco_results.document(listed, [*bodyparts], edges) if ids.told is None else None
    coco_results.write(to, animals, document)
    notes = []
    if below:
        first = next(filter(None, below.values()))
        notes.append(
            "images of several folders are called alike: their names begin with the folders "
            f"here, such as {first}"
        )
    what = "images are not listed in the file of images: their animals are left out"
    return done, notes + [f"{unlisted} {what}"] * bool(unlisted)


def _below(sources: Sequence[_Source], ids: Ids) -> dict[str, str]:
    """What goes before names of images that those of another source have too, by path.

    It is the way to the folder of a source from the one that all of these lie in. Where a file of
    images is told, it must name images so.
    """
    names = {one.path: set(coco_results.names(one.table, one.path)) for one in sources if one.root}
    times = Counter(name for own in names.values() for name in own)
    roots = {
        one.path: one.root.replace("\\", "/").rstrip("/").split("/")
        for one in sources
        if any(times[name] > 1 for name in names.get(one.path, ()))
    }
    shared = len(os.path.commonprefix(list(roots.values())))
    found = {path: "".join(f"{part}/" for part in parts[shared:]) for path, parts in roots.items()}
    listed = (ids.lists(before + name) for path, before in found.items() for name in names[path])
    return found if any(found.values()) and any(listed) else {}


def _refuse_shared(names: Sequence[str], owners: dict[str, str]) -> None:
    """Raises if an image is called as one of another source, whose id it would have."""
    if name := next((name for name in names if name in owners), None):
        raise _Shared(
            f"has an image called {name}, as {owners[name]} has: export it into another folder"
        )


def _images(one: _Source) -> Iterator[Image]:
    sizes = {
        row["image"]: (int(row["height"] or 0), int(row["width"] or 0))
        for row in result_names.image_rows(f"{one.stem}{result_names.IMAGES}")
    }
    for name in coco_results.names(one.table, one.path):
        yield Image(name, *sizes.get(name, (one.height, one.width)))
