"""Trains the backbone together with a head that was trained on stored features, from frames."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from beampose.core import storage
from beampose.core.settings.experiment import Config
from beampose.core.settings.section import FINETUNING, VIEWS, outcome
from beampose.trainer import batches, embed, training, updates
from beampose.trainer.dataset import Dataset
from beampose.trainer.embed import FRAMES
from beampose.trainer.encoded_frames import Frames, answers
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks import task_table
from beampose.trainer.tasks.contract import Batch, ExportedModel, Loss
from beampose.trainer.traced import traced
from beampose.trainer.views import look

LOG = logging.getLogger(__name__)
CHECKPOINT = "finetune.npz"


class Tuned:
    """A `contract.Trainable` whose features come from pixels, by a backbone that learns too."""

    def __init__(self, config: Config, dataset: Dataset, frames: Frames):
        self._config, self._frames = config, frames
        self._task = task_table.make(config, dataset)
        self.kind, self.judge = self._task.kind, self._task.judge
        self.head, self.members = self._task.head, self._task.members
        self.embedder = embed.of_store(dataset.store_info.recipe, config.weights, dataset.store)
        self.embedder.backbone.unfreeze()
        self.trained = [self.embedder.backbone.network, self.head]
        self._model = self._task.model_of(self.embedder)
        self._answer = traced(self._model.frames, [FRAMES])
        self._views = self._task.views(self.embedder)
        self.signature = self._views.signature

    def loss(self, batch: Batch) -> Loss:
        with computing(self.trained, self._config.train.precision):
            outputs = self.head(self.embedder.embed(batch.features), training=True)
        return self._task.loss_of(tf.cast(outputs, tf.float32), batch)

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        """Predicts whole images as the exported model would, see `encoded_frames.answers`."""
        if not records:
            return self._task.predict(records, batch_size)
        return answers(self._answer, self._frames, records, batch_size, self.judge.read)

    def finish(self) -> None:
        """Thresholds stay those of the head on stored features."""

    def facts(self) -> dict[str, Any]:
        return self._task.facts()

    def model(self) -> ExportedModel:
        return self._model

    def views(self, records: Sequence[LabelRecord], start: int) -> tf.data.Dataset:
        """Batches from a step on; what a step sees depends on (seed, step) alone."""
        config = self._config
        batch_size, steps = config.head.batch_size, config.train.finetune_steps
        # The first of a batch are images as they are.
        plain = round(batch_size * config.train.originals)

        def generate():
            numbers = batches.order(
                len(records), batch_size, seed=config.train.seed, start=start, steps=steps
            )
            for step, chosen in enumerate(numbers, start):
                rng = np.random.default_rng([config.train.seed, step, 2])
                for position, i in enumerate(chosen):
                    drawn = self._views.draw(records[i], position >= plain, rng)
                    yield self._frames.read(records[i].key).image, *drawn

        def see(data, sampling, gain, *labels):
            frame = self.embedder.resized(embed.decode(data)[None])[0]
            return look(frame, sampling, gain, self._views.side), *labels

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
    the last checkpoint. The weights of the last step are kept; where images are held out, those
    that do best on them, of the start or of any evaluation.

    Args:
      start: of `train`, of the same settings; it stays as it is. What it held out of the training
        split stays held out.
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
    settings, batch_size = config.train, config.head.batch_size
    held_out = start.held_out
    frames = require_frames(folder, dataset)
    strategy = _strategy(devices)
    if batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"train.batch_size must be a multiple of the {strategy.num_replicas_in_sync} devices "
            f"that share each batch. Received: {batch_size}."
        )
    training.prepare(config)
    with strategy.scope():
        task = Tuned(config, dataset, frames)
        task.head.set_weights(start.task.head.get_weights())
        schedule = updates.cosine(settings.finetune_learning_rate, settings.finetune_steps)
        optimizer = updates.adamw(schedule, settings.weight_decay)
        if settings.precision == "mixed_float16":
            # Small gradients of half precision would become 0.
            optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
        optimizer.build(updates.variables_of(task))
    run = training.Run(
        task=task,
        optimizer=optimizer,
        batch_size=batch_size,
        digest=_digest(config, dataset, held_out),
        checkpoint=storage.place(checkpoints, CHECKPOINT),
        checkpoint_every=settings.checkpoint_every,
        logs=logs,
        judging=training.judging(
            task,
            settings,
            settings.finetune_steps,
            held_out or dataset.of("test"),
            bool(held_out),
        ),
    )
    names = {r.name for r in held_out}
    records = [r for r in dataset.of("train") if r.name not in names]
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


def _digest(config: Config, dataset: Dataset, held_out: Sequence[LabelRecord]) -> str:
    """Says whether a checkpoint belongs to this run: same start, settings, labels and frames."""
    head = training.run_digest(config, dataset, held_out)
    return storage.digest(
        ["finetune", head, outcome(config.train, FINETUNING), outcome(config.features, VIEWS)]
    )
