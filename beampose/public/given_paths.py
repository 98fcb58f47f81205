"""Paths as callers of the public face give them."""

import os


def text(path: str | bytes | os.PathLike, what: str) -> str:
    """A path as text, of whichever type it was given.

    Args:
      what: is meant, such as "the folder of a model".

    Raises:
      ValueError: it is empty, and would mean the current folder.
    """
    found = os.fsdecode(path)
    if not found:
        raise ValueError(f"The path is empty: name {what}. Received: {path!r}.")
    return found
