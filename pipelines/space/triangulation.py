"""`beampose triangulate`: points in space written as DeepLabCut's and Anipose's tables."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import __version__, artefacts, files
from beampose.core.infos import PointFigures, PointsInfo, ViewFigures
from beampose.core.settings.experiment import Config
from beampose.formats import anipose_csv, calibrations
from beampose.formats.deeplabcut import space_tables
from beampose.pipelines.results import result_files
from beampose.pipelines.space import recordings
from beampose.pipelines.space.animals_across_views import Matching
from beampose.pipelines.space.recordings import Recording, Wanted
from beampose.preprocess.points import Points

# DeepLabCut's name for what made points in space.
SCORER = "DLC_3D"
ANIPOSE = "_anipose"


class Written(NamedTuple):
    """Files of a recording, and what they say of themselves."""

    stem: str
    files: list[str]
    info: PointsInfo
    recording: Recording


def run(
    config: Config,
    views: Sequence[tuple[str, str]],
    calibration: str,
    wanted: Wanted,
    *,
    to: str | None = None,
    filtered: bool = False,
) -> Written:
    """Triangulates a recording and writes its tables.

    Args:
      views: names of cameras, and their videos or tables.
      to: what the files begin with; None: in the experiment's predictions, after the videos.

    Raises:
      FileNotFoundError: a video or the calibration is not there.
      ValueError: something does not fit; the text says what.
    """
    rig = calibrations.read(calibration)
    found = recordings.read(config, rig, views, wanted, filtered=filtered)
    stem = files.absolute(to) if to else _stem(config, found)
    info = _info(found, wanted, calibration)
    _refuse_others(stem, info)
    done = write(found.points, stem)
    artefacts.write_info(f"{stem}.json", info)
    return Written(stem, done, info, found)


def write(points: Points, stem: str) -> list[str]:
    """Writes DeepLabCut's tables, radii, and Anipose's csv of each individual."""
    space_tables.write(points, stem)
    done = [f"{stem}.h5", f"{stem}.csv", f"{stem}{space_tables.RADIUS}"]
    for number, name in enumerate(points.individuals):
        safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
        file = f"{stem}{ANIPOSE}{f'_{number + 1}_{safe}' if name else ''}.csv"
        anipose_csv.write(points, number, file)
        done.append(file)
    return done


def _stem(config: Config, found: Recording) -> str:
    """After the videos, without the names of their cameras, as DeepLabCut does it."""
    names = []
    for view in found.views:
        name = files.stem(view.video or view.file)
        before, cut, after = name.rpartition(view.name)
        rest = "_".join(part.strip("-_ .") for part in (before, after) if part.strip("-_ ."))
        names.append(rest if cut and rest else name)
    return files.join(config.predictions, f"{names[0]}_{SCORER}")


def _refuse_others(stem: str, info: PointsInfo) -> None:
    """Raises ValueError where the files are of other videos."""
    before = artefacts.find_info(f"{stem}.json", PointsInfo)
    if before is None:
        return
    films = [[one.video_fingerprint or one.table for one in said.views] for said in (before, info)]
    if not set(films[0]) & set(films[1]):
        raise ValueError(
            f"{stem}.h5 holds the points of other videos ({before.views[0].video}): name what the "
            "files begin with by --to."
        )


def _info(found: Recording, wanted: Wanted, calibration: str) -> PointsInfo:
    place = files.absolute(calibration)
    read = b"" if files.is_folder(place) else files.read_bytes(place)
    names = found.seen.bodyparts
    return PointsInfo(
        made_by=f"beampose {__version__} triangulate",
        calibration=place,
        calibration_digest=hashlib.sha256(read).hexdigest() if read else "",
        calibration_error_px=found.rig.error,
        views=[_of_view(found, number) for number in range(len(found.views))],
        settings={
            key: [list(edge) for edge in value] if key == "edges" else value
            for key, value in wanted._asdict().items()
        },
        instants=len(found.points),
        individuals=list(found.points.individuals),
        bodyparts={name: _of_bodypart(found, place) for place, name in enumerate(names)},
        tied=int(found.fit.tied.sum()),
        bones={f"{names[a]}-{names[b]}": [size, spread] for a, b, size, spread in found.bones},
        remarks=found.remarks,
        matching=_of_matching(found.matching),
    )


def _of_matching(matching: Matching | None) -> dict[str, Any] | None:
    if matching is None:
        return None
    return {**matching._asdict(), "guessed": list(matching.guessed)}


def _of_view(found: Recording, number: int) -> ViewFigures:
    view, fit = found.views[number], found.fit
    seen = np.isfinite(found.seen.pixels[..., number, :]).all(axis=-1)
    used = fit.used[..., number]
    errors = fit.errors[..., number][used]
    return ViewFigures(
        view=view.name,
        video=view.video,
        video_fingerprint=view.fingerprint,
        table=view.file,
        table_digest=result_files.digest(view.file),
        offset=found.offsets[number],
        frames=int((found.instants.rows[:, number] >= 0).sum()),
        seen=int(seen.sum()),
        left_out=float((seen & ~used).sum() / max(seen.sum(), 1)),
        error_px=float(np.median(errors)) if len(errors) else None,
    )


def _of_bodypart(found: Recording, place: int) -> PointFigures:
    radius = found.points.radius[:, :, place]
    there = np.isfinite(radius)
    inside = found.fit.agreement[place].inside
    return PointFigures(
        found=float(there.mean()),
        radius=float(np.median(radius[there])) if there.any() else None,
        deviation_px=float(found.fit.factors[place] * found.seen.sigma[place].mean()),
        agreement=float(inside) if np.isfinite(inside) else None,
    )
