"""Paths as callers of the public face give them."""

import os


def text(path: str | bytes | os.PathLike, what: str) -> str:
    """A path as text, of whichever type it was given.

    Args:
      what: is meant, such as "the folder of a model".

    Raises:
      TypeError: it is no path; of a list, how its paths are given.
      ValueError: it is empty, and would mean the current folder.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(
            f"Name {what} by a path (str, bytes or os.PathLike), several by an argument each, as "
            f"in call(*paths). Received: {path!r}."
        )
    found = os.fsdecode(path)
    if not found:
        raise ValueError(f"The path is empty: name {what}. Received: {path!r}.")
    return found
