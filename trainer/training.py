"""The only training loop: resumable at any checkpoint, the same twice for one seed."""

import json
import logging
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from upath import UPath

from beampose.core import storage, task_kinds
from beampose.core.infos import Figures
from beampose.core.settings.experiment import Config, Train
from beampose.core.settings.section import ANIMALS, HEAD, outcome
from beampose.trainer.batches import groups, stream
from beampose.trainer.dataset import Dataset
from beampose.trainer.noise import Noise
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks import task_table
from beampose.trainer.tasks.contract import Trainable

LOG = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.npz"
PROBED_STEPS = 10
# One of a training's history: numbers by name, and maybe why an evaluation failed.
Entry = dict[str, float | str]


class Result(NamedTuple):
    """A trained task with its best weights in place, and how it got there.

    Attributes:
      task: holds the head.
      history: one dict an evaluation: step, seconds, losses, and the held-out score.
      best_step: where the kept weights are from.
      last: held-out metrics of the last step; None if nothing is held out, or if the run was whole
        before and nothing was left to train.
      seconds: of training, over all runs, without evaluation.
      best_score: held-out score of the kept weights; None if they were not chosen by one.
    """

    task: Trainable
    history: list[Entry]
    best_step: int
    last: Figures | None
    seconds: float
    best_score: float | None = None


class Run(NamedTuple):
    """A training, apart from its batches.

    Attributes:
      task: what it trains.
      optimizer: built for the task's variables.
      settings: when to evaluate, to save and to give up.
      digest: tells its checkpoint from another run's.
      checkpoint: file of its state.
      logs: folder for TensorBoard.
      held_out: records whose score decides which weights are kept; empty keeps the last.
    """

    task: Trainable
    optimizer: keras.optimizers.Optimizer
    settings: Train
    digest: str
    checkpoint: UPath
    logs: str
    held_out: list[LabelRecord]


class _Board:
    """TensorBoard's log of a run; one in a bucket is written here and copied at checkpoints."""

    def __init__(self, folder: str):
        self._folder = folder
        self._local = Path(folder) if storage.is_local(folder) else storage.scratch(self)
        self._writer = tf.summary.create_file_writer(str(self._local))

    def write(self, step: int, entry: Entry) -> None:
        with self._writer.as_default(step=step):
            for name, value in entry.items():
                if isinstance(value, float):
                    tf.summary.scalar(name, value)

    def publish(self) -> None:
        self._writer.flush()
        if not storage.is_local(self._folder):
            storage.upload(self._local, self._folder)


class _State:
    """State a killed run needs to continue: weights, optimizer, history, best weights so far."""

    def __init__(self, trained: Sequence[keras.Model], optimizer: keras.optimizers.Optimizer):
        # `variables` includes the state of dropout's random generators; `weights` does not.
        self._variables = [v for model in trained for v in model.variables]
        self._live = [*self._variables, *optimizer.variables]
        self.step = 0
        self.seconds = 0.0
        self.history: list[Entry] = []
        self.best_step = 0
        self.best_score = float("nan")
        self.best = [v.numpy() for v in self._variables]

    def keep(self, score: float) -> None:
        self.best_step, self.best_score = self.step, score
        self.best = [v.numpy() for v in self._variables]

    def restore_best(self) -> None:
        for variable, value in zip(self._variables, self.best, strict=True):
            variable.assign(value)

    def save(self, file: UPath, run: str) -> None:
        facts = {
            "run": run,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "best_step": self.best_step,
            "best_score": self.best_score,
        }
        arrays = {f"live{i}": v.numpy() for i, v in enumerate(self._live)}
        arrays |= {f"best{i}": value for i, value in enumerate(self.best)}
        with storage.replacing(file) as temporary, temporary.open("wb") as handle:
            np.savez(handle, facts=np.array(json.dumps(facts)), allow_pickle=False, **arrays)

    def load(self, file: UPath, run: str) -> bool:
        """Takes up the run the file belongs to; False if it is another run's, or damaged."""
        try:
            with file.open("rb") as handle, np.load(handle, allow_pickle=False) as saved:
                facts = json.loads(str(saved["facts"]))
                if facts.pop("run") != run:
                    LOG.info("%s belongs to other settings or labels: training starts again.", file)
                    return False
                live = [saved[f"live{i}"] for i in range(len(self._live))]
                self.best = [saved[f"best{i}"] for i in range(len(self.best))]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            LOG.warning("%s cannot be read (%s): training starts again.", file, error)
            return False
        for variable, value in zip(self._live, live, strict=True):
            variable.assign(value)
        for name, value in facts.items():
            setattr(self, name, value)
        return True


def train(
    config: Config, dataset: Dataset, *, checkpoints: str, logs: str, choose: bool = True
) -> Result:
    """Trains a head on the training split, keeping the weights that do best on the test split.

    Args:
      choose: False keeps the weights of the last step and does not use the test split.
      checkpoints: folder for the state of the run; the same run continues from it.
      logs: folder for TensorBoard.

    Raises:
      ValueError: nothing to train on, or the loss became NaN or infinite.
    """
    keras.utils.set_random_seed(config.train.seed)
    tf.config.experimental.enable_op_determinism()
    records = dataset.of("train", copies=True)
    if not records:
        raise ValueError("The training split is empty. Lower split.test or add labels.")
    task = task_table.make(config, dataset)
    settings = config.train
    optimizer = adamw(settings.learning_rate, settings.steps, settings.weight_decay)
    optimizer.build(variables_of(task))

    def batches(start: int) -> tf.data.Dataset:
        return stream(
            task.make_batch,
            groups(records, settings.batch_size, settings.originals),
            task.signature,
            seed=settings.seed,
            start=start,
            steps=settings.steps,
        )

    run = Run(
        task=task,
        optimizer=optimizer,
        settings=settings,
        digest=run_digest(config, dataset, choose),
        checkpoint=storage.place(checkpoints, CHECKPOINT),
        logs=logs,
        held_out=dataset.of("test") if choose else [],
    )
    return fit(run, batches, steps=settings.steps)


def adamw(rate: float, steps: int, weight_decay: float) -> keras.optimizers.Optimizer:
    """The optimizer of all training: AdamW whose rate falls as a cosine to 0."""
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.AdamW(schedule, weight_decay=weight_decay)  # pyright: ignore[reportArgumentType]


def variables_of(task: Trainable) -> list:
    """What the gradient changes."""
    return [v for model in task.trained for v in model.trainable_variables]


def fit(
    run: Run,
    batches: Callable[[int], Iterable],
    *,
    steps: int,
    strategy: tf.distribute.Strategy | None = None,
    judge_start: bool = False,
) -> Result:
    """The loop: continues from the run's checkpoint, evaluates, saves, keeps the best weights.

    Args:
      batches: those from a step on; what a step sees must depend on its number alone.
      steps: of the whole run.
      strategy: where `run.task` and `run.optimizer` were made, if on several devices.
      judge_start: evaluates before the first step too, so that already-best weights are kept.

    Raises:
      ValueError: the loss became NaN or infinite.
    """
    task, settings, held_out = run.task, run.settings, run.held_out
    state = _State(task.trained, run.optimizer)
    if run.checkpoint.is_file() and state.load(run.checkpoint, run.digest):
        LOG.info("Continuing at step %d of %d.", state.step, steps)
    elif judge_start:
        _evaluate(task, state, {}, held_out, settings.batch_size)
    step = _compile(task, run.optimizer, strategy)
    board = _Board(run.logs)
    began = time.perf_counter()
    last = None
    for batch in () if _given_up(state.history, task, settings) else batches(state.step):
        total, parts = step(batch)
        state.step += 1
        done = state.step == steps
        if done or state.step % settings.evaluate_every == 0:
            _check_finite(float(total), state.step)
            state.seconds += time.perf_counter() - began
            losses = {"loss": total, **parts}
            last = _evaluate(task, state, losses, held_out, settings.batch_size)
            board.write(state.step, state.history[-1])
            done = done or _given_up(state.history, task, settings)
            began = time.perf_counter()
        if done or state.step % settings.checkpoint_every == 0:
            state.seconds += time.perf_counter() - began
            state.save(run.checkpoint, run.digest)
            board.publish()
            began = time.perf_counter()
        if done:
            break
    state.restore_best()
    task.finish()
    score = None if np.isnan(state.best_score) else state.best_score
    return Result(task, state.history, state.best_step, last, state.seconds, score)


def seconds_a_step(
    config: Config, *, dims: int, names: int, side: int, individuals: int = 1
) -> float:
    """Times some training steps on noise, for a plan.

    Args:
      dims: of the features.
      names: number of bodyparts or classes.
      side: of a square window, in cells.
      individuals: of pose.
    """
    noise = Noise(
        task_kinds.of_names(config.task, individuals),
        dims=dims,
        names=names,
        side=side,
        count=config.train.batch_size,
        individuals=individuals,
    )
    task = task_table.make(config, noise)
    optimizer = keras.optimizers.AdamW(config.train.learning_rate)
    optimizer.build(variables_of(task))
    step = _compile(task, optimizer)
    records = noise.records[: config.train.batch_size]
    batch = task.make_batch(records, np.random.default_rng(0))
    step(batch)
    began = time.perf_counter()
    for _ in range(PROBED_STEPS):
        total, _ = step(batch)
    float(total)  # pyright: ignore[reportPossiblyUnboundVariable]
    return (time.perf_counter() - began) / PROBED_STEPS


def _compile(
    task: Trainable,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy | None = None,
) -> Callable:
    variables = variables_of(task)
    kind = type(task.signature)

    def update(*parts):
        with tf.GradientTape() as tape:
            total, losses = task.loss(kind(*parts))
            scaled = optimizer.scale_loss(total)
        gradients = _agreed(tape.gradient(scaled, variables))
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return total, losses

    if strategy is None or strategy.num_replicas_in_sync == 1:
        alone = tf.function(update, input_signature=tuple(task.signature))
        return lambda batch: alone(*batch)

    @tf.function
    def together(parts):
        # The shares of the replicas add up, see `beampose.trainer.losses`; so do their gradients.
        shares = strategy.run(update, args=parts)
        return tf.nest.map_structure(
            lambda share: strategy.reduce(tf.distribute.ReduceOp.SUM, share, axis=None), shares
        )

    return lambda batch: together(_dealt(batch, strategy))


def _dealt(batch, strategy: tf.distribute.Strategy) -> tuple:
    """Each replica's slice of a batch."""
    count = strategy.num_replicas_in_sync

    def deal(part: tf.Tensor):
        slices = tf.split(part, count)
        return strategy.experimental_distribute_values_from_function(
            lambda context: slices[context.replica_id_in_sync_group]
        )

    return tuple(deal(part) for part in batch)


def _agreed(gradients: Sequence[Any]) -> Sequence[Any]:
    """Gradients that are not finite on one replica are so on all: loss scaling asks only one."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return gradients
    broken = [tf.reduce_any(~tf.math.is_finite(g)) for g in gradients]
    number = tf.cast(tf.reduce_any(tf.stack(broken)), tf.float32)
    number = replica.all_reduce(tf.distribute.ReduceOp.SUM, number)
    return [tf.where(number > 0, tf.constant(np.nan, g.dtype), g) for g in gradients]


def _evaluate(
    task: Trainable, state: _State, losses: dict, held_out: list[LabelRecord], batch_size: int
) -> Figures | None:
    """Held-out score of this step. A failure is recorded; it never ends the training."""
    entry: Entry = {"step": state.step, "seconds": round(state.seconds, 3)}
    entry |= {name: float(value) for name, value in losses.items()}
    measured = None
    try:
        if held_out:
            measured = task.judge.measure(held_out, task.predict(held_out, batch_size))
            score = measured[task.kind.score]
            if score is not None:
                entry[task.kind.score] = score
                if np.isnan(state.best_score) or task.kind.sign * (score - state.best_score) > 0:
                    state.keep(score)
    except (ValueError, ArithmeticError, tf.errors.OpError) as error:
        entry["evaluation_failed"] = f"{type(error).__name__}: {error}"
        LOG.warning("Evaluation at step %d failed (%s); training continues.", state.step, error)
    if not held_out:
        state.keep(float("nan"))
    state.history.append(entry)
    shown = "  ".join(f"{k} {v:.4g}" for k, v in entry.items() if isinstance(v, float))
    LOG.info("step %d  %s", state.step, shown)
    return measured


def _given_up(history: list[dict[str, Any]], task: Trainable, settings: Train) -> bool:
    """Whether the held-out score has not improved for `patience` evaluations."""
    score, sign = task.kind.score, task.kind.sign
    found = [sign * entry[score] for entry in history if score in entry]
    if not settings.patience or len(found) <= settings.patience:
        return False
    best = int(np.argmax(found))
    return len(found) - 1 - best >= settings.patience


def _check_finite(loss: float, step: int) -> None:
    if not np.isfinite(loss):
        raise ValueError(
            f"The loss is {loss} at step {step}: lower train.learning_rate (of finetuning "
            "train.finetune_learning_rate), or run `beampose check` for labels far outside their "
            "images."
        )


def run_digest(config: Config, dataset: Dataset, choose: bool) -> str:
    """Says whether a checkpoint belongs to this run: same settings, labels and features."""
    several = task_kinds.of_info(dataset.info).several
    settings = outcome(config.train, HEAD, *((ANIMALS,) if several else ()))
    labels = [
        (r.key, r.split, r.label, [None if v != v else v for v in r.keypoints.ravel().tolist()])
        for r in dataset.records
    ]
    return storage.digest([config.task, settings, dataset.info.store, labels, choose])
