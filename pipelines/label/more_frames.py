"""More frames of the films of a project, to be labeled."""

from collections.abc import Mapping, Sequence

import numpy as np

from beampose.core import files, storage
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines.label.label_session import LabelSession
from beampose.pipelines.label.shown_frames import ShownFrames
from beampose.preprocess import images, select


def spread(session: LabelSession, pictures: ShownFrames, count: int) -> dict[str, list[int]]:
    """Frames far from those the project has, where no model knows better.

    Raises:
      ValueError: no folder has a film.
    """
    had: dict[str, set[int]] = {}
    for one in session.frames:
        had.setdefault(one.folder, set())
        if one.number is not None:
            had[one.folder].add(one.number)
    films = {folder: pictures.film(folder) for folder in had}
    there = {folder: film.video.count for folder, film in films.items() if film.video}
    if not there:
        why = "; ".join(dict.fromkeys(film.why for film in films.values()))
        raise ValueError(f"There is no film to take frames of: {why}.")
    shares = {folder: count // len(there) for folder in there}
    for folder in list(there)[: count % len(there)]:
        shares[folder] += 1
    found = {
        folder: farthest(there[folder], sorted(had[folder]), share)
        for folder, share in shares.items()
    }
    return {folder: numbers for folder, numbers in found.items() if numbers}


def farthest(total: int, had: Sequence[int], count: int) -> list[int]:
    """Numbers of frames, each the middle of the longest gap between those that are there."""
    taken = sorted(set(had))
    found: list[int] = []
    for _ in range(min(count, total - len(taken))):
        edges = np.array([-1, *taken, total])
        gaps = np.diff(edges)
        # Gaps at the ends count in full: their middle is the end itself.
        widest = int(np.argmax(gaps))
        middle = int(edges[widest] + gaps[widest] // 2)
        found.append(middle)
        taken = sorted([*taken, middle])
    return sorted(found)


def write(
    session: LabelSession, pictures: ShownFrames, wanted: Mapping[str, Sequence[int]]
) -> list[str]:
    """Writes frames of films beside those that are there. Returns their keys.

    Raises:
      OSError, ValueError: a film is not there, or the disk is full.
    """
    added = []
    for folder, numbers in wanted.items():
        film = pictures.film(folder)
        if film.video is None:
            raise ValueError(film.why)
        for number in numbers:
            name = select.frame_name(number, film.video.count)
            target = storage.place(session.root, LABELED_DATA, folder, name)
            if not target.is_file():
                pixels = pictures.of_film(folder, number)
                storage.write_bytes(target, images.encode_png(pixels), durable=True)
            added.append(f"{files.name(folder)}/{name}")
    return added
