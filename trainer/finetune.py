"""Trains the backbone together with a head that was trained on stored features, from frames."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from beampose.core import storage
from beampose.core.infos import Figures
from beampose.core.settings.experiment import Config
from beampose.core.settings.section import FINETUNING, VIEWS, outcome
from beampose.trainer import batches, embed, models, training, views
from beampose.trainer.backbone import STRIDE
from beampose.trainer.dataset import CropBatch, Dataset, PoseBatch
from beampose.trainer.encoded_frames import Frames, answers
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks import task_table

LOG = logging.getLogger(__name__)
CHECKPOINT = "finetune.npz"


class PoseViews(NamedTuple):
    """Windows of frames.

    Attributes:
      images: float32 (batch, side, side, 3), RGB, 0 to 255.
      keypoints, cell, origin, inside: as in `dataset.PoseBatch`, of the changed frames.
    """

    images: Any
    keypoints: Any
    cell: Any
    origin: Any
    inside: Any


class CropViews(NamedTuple):
    """Crops float32 (batch, size, size, 3), 0 to 255, and class indices int32 (batch,)."""

    images: Any
    labels: Any


class Tuned:
    """A task of `trainer.tasks` whose features come from pixels, by a backbone that learns too.

    Attributes:
      trained: the backbone's network and the head.
      model: what is exported.
    """

    def __init__(self, config: Config, dataset: Dataset, frames: Frames):
        self._config, self._dataset, self._frames = config, dataset, frames
        self._task = task_table.make(config, dataset)
        self.score, self.sign = self._task.score, self._task.sign
        self.head, self.members = self._task.head, self._task.members
        self.embedder = embed.of_store(
            dataset.store_info.recipe, config.features.weights, dataset.store
        )
        self.embedder.backbone.unfreeze()
        self.trained = [self.embedder.backbone.network, self.head]
        self.model = models.of_task(config, self.embedder, self._task)
        self._answer = tf.function(self.model.frames, input_signature=[models.FRAMES])
        if config.task == "pose":
            self.side = config.train.finetune_window
            self.signature = _pose_signature(dataset, self.side, config.train.batch_size)
        else:
            self.side = self.embedder.crop_size
            self.signature = _crop_signature(self.side, config.train.batch_size)

    def loss(self, batch: PoseViews | CropViews) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Total loss of a batch in training, and its parts by name."""
        with computing(self.trained, self._config.train.precision):
            outputs = self.head(self.embedder.embed(batch.images), training=True)
        outputs = tf.cast(outputs, tf.float32)
        if isinstance(batch, CropViews):
            return self._task.loss_of(outputs, CropBatch(None, batch.labels))  # pyright: ignore[reportAttributeAccessIssue]
        return self._task.loss_of(outputs, PoseBatch(None, *batch[1:]))  # pyright: ignore[reportAttributeAccessIssue]

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        """Predicts whole images as the exported model would, see `encoded_frames.answers`."""
        if not records:
            return self._task.predict(records, batch_size)
        return answers(self._answer, self._frames, records, batch_size, self._task.read)

    def measure(self, records: Sequence[LabelRecord], predicted: np.ndarray) -> Figures:
        return self._task.measure(records, predicted)

    def finish(self) -> None:
        """Ends a training: thresholds stay those of the head on stored features."""

    def facts(self) -> dict[str, Any]:
        """Entries of the model's info.json that only this task has."""
        return self._task.facts()

    def digest(self) -> str:
        """sha256 of the backbone's weights, in hex."""
        return self.embedder.backbone.tuned_digest()

    def views(self, records: Sequence[LabelRecord], start: int) -> tf.data.Dataset:
        """Batches from a step on; what a step sees depends on (seed, step) alone."""
        config = self._config
        batch_size, steps = config.train.batch_size, config.train.finetune_steps
        # The first of a batch are images as they are.
        plain = round(batch_size * config.train.originals)

        def generate():
            numbers = batches.order(
                len(records), batch_size, seed=config.train.seed, start=start, steps=steps
            )
            for step, chosen in enumerate(numbers, start):
                rng = np.random.default_rng([config.train.seed, step, 2])
                for position, i in enumerate(chosen):
                    drawn = self._pose_view if config.task == "pose" else self._crop_view
                    yield (
                        self._frames.read(records[i].key).image,
                        *drawn(records[i], position >= plain, rng),
                    )

        def see(data, sampling, gain, *labels):
            frame = self.embedder.resized(embed.decode(data)[None])[0]
            return views.look(frame, sampling, gain, self.side), *labels

        given = (
            tf.TensorSpec((), tf.string),
            tf.TensorSpec((8,), tf.float32),
            tf.TensorSpec((), tf.float32),
            *[tf.TensorSpec(spec.shape[1:], spec.dtype) for spec in self.signature[1:]],
        )
        return (
            tf.data.Dataset.from_generator(generate, output_signature=given)
            .map(see, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(batch_size, drop_remainder=True)
            .prefetch(2)
        )

    def _pose_view(self, record: LabelRecord, changed: bool, rng: np.random.Generator) -> tuple:
        """Arguments of `look`, and keypoints, cell, origin and inside of a window."""
        source = np.array([record.width, record.height], float)
        rows, columns = self.embedder.grid(record.height, record.width)  # pyright: ignore[reportArgumentType]
        size = np.array([columns, rows], float) * STRIDE
        factor = size / source
        change = views.UNCHANGED
        if changed:
            change = views.draw(self._config.features, size, rng, shift=False)
        points = views.move(change, record.keypoints * factor, size)
        first = views.corner(points, size, self.side, rng)
        centres = (np.arange(self.side // STRIDE) + 0.5) * STRIDE
        x, y = first[:, None] + centres
        inside = (y < size[1])[:, None] & (x < size[0])[None]
        return (
            views.sampling(change, first),
            np.float32(change.gain),
            (points / factor).astype(np.float32),
            (STRIDE / factor).astype(np.float32),
            (first / factor).astype(np.float32),
            inside.astype(np.float32),
        )

    def _crop_view(self, record: LabelRecord, changed: bool, rng: np.random.Generator) -> tuple:
        change, size = views.UNCHANGED, np.full(2, float(self.side))
        if changed:
            change = views.draw(self._config.features, size, rng, shift=True)
        sampling = views.sampling(change, np.zeros(2))
        return sampling, np.float32(change.gain), np.int32(record.label)


def finetune(
    config: Config,
    dataset: Dataset,
    start: training.Result,
    *,
    folder: str,
    checkpoints: str,
    logs: str,
    devices: Sequence[str] | None = None,
) -> training.Result:
    """Goes on from a head trained on stored features, with the backbone unfrozen.

    Runs on all GPUs of this machine, on one, or on the CPU. The same command again continues from
    the last checkpoint. Weights that are worse on the held-out images than those of the start are
    not kept.

    Args:
      start: of `train`, of the same settings; it stays as it is.
      folder: the dataset, where the frames are.
      checkpoints: folder for the state of the run.
      logs: folder for TensorBoard.
      devices: takes these, such as GPU:0, instead of all GPUs.

    Returns:
      A result whose task is a `Tuned`.

    Raises:
      FileNotFoundError: the dataset holds no frames, or lacks some.
      ValueError: the batch cannot be shared by the devices, or the loss became NaN or infinite.
    """
    settings = config.train
    frames = require_frames(folder, dataset)
    strategy = _strategy(devices)
    if settings.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"train.batch_size must be a multiple of the {strategy.num_replicas_in_sync} devices "
            f"that share each batch. Received: {settings.batch_size}."
        )
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        task = Tuned(config, dataset, frames)
        task.head.set_weights(start.task.head.get_weights())
        optimizer = training.adamw(
            settings.finetune_learning_rate, settings.finetune_steps, settings.weight_decay
        )
        if settings.precision == "mixed_float16":
            # Small gradients of half precision would become 0.
            optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
        optimizer.build(training.variables_of(task))
    run = training.Run(
        task=task,
        optimizer=optimizer,
        settings=settings,
        digest=_digest(config, dataset),
        checkpoint=storage.place(checkpoints, CHECKPOINT),
        logs=logs,
        held_out=dataset.of("test"),
    )
    records = dataset.of("train")
    LOG.info("Finetuning on %d device(s).", strategy.num_replicas_in_sync)
    result = training.fit(
        run,
        lambda step: task.views(records, step),
        steps=settings.finetune_steps,
        strategy=strategy,
        judge_start=True,
    )
    if strategy.num_replicas_in_sync == 1:
        return result
    # What is exported has plain variables, none that are mirrored on several devices.
    plain = Tuned(config, dataset, frames)
    for model, tuned in zip(plain.trained, task.trained, strict=True):
        model.set_weights(tuned.get_weights())
    return result._replace(task=plain)


def require_frames(folder: str, dataset: Dataset) -> Frames:
    """The frames of a dataset. Raises FileNotFoundError if any label lacks its own."""
    frames = Frames(folder)
    lacking = [r for r in dataset.records if r.copy == 0 and r.key not in frames]
    if lacking:
        raise FileNotFoundError(
            f"{folder} lacks the frames of {len(lacking)} labels, such as {lacking[0].name}. Run "
            "`beampose features` with features.frames: true."
        )
    return frames


@contextlib.contextmanager
def computing(models: Sequence[keras.Model], precision: str) -> Iterator[None]:
    """Layers compute in `precision` where they are called in the block; weights stay float32.

    One set of weights thus trains in half precision and predicts, and is exported, in float32.
    """
    layers = [layer for model in models for layer in model.layers]
    before = [layer.dtype_policy for layer in layers]
    policy = keras.dtype_policies.get(precision)
    for layer in layers:
        layer.dtype_policy = policy
    try:
        yield
    finally:
        for layer, one in zip(layers, before, strict=True):
            layer.dtype_policy = one


def _strategy(devices: Sequence[str] | None) -> tf.distribute.Strategy:
    if devices is None:
        devices = [one.name for one in tf.config.list_logical_devices("GPU")]
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy(list(devices))
    return tf.distribute.get_strategy()


def _digest(config: Config, dataset: Dataset) -> str:
    """Says whether a checkpoint belongs to this run: same start, settings, labels and frames."""
    head = training.run_digest(config, dataset, choose=True)
    return storage.digest(
        ["finetune", head, outcome(config.train, FINETUNING), outcome(config.features, VIEWS)]
    )


def _pose_signature(dataset: Dataset, side: int, batch_size: int) -> PoseViews:
    maps, cells = batches.pose_signature(dataset), side // STRIDE
    return PoseViews(
        tf.TensorSpec((batch_size, side, side, 3), tf.float32),
        tf.TensorSpec((batch_size, *maps.keypoints.shape[1:]), tf.float32),
        tf.TensorSpec((batch_size, 2), tf.float32),
        tf.TensorSpec((batch_size, 2), tf.float32),
        tf.TensorSpec((batch_size, cells, cells), tf.float32),
    )


def _crop_signature(side: int, batch_size: int) -> CropViews:
    return CropViews(
        tf.TensorSpec((batch_size, side, side, 3), tf.float32),
        tf.TensorSpec((batch_size,), tf.int32),
    )
