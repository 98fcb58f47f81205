"""Version 1's labels once they were converted: one CollectedData file for all videos of a folder.

DeepLabCut v1 names images `<video>/<image>`, dlc-cloudml has one more folder in front and calls its
file `collected-data-<scorer>`. Images lie in the folders of the videos beside the file.
"""

import numpy as np

from beampose.core import files
from beampose.formats.deeplabcut import collected_data, columns
from beampose.formats.deeplabcut.project_labels import INDIVIDUAL, LABELED_DATA
from beampose.preprocess.labels import ERROR, WARNING, LabeledFrame, Labels, Problem

_PREFIXES = ("CollectedData_", "collected-data-")


def find(folder: str) -> list[str]:
    """The label files of a folder, or of the `data-<Task>` folders in it."""
    inner = [c for c in files.children(folder) if files.name(c).startswith("data-")]
    places = [folder, *(c for c in inner if files.is_folder(c))]
    return [c for place in places for c in files.children(place) if _is_table(files.name(c))]


def read(found: list[str], *, bodyparts: list[str] | None = None) -> Labels:
    """Reads one file, in h5 or csv, of those found.

    Raises:
      ValueError: the files belong to several scorers or tasks, or cannot be read.
    """
    stems = sorted({f"{files.parent(file)}/{files.stem(file)}" for file in found})
    if len(stems) > 1:
        raise ValueError(
            f"There are several label files ({', '.join(stems)}). Put the others elsewhere."
        )
    file = sorted(found, key=lambda one: files.suffix(one) != ".h5")[0]
    table, problems = collected_data.read(file, several=False)
    names, values = table.names, table.values
    parts = bodyparts or list(dict.fromkeys(c.bodypart for c in table.columns if c.bodypart))
    try:
        places = {key[1:]: column for key, column in columns.places(table.columns).items()}
    except ValueError as error:
        raise ValueError(f"{file} {error}.") from None
    problems += [
        Problem(WARNING, file, 0, "", f"has no columns of {part!r}; taken as not labeled")
        for part in parts
        if (part, "x") not in places or (part, "y") not in places
    ]
    padded = np.pad(values, ((0, 0), (0, 1)), constant_values=np.nan)
    order = [places.get((part, axis), -1) for part in parts for axis in "xy"]
    points = padded[:, order].reshape(len(names), 1, len(parts), 2)
    points[np.isnan(points).any(axis=-1)] = np.nan
    frames = []
    for row, name, keypoints in zip(table.rows, names, points, strict=True):
        try:
            *_, video, image = files.parts(name)
        except ValueError:
            what = "must name an image as <video>/<image>; the row is not used"
            problems.append(Problem(ERROR, file, row, name, what))
            continue
        frames.append(
            LabeledFrame(
                image=files.join(files.parent(file), video, image),
                name=f"{LABELED_DATA}/{video}/{image}",
                video=video,
                file=file,
                row=row,
                keypoints=keypoints,
            )
        )
    return Labels(
        items=tuple(frames),
        bodyparts=tuple(parts),
        individuals=(INDIVIDUAL,),
        scorer=next(iter(columns.scorers(table.columns)), ""),
        project=files.name(files.parent(file)).removeprefix("data-"),
        problems=tuple(problems),
    )


def _is_table(name: str) -> bool:
    return name.startswith(_PREFIXES) and files.suffix(name) in (".h5", ".csv")
