"""Corrected predictions of a frame as labels of the project, with the frame itself."""

from collections.abc import Callable, Sequence
from typing import Any

from beampose.core import files, storage
from beampose.core.wording import counted
from beampose.formats.deeplabcut.label_table import Point, slots
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.curation import frame_files
from beampose.pipelines.curation.project_films import ProjectFilms
from beampose.pipelines.label.label_session import LabelSession
from beampose.pipelines.label.proofreading import Proofread
from beampose.preprocess import images, select, videos


def take(
    session: LabelSession, proofread: Proofread, row: int
) -> tuple[str, Callable[[str], list[dict[str, Any]]]]:
    """Writes a frame of a film into the project. Returns its key, and what its labels are.

    Points go to the bodyparts and individuals of their names; what the project does not name is
    left out, and so is what is missing in the frame.

    Raises:
      ValueError: there is no film or no such frame, or frames of it here have another size.
      OSError: it cannot be written.
    """
    shown, table = proofread.film(), proofread.table
    video = shown.video
    if video is None:
        raise ValueError(shown.why)
    if not 0 <= row < len(table.rows):
        raise ValueError(f"There are {counted(len(table.rows), 'row')}, none of number {row}.")
    number = int(table.frames[row])
    (film,) = film_names.assign([files.absolute(video.path)], ProjectFilms(session.root))
    folder = files.join(session.root, LABELED_DATA, film.name)
    whole = frame_files.checked_crop(None, video)
    frame_files.check_size(frame_files.numbers(folder), whole)
    frame_files.enter(session.root, film, whole, chosen=False)
    name = select.frame_name(number, video.count)
    target = storage.place(folder, name)
    if not target.is_file():
        frame = next(videos.read_some(video, [number]))
        if frame.pixels is None:
            raise ValueError(f"{video.path} frame {number}: {frame.failure}")
        if not shown.is_as_indexed:
            raise ValueError(f"{video.path} was replaced or removed while it was read")
        storage.write_bytes(target, images.encode_png(frame.pixels), durable=True)
    return f"{film.name}/{name}", lambda key: _changes(session, proofread, row, key)


def missing(
    session: LabelSession, proofread: Proofread, changes: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], int]:
    """Those of the changes that take no label or mark of a person away, and how many others.

    What was made a label here before is replaced: the person corrected it since.
    """
    wanted = []
    for one in changes:
        key, point = one["frame"], Point(*one["point"])
        now = session.keypoints(key)[point].tolist()
        own = proofread.labeled.get((key, point))
        free = now[0] != now[0] and point not in session.absent(key)
        if free or now == own:
            proofread.labeled[key, point] = one["xy"]
            wanted.append(one)
    return wanted, len(changes) - len(wanted)


def _changes(
    session: LabelSession, proofread: Proofread, row: int, key: str
) -> list[dict[str, Any]]:
    names = session.names
    found = dict(zip(proofread.table.points, proofread.values[row], strict=True))
    changes = []
    for point in slots(names):
        owner = names.individuals[point.individual] if names.several else ""
        xy = found.get((owner, names.bodyparts[point.bodypart]))
        if xy is not None and xy[0] == xy[0]:
            changes.append({"frame": key, "point": list(point), "xy": [float(xy[0]), float(xy[1])]})
    return changes
