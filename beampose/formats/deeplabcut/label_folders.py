"""Folders of labeled frames: which hold drawings alone, and where labels lie that are not read."""

from collections.abc import Sequence

from beampose.core import files
from beampose.core.names import FILM
from beampose.core.wording import counted
from beampose.core.zips import PACKED
from beampose.preprocess.labels import WARNING, Problem

DRAWINGS = "_labeled"
_LABELS = ("CollectedData", "machinelabels")
_TABLES = (".h5", ".csv")
_DEPTH = 3
_MOST = 20_000


def is_of_drawings(folder: str) -> bool:
    """Returns True for `<video>_labeled`, where DeepLabCut's check_labels draws.

    A video may be called so, too: then there are labels beside its frames, or we wrote down whose
    frames they are.
    """
    if not files.name(folder).endswith(DRAWINGS):
        return False
    names = [files.name(child) for child in files.children(folder)]
    return FILM not in names and not any(_is_table(name) for name in names)


def passed_over(above: str, read: Sequence[str]) -> list[Problem]:
    """Problems for label files in a project that lie in no folder of a video, or still packed.

    Args:
      above: `labeled-data`.
      read: its folders that are read.
    """
    folders, root = set(read), files.parent(above)
    packed = [child for child in files.children(above) if files.suffix(child) in PACKED]
    what = "is not unpacked: its labels are not read"
    found = [Problem(WARNING, file, 0, "", what) for file in packed]
    lost = [
        file
        for file in (*files.children(root), *files.below(above, _DEPTH, _MOST))
        if _is_table(files.name(file)) and files.parent(file) not in folders and not _hidden(file)
    ]
    if lost:
        what = f"{counted(len(lost), 'label file')} in no folder of a video: not read, such as"
        found.append(Problem(WARNING, root, 0, "", f"{what} {lost[0][len(root) + 1 :]}"))
    return found


def _is_table(name: str) -> bool:
    return name.startswith(_LABELS) and files.suffix(name) in _TABLES


def _hidden(file: str) -> bool:
    return any(part.startswith(".") and part != "." for part in file.split("/")[-3:])
