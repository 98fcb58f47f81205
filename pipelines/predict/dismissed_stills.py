"""Boxes of photographs that a person dismissed stay dismissed when their set is predicted again."""

import numpy as np
import pyarrow.parquet as pq
from upath import UPath

from beampose.core import files, storage
from beampose.core.answering import Unanswered
from beampose.formats import detection_table
from beampose.formats.detection_table import Detections
from beampose.pipelines.predict import earlier_stills
from beampose.preprocess.stills import Stills

_TABLE = ".parquet"


def go_on(stem: UPath, label: str, found: Detections, source: Stills) -> Detections:
    """Detections of a set, those dismissed that were so in the run which its results are from.

    Args:
      stem: of the files of the set.
      label: what follows the name of a set in theirs.
    """
    if not source.earlier:
        return found
    name = files.name(files.parent(source.earlier))
    file = stem.with_name(f"{name}{label}{_TABLE}")
    try:
        before = detection_table.read(file)
        fingerprint = _fingerprint(file)
    except Unanswered:
        raise
    except (OSError, ValueError):
        return found
    gone = zip(before.frames[before.dismissed], before.boxes[before.dismissed], strict=True)
    # This very set, where its files are written a second time.
    same = fingerprint == source.fingerprint
    now = {n: n for n in range(source.count)} if same else dict(earlier_stills.numbers(source))
    there = {(now[frame], box) for frame, box in gone if frame in now}
    every = zip(found.frames.tolist(), found.boxes.tolist(), strict=True)
    return found._replace(dismissed=np.array([one in there for one in every], bool))


def _fingerprint(file: UPath) -> str:
    with storage.local(file) as copy:
        said = pq.read_schema(str(copy)).metadata or {}
    return said.get(b"images_fingerprint", b"").decode()
