"""Detections that recur in one place and look alike: wind, reflections, a branch.

A page shows them in groups, so that a person dismisses a hundred with one click; the csv it saves
names every detection, and holds when groups are made otherwise.
"""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import csv_cells, files, storage, texts
from beampose.formats import spreadsheets
from beampose.formats.detection_table import Detections
from beampose.pipelines.curation.sorting_page import inert
from beampose.pipelines.report import pages

PAGE, SAVED = "repeats.html", "dismissed.csv"
COLUMNS = ["video", "frame", "box"]
# Share of the joint area, and cosine of the embeddings, from which two detections are alike.
OVERLAP, ALIKE = 0.4, 0.6
# Pictures shown of a group.
SHOWN = 8


class Group(NamedTuple):
    """Detections of a video alike in place and appearance: rows of its table, by frame."""

    video: str
    rows: np.ndarray


def groups(video: str, found: Detections, hits: np.ndarray, at_least: int) -> list[Group]:
    """Groups of at least this many frames, the largest first.

    Args:
      hits: bool (detections,), the detections to group.
    """
    members: list[list[int]] = []
    places = np.empty((0, 4))
    looks = np.empty((0, found.embedding.shape[1]))
    for row in np.flatnonzero(hits).tolist():
        place, look = found.places[row].astype(float), found.embedding[row]
        near = overlap(places, place)
        near[(looks @ look if len(look) else np.ones(len(looks))) < ALIKE] = 0
        best = int(near.argmax()) if len(near) else -1
        if best < 0 or near[best] < OVERLAP:
            members.append([row])
            places, looks = np.vstack([places, place]), np.vstack([looks, look])
            continue
        members[best].append(row)
        # A group has the average place and appearance of its detections.
        share = 1 / len(members[best])
        places[best] += share * (place - places[best])
        looks[best] += share * (look - looks[best])
        looks[best] /= max(float(np.linalg.norm(looks[best])), 1e-9)
    made = [Group(video, np.array(rows)) for rows in members]
    large = [g for g in made if len(np.unique(found.frames[g.rows])) >= at_least]
    return sorted(large, key=lambda g: (-len(g.rows), int(g.rows[0])))


def overlap(places: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (n, 4) x, y, width, height with one (4,)."""
    low = np.maximum(places[:, :2], place[:2])
    high = np.minimum(places[:, :2] + places[:, 2:], place[:2] + place[2:])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    return both / np.maximum(np.prod(places[:, 2:], axis=1) + np.prod(place[2:]) - both, 1e-9)


def visits(frames: np.ndarray) -> int:
    """Number of visits: runs of frames without a gap."""
    return 1 + int((np.diff(np.unique(frames)) > 1).sum())


def samples(group: Group) -> list[int]:
    """Rows of a group whose pictures are shown, spread over time."""
    at = np.linspace(0, len(group.rows) - 1, min(SHOWN, len(group.rows)))
    return group.rows[np.unique(np.round(at).astype(int))].tolist()


def write(
    file: storage.Address,
    found: dict[str, Detections],
    made: Sequence[Group],
    *,
    times: dict[str, Callable[[int], str]],
    pictures: dict[tuple[str, int], bytes],
) -> None:
    """Writes the page.

    Args:
      found: the table of each video.
      times: by video, a frame's number to the clock that people read.
      pictures: JPEG bytes by video and row, of `samples`.
    """
    shown: list[dict[str, Any]] = []
    for group in made:
        table = found[group.video].only(group.rows)
        clock = times[group.video]
        shown.append(
            {
                "video": group.video,
                "detections": np.stack([table.frames, table.boxes], axis=1).tolist(),
                "pictures": [
                    base64.b64encode(pictures[group.video, row]).decode()
                    for row in samples(group)
                    if (group.video, row) in pictures
                ],
                "first": clock(int(table.frames[0])),
                "last": clock(int(table.frames[-1])),
                "visits": visits(table.frames),
                "place": np.round(table.places.mean(axis=0)).astype(int).tolist(),
                "sure": round(float(table.confidence.mean()), 2),
                "dismissed": bool(table.dismissed.all()),
            }
        )
    total = sum(len(group.rows) for group in made)
    page = pages.render(
        "repeats.html", data=inert({"groups": shown}), saved=SAVED, total=total, count=len(made)
    )
    storage.write_text(file, page)


def read_dismissed(file: storage.Address) -> dict[str, set[tuple[int, int]]]:
    """Frame and box of dismissed detections by name of the video.

    Raises:
      FileNotFoundError, ValueError: no such file, or it is another.
    """
    place = storage.place(file)
    if not place.is_file():
        raise files.missing("file", file)
    try:
        text = texts.decode(place.read_bytes(), texts.WINDOWS)
        rows, separator = spreadsheets.named(text, COLUMNS)
    except ValueError as error:
        raise ValueError(f"{file} is not the csv that {PAGE} saves: it {error}.") from None
    found: dict[str, set[tuple[int, int]]] = {}
    for line, row in rows:
        try:
            frame, box = (spreadsheets.whole(row[name], separator) for name in COLUMNS[1:])
            found.setdefault(csv_cells.plain(row[COLUMNS[0]]), set()).add((frame, box))
        except (KeyError, ValueError):
            received = json.dumps(separator.join(row.values()))
            raise ValueError(
                f"{file}:{line} must be a video, a frame and a box. Received: {received}."
            ) from None
    return found


def dismiss(found: Detections, chosen: set[tuple[int, int]]) -> Detections:
    """The table with these dismissed and no others.

    Raises:
      ValueError: there is no such detection.
    """
    pairs = list(zip(found.frames.tolist(), found.boxes.tolist(), strict=True))
    if unknown := sorted(chosen - set(pairs)):
        frame, box = unknown[0]
        raise ValueError(
            f"has no box {box} in frame {frame}: the csv belongs to other predictions. Make the "
            "page again with `beampose repeats`."
        )
    return found._replace(dismissed=np.array([pair in chosen for pair in pairs], bool))
