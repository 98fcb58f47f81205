"""h5 files from strangers: only what lies in the file itself, and no more of it than a limit."""

import contextlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from beampose.core import files

# Above any table of labels; a compressed dataset may claim any size.
MAX_BYTES = 1 << 30


@contextlib.contextmanager
def opened(path: str) -> Iterator[h5py.File]:
    """An h5 file for reading, local or in a bucket.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not a whole h5 file; also what a damaged file makes the block raise.
    """
    with files.open_file(path) as stream:
        try:
            with h5py.File(stream, "r") as file:
                yield file
        except ValueError:
            raise
        except Exception as error:  # Damaged bytes raise many types, such as OSError and KeyError.
            name = files.name(path)
            raise ValueError(f"{name} cannot be read as h5 (cut short?): {error}") from None


def group(file: h5py.File, name: str) -> h5py.Group | None:
    """A group by its path, or None if there is no such thing.

    Raises:
      ValueError: it is reached by a link: links could name any file here.
    """
    found = _followed(file, name)
    return found if isinstance(found, h5py.Group) else None


def dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """A dataset by its path, or None if there is no such thing.

    Raises:
      ValueError: it lies in another file, by a link or by external storage.
    """
    found = _followed(file, name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external or found.is_virtual:
        raise ValueError(f"{name} lies in another file, which is not read")
    return found


def _followed(file: h5py.File, name: str) -> Any:
    found: Any = file
    for part in name.strip("/").split("/"):
        if not isinstance(found, h5py.Group):
            return None
        link = found.get(part, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name} is a link, which is not followed")
        found = found[part]
    return found


def values(file: h5py.File, name: str) -> np.ndarray:
    """All values of a dataset.

    Raises:
      ValueError: there is none, or it claims more than `MAX_BYTES`.
    """
    found = dataset(file, name)
    if found is None:
        raise ValueError(f"holds no dataset {name!r}")
    if found.nbytes > MAX_BYTES:
        raise ValueError(f"{name} claims {found.nbytes:,} bytes, above {MAX_BYTES:,}")
    return np.asarray(found[()])
