"""Label formats, one file each: `read(path, ...) -> Labels`. A new format: a file, a line here."""

from preprocess.labels import Labels
from preprocess.sources import crops, csv, deeplabcut

READERS = {"deeplabcut": deeplabcut.read, "crops": crops.read, "csv": csv.read}


def read(
    format: str, path: str, *, scorer: str | None = None, bodyparts: list[str] | None = None
) -> Labels:
    """Reads a source.

    Args:
      format: a key of `READERS`.
      path: project folder, crop folder or file, local or an address.
      scorer: whose labels, where a project has several.
      bodyparts: which bodyparts and in what order; the project's own if None.

    Raises:
      FileNotFoundError, ValueError: the source as a whole cannot be read; what is wrong with
        single files and rows is in `Labels.problems` instead.
    """
    if format not in READERS:
        raise ValueError(f"format must be one of {', '.join(READERS)}. Received: {format!r}.")
    if format == "deeplabcut":
        return deeplabcut.read(path, scorer=scorer, bodyparts=bodyparts)
    if scorer or bodyparts:
        raise ValueError(f"source.scorer and source.bodyparts do not apply to format {format!r}.")
    return READERS[format](path)
