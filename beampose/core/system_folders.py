"""Folders that systems keep for themselves among those of users: trash, thumbnails, snapshots."""

from collections.abc import Sequence

from beampose.core import files
from beampose.core.wording import agreed, counted, listed

# In lowercase: Windows writes $Recycle.Bin as well. Hidden ones are left out anyway.
_NAMES = frozenset(
    (
        # Windows, on every card that it saw.
        *("$recycle.bin", "recycler", "system volume information"),
        # Synology and QNAP, which make thumbnails beside the photographs.
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
        # macOS, in zips.
        "__macosx",
    )
)
_SHOWN = 3


def is_one(path: str) -> bool:
    return files.name(path).lower() in _NAMES


def is_inside(path: str) -> bool:
    """Whether a relative path is of such a folder, or leads through one."""
    return any(part.lower() in _NAMES for part in path.split("/"))


def left_out(folders: Sequence[str], root: str) -> str:
    """Words for folders that are not looked into, by their paths below the root."""
    start = len(root.rstrip("/")) + 1
    shown = listed([path[start:] for path in folders], _SHOWN)
    count = len(folders)
    return (
        f"{counted(count, 'folder')} that a system keeps for itself ({shown}) "
        f"{agreed(count, 'are')} left out"
    )
