"""All readers of strangers' files, each with files to begin from; a module for each subject."""

from pathlib import Path

import crop_files
import label_files
import media_files
import own_files
import prediction_files
import settings_files
import split_files
import stacks_and_cameras
from reader import Reader

SUBJECTS = (
    own_files,
    stacks_and_cameras,
    label_files,
    split_files,
    prediction_files,
    crop_files,
    media_files,
    settings_files,
)


def readers(folder: Path) -> dict[str, Reader]:
    """All readers by name.

    Args:
      folder: for what is made to begin from.
    """
    found: dict[str, Reader] = {}
    for subject in SUBJECTS:
        more = subject.readers(folder)
        twice = found.keys() & more.keys()
        if twice:
            raise ValueError(f"Two readers are called {', '.join(sorted(twice))}.")
        found |= more
    return found
