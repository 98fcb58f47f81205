"""Learns a new store's transform: mean, variance and PCA of a bounded sample of training cells."""

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils import shared

from beampose.core import storage
from beampose.core.answering import Unanswered
from beampose.pipelines.features import embedding_worker
from beampose.preprocess import images
from beampose.preprocess.labels import LabeledCrop, LabeledFrame
from beampose.trainer.embed import CELLS, FEATURES

# The sample is bounded: its cost does not grow with the data.
FRAMES = 32
CELLS_A_FRAME = 400
CROPS = 512
# Channels that hardly vary are left small instead of being blown up.
SMALLEST_DEVIATION = 1e-3


def sample(
    items: Sequence[LabeledFrame | LabeledCrop], pooled: bool
) -> list[LabeledFrame | LabeledCrop]:
    """The training items to sample: those with the lowest hashes of their names."""
    ranked = sorted(items, key=lambda item: hashlib.sha256(item.name.encode()).digest())
    return ranked[: CROPS if pooled else FRAMES]


def analyze(
    items: list,
    spec: embedding_worker.ModelSpec,
    *,
    pca: int,
    channels: int,
    options: PipelineOptions,
    folder: str,
) -> None:
    """Runs the full-pass analyzers over a sample and saves the transform graph.

    Args:
      folder: becomes a SavedModel whose `transform_fn` maps {CELLS: float32 (n, channels)} to
        {FEATURES: float32 (n, dims)}; what is in it stays.

    Raises:
      ValueError: no image of the sample can be decoded.
    """
    with _keras_left_alone():
        import tensorflow_transform as tft
        import tensorflow_transform.beam as tft_beam
    config = _adapter(channels)
    with tempfile.TemporaryDirectory() as out:
        with contextlib.ExitStack() as stack:
            # Our analyzers are in one order on every run, which it cannot know and warns of.
            stack.enter_context(unsaid("cache key varies"))
            temporary = stack.enter_context(tempfile.TemporaryDirectory())
            pipeline = stack.enter_context(beam.Pipeline(options=options))
            stack.enter_context(tft_beam.Context(temp_dir=temporary))
            batches = (
                pipeline
                # In order and unshuffled: sums of floats then come out the same on every run.
                | "Sample" >> beam.Create(items, reshuffle=False)
                | "Cells" >> beam.ParDo(SampleCells(spec)).with_output_types(pa.RecordBatch)
            )
            analyzed = tft_beam.AnalyzeDataset(_preprocessing(tft, pca, channels))
            _ = (batches, config) | analyzed | "Save" >> tft_beam.WriteTransformFn(out)
        saved = Path(out) / tft.TFTransformOutput.TRANSFORM_FN_DIR
        if not (saved / "saved_model.pb").is_file():
            raise ValueError(
                "None of the sampled training images can be decoded. Run `beampose check`."
            )
        shutil.copytree(saved, folder, dirs_exist_ok=True)


def digest(folder: str, channels: int) -> str:
    """sha256 of what a transform graph answers to a fixed probe: its meaning, not its bytes."""
    import tensorflow as tf

    probe = np.random.default_rng(0).standard_normal((64, channels)).astype(np.float32)
    graph = _loaded(folder)
    answer = graph.transform_fn({CELLS: tf.constant(probe)})[FEATURES]
    return hashlib.sha256(np.ascontiguousarray(answer.numpy(), "<f4").data).hexdigest()


def dims(folder: str) -> int:
    """Length of the vectors a transform graph gives."""
    return int(_loaded(folder).transform_fn.structured_outputs[FEATURES].shape[-1])


def _loaded(folder: str):
    """A transform graph. Raises OSError or ValueError if it is damaged."""
    import tensorflow as tf

    with storage.without_wildcards(folder) as copy:
        try:
            return tf.saved_model.load(str(copy))
        except tf.errors.OpError as error:
            raise ValueError(f"it cannot be loaded: {error.message}") from None


class SampleCells(beam.DoFn):
    """Raw feature cells of an image as one Arrow record batch; an unreadable image gives none."""

    def __init__(self, spec: embedding_worker.ModelSpec):
        self._spec = spec._replace(transform=None)
        self._shared = shared.Shared()

    def setup(self):
        self._model = embedding_worker.acquire(self._shared, self._spec)

    def process(self, item: LabeledFrame | LabeledCrop) -> Iterator[pa.RecordBatch]:
        try:
            pixels = images.load(item.image)[0]
        except Unanswered:
            raise
        except (OSError, ValueError):
            # The main job records the reject; here it is only not sampled.
            return
        raw = self._model.frames(pixels[None]).numpy().astype(np.float32)
        cells = raw.reshape(-1, raw.shape[-1])
        if not self._spec.pooled:
            code = hashlib.sha256(item.name.encode()).digest()[:8]
            rng = np.random.default_rng(int.from_bytes(code, "little"))
            cells = cells[rng.choice(len(cells), min(CELLS_A_FRAME, len(cells)), replace=False)]
        yield _record_batch(cells)


def _preprocessing(tft, pca: int, channels: int):
    import tensorflow as tf

    def preprocessing(inputs):
        cells = inputs[CELLS]
        mean = tft.mean(cells, reduce_instance_dims=False, name="mean")
        deviation = tf.sqrt(tft.var(cells, reduce_instance_dims=False, name="variance"))
        z = (cells - mean) / tf.maximum(deviation, SMALLEST_DEVIATION)
        if not pca or pca >= channels:
            return {FEATURES: tf.ensure_shape(z, (None, channels))}
        basis = tft.pca(tf.cast(z, tf.float64), pca, tf.float64, name="pca")
        components = tf.matmul(z, tf.cast(basis, tf.float32))
        # One common factor to a mean square of at most 1: on openfield (seed 0) heads learn better
        # than from whitened (3.4 px) or unscaled (3.3 px) components, 3.1 px. To measure the power
        # itself takes a third analyzer phase, which Beam 2.77's FnApiRunner fails to run.
        scaled = components / np.sqrt(channels / pca).astype(np.float32)
        return {FEATURES: tf.ensure_shape(scaled, (None, pca))}

    return preprocessing


def _adapter(channels: int):
    import tensorflow as tf
    from tensorflow_transform.tf_metadata import schema_utils
    from tfx_bsl.tfxio import tensor_adapter, tensor_representation_util

    spec = {CELLS: tf.io.FixedLenFeature([channels], tf.float32)}
    schema = schema_utils.schema_from_feature_spec(spec)
    representations = tensor_representation_util.InferTensorRepresentationsFromSchema(schema)
    return tensor_adapter.TensorAdapterConfig(_arrow_schema(), representations)


def _arrow_schema() -> pa.Schema:
    return pa.schema([(CELLS, pa.large_list(pa.float32()))])


def _record_batch(cells: np.ndarray) -> pa.RecordBatch:
    offsets = np.arange(0, cells.size + 1, cells.shape[1], dtype=np.int64)
    column = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(cells.ravel()))
    return pa.RecordBatch.from_arrays([column], schema=_arrow_schema())


@contextlib.contextmanager
def unsaid(part: str) -> Iterator[None]:
    """Leaves messages with these words out of TensorFlow Transform's log."""

    def keep(record: logging.LogRecord) -> bool:
        return part not in record.getMessage()

    log = logging.getLogger("absl")
    log.addFilter(keep)
    try:
        yield
    finally:
        log.removeFilter(keep)


@contextlib.contextmanager
def _keras_left_alone() -> Iterator[None]:
    """tensorflow-transform sets TF_USE_LEGACY_KERAS for this process and children; take it back."""
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("TF_USE_LEGACY_KERAS", None)
        else:
            os.environ["TF_USE_LEGACY_KERAS"] = before
