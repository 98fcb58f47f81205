"""The steps of the prediction job, one DoFn each."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.utils import shared

from pipelines.predict import commit
from pipelines.predict.infer import FramePredictor, SavedModelHandler
from pipelines.predict.manifest import Range
from preprocess import videos

# Decoded frames waiting for the model, in batches.
AHEAD = 3
# What a model is asked to know how many bodyparts it has, where no frame could be decoded.
BLANK = np.zeros((1, 64, 64, 3), np.uint8)


class PredictRange(beam.DoFn):
    """Decodes a range, runs the model, keeps the result; gives (name of the video, range).

    A range whose result is there from an earlier run is not computed again.
    """

    def __init__(self, handler: SavedModelHandler, output: commit.Output):
        self._handler = handler
        self._output = output
        self._shared = shared.Shared()

    def setup(self):
        self._model = self._handler.acquire(self._shared)

    def process(self, part: Range) -> Iterator[tuple[str, Range]]:
        counter = Metrics.counter
        file = commit.range_file(self._output, part)
        if commit.load_range(file) is None:
            keypoints, failures = predict(part, self._handler, self._model)
            commit.save_range(file, keypoints, failures)
            counter("predict", "frames").inc(len(keypoints))
            counter("predict", "frames_failed").inc(len(failures))
        else:
            counter("predict", "ranges_kept").inc()
        yield part.name, part


class Assemble(beam.DoFn):
    """All ranges of a video to its files."""

    def __init__(self, output: commit.Output):
        self._output = output

    def process(self, element: tuple[str, Iterable[Range]]) -> Iterator[str]:
        name, parts = element[0], list(element[1])
        commit.assemble(self._output, name, parts[0].video, parts)
        yield name


def predict(
    part: Range, handler: SavedModelHandler, model: FramePredictor
) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Keypoints of a range, NaN where a frame failed, and the failures.

    (frames, bodyparts, 3) x, y, likelihood; of several heads a fourth column, their spread.
    """
    failures: list[tuple[int, str]] = []
    rows: list[tuple[list[int], np.ndarray]] = []
    batch: list[videos.Frame] = []

    def flush():
        if batch:
            outputs = handler.outputs([f.pixels for f in batch if f.pixels is not None], model)
            rows.append(([f.index for f in batch], _joined(outputs)))
            batch.clear()

    depth = AHEAD * handler.batch_size
    for frame in videos.read_ahead(part.video, part.start, part.stop, depth):
        if frame.pixels is None:
            failures.append((frame.index, frame.failure))
            continue
        batch.append(frame)
        if len(batch) == handler.batch_size:
            flush()
    flush()
    shape = rows[0][1].shape[1:] if rows else _joined(model.predict(BLANK)).shape[1:]
    keypoints = np.full((part.stop - part.start, *shape), np.nan)
    for indices, found in rows:
        keypoints[np.array(indices) - part.start] = found
    return keypoints, failures


def _joined(outputs: dict[str, np.ndarray]) -> np.ndarray:
    """(batch, bodyparts, 3 or 4) of the one individual."""
    columns = [outputs[name][:, 0, :, None] for name in ("likelihood", "spread") if name in outputs]
    return np.concatenate([outputs["keypoints"][:, 0], *columns], axis=-1)
