"""NumPy's archives (npz) of arrays: nothing in them is run, and a damaged one is told as one."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib.npyio import NpzFile


@contextlib.contextmanager
def opened(source: str | Path | IO[bytes]) -> Iterator[NpzFile]:
    """The arrays of an archive by name.

    Raises:
      OSError: it cannot be read.
      ValueError: it is no archive or damaged; also what that makes the block raise.
    """
    with _told(), np.load(source, allow_pickle=False) as saved:
        if not isinstance(saved, NpzFile):
            raise ValueError("it holds no arrays by name")
        yield saved


@contextlib.contextmanager
def archive(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """The zip that such a file is. Raises: as `opened`."""
    with _told(), zipfile.ZipFile(path) as found:
        yield found


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError):
        raise
    except (Exception, MemoryError) as error:  # Damaged zips raise many types, such as BadZipFile.
        raise ValueError(f"it is damaged: {error}") from None
