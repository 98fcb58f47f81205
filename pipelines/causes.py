"""Causes of errors, in the sentences of the command line."""

import contextlib
import re
import tempfile
from collections.abc import Iterator

from beampose.core import disk, files

# Beam folds the name of its step into messages.
_STEP = " [while running"


def sentence(error: BaseException) -> str:
    """Message of an error without the traceback that Beam folds into it."""
    return (files.why(error).strip() or type(error).__name__).split(_STEP)[0]


def to_be_tried_again(error: BaseException) -> str:
    """`sentence`, and what comes of it."""
    return f"{sentence(error).rstrip('.')}. It will be tried again."


def place_on_disk(error: BaseException) -> str:
    """The file that a library could not write, by the text of its error, human-readable."""
    found = re.search(r"(/[^\s;]+); ", str(error))
    place = found[1] if found else "the output"
    return disk.temporary_folder() if place.startswith(tempfile.gettempdir()) else place


def missing_package(step: str, error: ModuleNotFoundError) -> str:
    """Says what to install for a step."""
    return (
        f"{step} needs the package {error.name!r}. Install everything beampose needs with: "
        "pip install 'beampose[all]'"
    )


@contextlib.contextmanager
def plainly(step: str) -> Iterator[None]:
    """Raises errors of the block with the sentence that the command line prints for them."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(missing_package(step, error), name=error.name) from error
    except (OSError, ValueError) as error:
        said = sentence(error)
        if said == str(error):
            raise
        known = (FileNotFoundError, PermissionError, OSError)
        kind = next((kind for kind in known if isinstance(error, kind)), ValueError)
        raise kind(said) from error
