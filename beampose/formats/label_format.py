"""Contract of a label format: reading it, recognizing its files, and writing it."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

from beampose.preprocess.labels import Labels, Problem


class Exported(NamedTuple):
    """Result of writing: labeled images, files that changed, problems, and a remark."""

    images: int
    changed: int
    problems: Sequence[Problem]
    remark: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelFormat:
    """A format of labels. Another package adds one by an entry point of group `beampose.formats`.

    Attributes:
      name: what `source.format` calls it.
      read: `read(path, **options)` gives the labels of a project, folder or file, local or an
        address. It raises FileNotFoundError or ValueError if the source as a whole cannot be read;
        what is wrong with single files and rows goes into `Labels.problems`.
      task: `pose` or `crops`: what its labels are for.
      options: which of `scorer`, `bodyparts`, `combine` and `empty` its `read` takes. Bodyparts are
        chosen afterwards where `read` does not take them; `empty=True` asks for images without an
        animal too, of which all keypoints are NaN.
      recognizes: returns True if labels at a path have this format; None if that cannot be known.
      write: `write(labels, splits, to, scorer=, overwrite=, progress=)` writes labels and their
        split into a folder; None if it is only read.
    """

    name: str
    read: Callable[..., Labels]
    task: str = "pose"
    options: tuple[str, ...] = ()
    recognizes: Callable[[str], bool] | None = None
    write: Callable[..., Exported] | None = None
