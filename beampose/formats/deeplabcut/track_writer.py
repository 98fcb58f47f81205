"""Several animals as DeepLabCut writes them: tracks (h5, csv), and the pickles before them.

`<stem>` is `<video><scorer>`; its `_meta.pickle` is written by `deeplabcut.write_meta`. Pickles of
others are read by `beampose.preprocess.unpickle` alone.
"""

import itertools
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from beampose.core import csv_cells, number_tables, storage
from beampose.formats.deeplabcut import pickle_writer, prediction_writer
from beampose.formats.deeplabcut.project_writer import LEVELS
from beampose.preprocess.labels import SINGLE

KEY = "tracks"
COORDS = ["x", "y", "likelihood"]
# Endings by which DeepLabCut knows how tracklets were made.
ENDINGS = {"ellipse": "_el", "box": "_bx", "skeleton": "_sk", "transformer": "_tr"}
_HEADER = [level for level in LEVELS if level != "individuals"]
_NOBODY = -1
_DECIMALS = 3


class Names(NamedTuple):
    """Names in columns and headers.

    Attributes:
      scorer: as in the names of files.
      bodyparts: of the animals.
      unique: bodyparts of the scene.
    """

    scorer: str
    bodyparts: Sequence[str]
    unique: Sequence[str] = ()


def table(
    keypoints: np.ndarray,
    individuals: Sequence[str],
    names: Names,
    single: np.ndarray | None = None,
    *,
    frames: np.ndarray | None = None,
) -> pd.DataFrame:
    """One row a frame, columns (scorer, individuals, bodyparts, coords).

    Args:
      keypoints: (frames, individuals, bodyparts, 3), x, y in pixels, likelihood; NaN = missing.
      single: (frames, unique bodyparts, 3), if there are any; under the individual `single`, last.
      frames: (frames,), their numbers; None: from 0 on.
    """
    columns = [(one, part) for one in individuals for part in names.bodyparts]
    columns += [(SINGLE, part) for part in names.unique]
    expected = (len(keypoints), len(individuals), len(names.bodyparts), 3)
    if keypoints.shape != expected:
        raise ValueError(f"keypoints must be {expected}. Received: {keypoints.shape}")
    parts = [keypoints.reshape(len(keypoints), -1), _single(single, names, len(keypoints))]
    return pd.DataFrame(
        np.concatenate(parts, axis=1).astype(np.float64),
        columns=pd.MultiIndex.from_tuples(
            [(names.scorer, *column, coord) for column in columns for coord in COORDS],
            names=LEVELS,
        ),
        index=frames,
    )


def write(frame: pd.DataFrame, stem: storage.Address, *, method: str = "ellipse") -> None:
    """Writes `<stem>_el.h5` and `.csv` (of an ellipse), each whole or not at all."""
    with storage.replacing(_file(stem, ENDINGS[method], ".h5")) as temporary:
        prediction_writer.write_h5(frame, temporary, KEY)
    with storage.replacing(_file(stem, ENDINGS[method], ".csv")) as temporary:
        frame.to_csv(temporary)


def read(file: storage.Address) -> pd.DataFrame:
    """Reads what `write` wrote; of an h5 the csv beside it, which runs nothing."""
    table = storage.place(file).with_suffix(".csv")
    frame = number_tables.read(table, header=[0, 1, 2, 3], index_col=0)
    with csv_cells.reading(table):
        frame.columns.names = LEVELS
        return frame.astype(np.float64)


def write_tracklets(
    stem: storage.Address,
    tracklets: Iterable[tuple[int, np.ndarray, np.ndarray]],
    names: Names,
    frames: int,
    single: np.ndarray | None = None,
    *,
    method: str = "ellipse",
) -> None:
    """Writes `<stem>_el.pickle` (of an ellipse), which DeepLabCut's `stitch_tracklets` takes.

    Args:
      tracklets: id, frames (n,) and keypoints (n, bodyparts, 3) of each; of the same id: pieces.
      frames: how many the video has: frames are called by as many digits.
      single: (frames, unique bodyparts, 3).
    """
    found: dict[Any, Any] = {}
    for number, when, keypoints in tracklets:
        values = np.concatenate([keypoints, np.full((*keypoints.shape[:2], 1), _NOBODY)], axis=2)
        held = found.setdefault(int(number), {})
        held.update({frame_name(f, frames): one for f, one in zip(when, values, strict=True)})
    if names.unique:
        scene = _single(single, names, frames).reshape(frames, -1, 3)
        seen = np.flatnonzero(~np.isnan(scene[..., 0]).all(axis=1))
        found[SINGLE] = {frame_name(f, frames): scene[f] for f in seen}
    parts = [*names.bodyparts, *names.unique]
    found["header"] = pd.MultiIndex.from_product([[names.scorer], parts, COORDS], names=_HEADER)
    _dump(stem, f"{ENDINGS[method]}.pickle", found)


def write_assemblies(
    stem: storage.Address, frames: Iterable[tuple[int, np.ndarray, np.ndarray | None]]
) -> None:
    """Writes `<stem>_assemblies.pickle`: the animals of each frame, before they are tracked.

    Args:
      frames: number, (individuals, bodyparts, 3), (unique bodyparts, 3) of each; rows of NaN are
        nobody, frames without anybody are not written. One is held at a time.
    """

    def entries() -> Iterator[tuple[Any, Any]]:
        scene: dict[int, np.ndarray] = {}
        for number, keypoints, single in frames:
            there = ~np.isnan(keypoints[..., 0]).all(axis=-1)
            nobody = np.full((keypoints.shape[1], 1), float(_NOBODY))
            if there.any():
                animals = [np.concatenate([one, nobody], axis=1) for one in keypoints[there]]
                yield int(number), animals
            if single is not None and not np.isnan(single[:, 0]).all():
                scene[int(number)] = np.asarray(single, float)
        if scene:
            yield SINGLE, scene

    pickle_writer.write(_file(stem, "_assemblies", ".pickle"), entries())


class Detections(NamedTuple):
    """Description of a multi-animal head, for `write_detections`.

    Attributes:
      edges: int (edges, 2), of bodyparts.
      stride: pixels from one cell of its maps to the next.
      min_likelihood: of a peak that is written.
      apart: pixels two peaks of a bodypart are apart at least.
      sigma: of the score maps' smoothing, in cells; 0 = none.
    """

    edges: np.ndarray
    stride: float
    min_likelihood: float
    apart: float
    sigma: float = 0.0


def write_detections(
    stem: storage.Address,
    outputs: Iterable[tuple[int, Mapping[str, np.ndarray]]],
    names: Names,
    frames: int,
    head: Detections,
) -> None:
    """Writes `<stem>_full.pickle`: all peaks and what joins them, from which DeepLabCut assembles.

    Args:
      outputs: number and, of each frame, `peaks` (bodyparts, peaks, 2), `likelihood` (bodyparts,
        peaks), `edge_costs` (edges, peaks, peaks) and, if the model has it, `identity` (bodyparts,
        peaks, animals) logits; bodyparts are the animals', then the scene's. One is held at a time.
      frames: how many the video has.
    """
    parts = [*names.bodyparts, *names.unique]
    metadata = {
        "nms radius": head.apart / head.stride,
        "minimal confidence": head.min_likelihood,
        "sigma": head.sigma,
        "PAFgraph": head.edges.tolist(),
        "PAFinds": list(range(len(head.edges))),
        "all_joints": [[i] for i in range(len(parts))],
        "all_joints_names": parts,
        "nframes": frames,
    }
    each = ((frame_name(number, frames), _detected(one, head)) for number, one in outputs)
    pickle_writer.write(
        _file(stem, "_full", ".pickle"), itertools.chain([("metadata", metadata)], each)
    )


def _detected(one: Mapping[str, np.ndarray], head: Detections) -> dict[str, Any]:
    seen = [np.flatnonzero(row >= head.min_likelihood) for row in one["likelihood"]]
    places = [part[peaks] for part, peaks in zip(one["peaks"], seen, strict=True)]
    sure = [part[peaks, None] for part, peaks in zip(one["likelihood"], seen, strict=True)]
    joined = {}
    for edge, (a, b) in enumerate(head.edges):
        apart = np.linalg.norm(places[a][:, None] - places[b], axis=-1) / head.stride
        # DeepLabCut's is a length and never below 0.
        link = np.maximum(one["edge_costs"][edge][np.ix_(seen[a], seen[b])], 0.0)
        values = {"m1": link, "distance": apart}
        joined[edge] = {k: np.round(v.astype(np.float32), _DECIMALS) for k, v in values.items()}
    found: dict[str, Any] = {"coordinates": (places,), "confidence": sure, "costs": joined}
    if "identity" in one:
        logits = zip(one["identity"], seen, strict=True)
        found["identity"] = [1 / (1 + np.exp(-np.clip(part[k], -30, 30))) for part, k in logits]
    return found


def _single(single: np.ndarray | None, names: Names, frames: int) -> np.ndarray:
    expected = (frames, len(names.unique), 3)
    if single is None:
        single = np.full(expected, np.nan)
    if single.shape != expected:
        raise ValueError(f"single must be {expected}. Received: {single.shape}")
    return single.reshape(frames, -1)


def frame_name(frame: int | np.integer, frames: int) -> str:
    """DeepLabCut's name of a frame: as many digits as ceil(log10(frames))."""
    return f"frame{str(int(frame)).zfill(int(np.ceil(np.log10(max(frames, 1)))))}"


def _file(stem: storage.Address, method: str, ending: str):
    # A scorer or a video may hold dots: with_suffix would cut them.
    return storage.place(f"{stem}{method}{ending}")


def _dump(stem: storage.Address, ending: str, value: Any) -> None:
    storage.write_bytes(_file(stem, ending, ""), pickle.dumps(value, protocol=4))
