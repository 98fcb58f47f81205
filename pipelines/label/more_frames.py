"""More frames of the films of a project, to be labeled."""

from collections.abc import Mapping, Sequence

import numpy as np

from beampose.core import files, storage
from beampose.core.wording import counted, listed
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.film_names import Film
from beampose.pipelines.label.label_session import LabelSession
from beampose.pipelines.label.shown_frames import ShownFrames
from beampose.preprocess import images, select

# Folders without a film that a line names.
_TOLD = 3


def there(pictures: ShownFrames, chosen: Mapping[str, Sequence[int]]) -> bool:
    """Whether the films of frames that were chosen before are still those."""
    return bool(chosen) and all(pictures.film(folder).video for folder in chosen)


def spread(session: LabelSession, pictures: ShownFrames, count: int) -> dict[str, list[int]]:
    """Frames far from those the project has, where no model knows better.

    The session's notes say which films none are taken of, and why.

    Raises:
      ValueError: no folder has a film.
    """
    had: dict[str, set[int]] = {}
    for one in session.frames:
        had.setdefault(one.folder, set())
        if one.number is not None:
            had[one.folder].add(one.number)
    films = {folder: pictures.film(folder) for folder in had}
    total = {folder: film.video.count for folder, film in films.items() if film.video}
    lost = {folder: film.why for folder, film in films.items() if film.video is None}
    if not total:
        why = "; ".join(dict.fromkeys(lost.values()))
        raise ValueError(f"There is no film to take frames of: {why}.")
    if lost:
        whose, why = listed(list(lost), _TOLD), next(iter(lost.values()))
        session.notes.append(
            f"{counted(len(lost), 'film')} could not be used for more frames, of {whose}: {why}"
        )
    left = {folder: many - len(had[folder]) for folder, many in total.items()}
    found = {
        folder: farthest(total[folder], sorted(had[folder]), share)
        for folder, share in shares(left, count).items()
    }
    return {folder: numbers for folder, numbers in found.items() if numbers}


def shares(left: Mapping[str, int], count: int) -> dict[str, int]:
    """How many frames each film gives, as even as may be: short ones give what they have."""
    found, rest = {}, count
    # The shortest first: what one of them lacks is shared by those that follow.
    for i, (folder, many) in enumerate(sorted(left.items(), key=lambda one: one[1])):
        found[folder] = max(min(many, rest // (len(left) - i)), 0)
        rest -= found[folder]
    return found


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
      OSError, ValueError: a film is not there, or is another one now, or the disk is full.
    """
    added = []
    for folder, numbers in wanted.items():
        film = pictures.film(folder)
        if film.video is None:
            raise ValueError(f"No frame was added: {film.why}.")
        place = storage.place(session.root, LABELED_DATA, folder)
        if not film_names.recorded(place):
            # Once it says which film it is of, another one of that path cannot be taken for it.
            film_names.record(place, Film(folder, film.video.path, film.video.fingerprint))
        for number in numbers:
            name = select.frame_name(number, film.video.count)
            target = storage.place(session.root, LABELED_DATA, folder, name)
            if not target.is_file():
                pixels = pictures.of_film(folder, number)
                storage.write_bytes(target, images.encode_png(pixels), durable=True)
            added.append(f"{files.name(folder)}/{name}")
    return added
