"""Films as labels name them: by paths of whatever machine, and by how many frames they have."""

import posixpath
from pathlib import PureWindowsPath
from typing import NamedTuple

# Programs count the frames of one film by so many, or by this share, differently.
_FEW, _SHARE = 2, 0.01


class FilmPath(NamedTuple):
    """The film that an image was taken from.

    Attributes:
      told: its path as the labels tell it.
      found: where it is now; empty if it was not found.
      frames: how many the labels say it has; 0 if they do not.
    """

    told: str
    found: str = ""
    frames: int = 0

    def is_as_long(self, frames: int) -> bool:
        """Returns False if a film of so many frames, 0 = not known, must be another one."""
        if self.frames <= 0 or frames <= 0:
            return True
        return abs(self.frames - frames) <= max(_FEW, _SHARE * self.frames)


def spelled(path: str) -> str:
    """A path as it compares with others, written on any system."""
    windows = PureWindowsPath(path)
    # There the case of letters does not count.
    return (
        windows.as_posix().lower() if windows.drive else posixpath.normpath(path.replace("\\", "/"))
    )
