"""The only training loop: resumable at any checkpoint, the same twice for one seed."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from upath import UPath

from beampose.core import storage, task_kinds
from beampose.core.settings.experiment import Config, Train
from beampose.core.settings.section import ANIMALS, HEAD, outcome
from beampose.trainer import heads, updates
from beampose.trainer.batches import groups, read, stream
from beampose.trainer.dataset import Dataset
from beampose.trainer.run_state import Board, Entry, State
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks import task_table
from beampose.trainer.tasks.contract import Trainable

LOG = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.npz"
# Evaluations of a training that does not say how many: enough to see a curve.
EVALUATIONS = 8


class Result(NamedTuple):
    """A trained task with its kept weights in place, and how it got there.

    Attributes:
      task: holds the head.
      history: one dict an evaluation: step, seconds, losses, and the score of the judged images.
      kept_step: where the kept weights are from.
      seconds: of training, over all runs, without evaluation.
      held_out: images of the training split whose score decided which weights are kept; empty:
        those of the last step are.
      kept_score: of the kept weights on the judged images; None if there is none.
    """

    task: Trainable
    history: list[Entry]
    kept_step: int
    seconds: float
    held_out: Sequence[LabelRecord] = ()
    kept_score: float | None = None


class Judging(NamedTuple):
    """Evaluations during a training.

    Attributes:
      images: whose score stands in the history.
      chooses: the weights with the best score are kept, not those of the last step. Never true
        where `images` is the test split, which only measures.
      after: says of a step whether an evaluation follows it; one always follows the last.
      enough: says of a history whether training ends here.
      also: more figures of predictions of the images, by name, for the history.
    """

    images: Sequence[LabelRecord]
    chooses: bool
    after: Callable[[int], bool]
    enough: Callable[[list[Entry]], bool]
    also: Callable[[np.ndarray], dict[str, float]] = lambda _: {}


class Run(NamedTuple):
    """A training, apart from its batches.

    Attributes:
      task: what it trains.
      optimizer: built for the task's variables.
      batch_size: of evaluation.
      digest: tells its checkpoint from another run's.
      checkpoint: file of its state.
      checkpoint_every: steps.
      logs: folder for TensorBoard.
      judging: when, by which images, and what follows from it.
    """

    task: Trainable
    optimizer: keras.optimizers.Optimizer
    batch_size: int
    digest: str
    checkpoint: UPath
    checkpoint_every: int
    logs: str
    judging: Judging


def train(
    config: Config,
    dataset: Dataset,
    *,
    checkpoints: str,
    logs: str,
    held_out: Sequence[LabelRecord] = (),
) -> Result:
    """Trains a head on the training split. The test split is measured and decides nothing.

    Args:
      config: all settings of the head are set, see `recipe.resolved`.
      checkpoints: folder for the state of the run; the same run continues from it.
      logs: folder for TensorBoard.
      held_out: images of the training split that are not learned from: weights are kept where they
        do best on them, and with `train.patience` training ends when that no longer improves. None:
        the weights of the last step are kept.

    Raises:
      ValueError: nothing to train on, or the loss became NaN or infinite.
    """
    prepare(config)
    names = {r.name for r in held_out}
    records = [r for r in dataset.of("train", copies=True) if r.name not in names]
    if not records:
        raise ValueError("The training split is empty. Lower split.test or add labels.")
    task = task_table.make(config, dataset)
    settings, steps = config.train, config.head.steps
    optimizer = updates.adamw(
        updates.cosine(config.head.learning_rate, steps), settings.weight_decay
    )
    optimizer.build(updates.variables_of(task))
    run = Run(
        task=task,
        optimizer=optimizer,
        batch_size=config.head.batch_size,
        digest=run_digest(config, dataset, held_out),
        checkpoint=storage.place(checkpoints, CHECKPOINT),
        checkpoint_every=settings.checkpoint_every,
        logs=logs,
        judging=judging(task, settings, steps, held_out or dataset.of("test"), bool(held_out)),
    )
    return fit(run, stream_of(config, task, records, steps), steps=steps)


def judging(
    task: Trainable, settings: Train, steps: int, images: Sequence[LabelRecord], chooses: bool
) -> Judging:
    """Evaluations at equal distances; where they choose, training ends after `train.patience`."""
    every = settings.evaluate_every or max(-(-steps // EVALUATIONS), 1)
    return Judging(
        images,
        chooses,
        lambda step: step % every == 0,
        lambda history: chooses and given_up(history, task, settings.patience),
    )


def prepare(config: Config) -> None:
    """Makes what follows the same every time: random numbers by the seed, sums in one order."""
    keras.utils.set_random_seed(config.train.seed)
    tf.config.experimental.enable_op_determinism()


def stream_of(
    config: Config, task, records: list[LabelRecord], steps: int
) -> Callable[[int], tf.data.Dataset]:
    """Batches of some records from a step on."""

    def batches(start: int) -> tf.data.Dataset:
        return stream(
            task.make_batch,
            groups(records, config.head.batch_size, config.train.originals),
            task.signature,
            seed=config.train.seed,
            start=start,
            steps=steps,
        )

    return batches


def fit(
    run: Run,
    batches: Callable[[int], Iterable],
    *,
    steps: int,
    strategy: tf.distribute.Strategy | None = None,
    judge_start: bool = False,
) -> Result:
    """The loop: continues from the run's checkpoint, evaluates, saves, keeps weights.

    Args:
      batches: those from a step on; what a step sees must depend on its number alone.
      steps: of the whole run.
      strategy: where `run.task` and `run.optimizer` were made, if on several devices.
      judge_start: evaluates before the first step too, so that already-best weights are kept.

    Raises:
      ValueError: the loss became NaN or infinite.
    """
    state = State(run.task.trained, run.optimizer)
    if run.checkpoint.is_file() and state.load(run.checkpoint, run.digest):
        LOG.info("Continuing at step %d of %d.", state.step, steps)
    elif judge_start:
        _evaluate(run, state, {})
    step = updates.update(run.task, run.optimizer, strategy)
    board = Board(run.logs)
    began = time.perf_counter()
    for batch in () if run.judging.enough(state.history) else read(batches(state.step)):
        total, parts = step(batch)
        state.step += 1
        state.add({"loss": total, **parts})
        done = state.step == steps
        if done or run.judging.after(state.step):
            _check_finite(float(total), state.step)
            state.seconds += time.perf_counter() - began
            _evaluate(run, state, state.mean_losses())
            board.write(state.step, state.history[-1])
            done = done or run.judging.enough(state.history)
            began = time.perf_counter()
        if done or state.step % run.checkpoint_every == 0:
            state.seconds += time.perf_counter() - began
            state.save(run.checkpoint, run.digest)
            board.publish()
            began = time.perf_counter()
        if done:
            break
    state.restore_best()
    run.task.finish()
    score = None if np.isnan(state.best_score) else state.best_score
    held_out = run.judging.images if run.judging.chooses else ()
    return Result(run.task, state.history, state.best_step, state.seconds, held_out, score)


def given_up(history: list[Entry], task: Trainable, patience: int) -> bool:
    """Whether the score has not improved for `patience` evaluations; 0 never gives up."""
    score, sign = task.kind.score, task.kind.sign
    found = [sign * float(entry[score]) for entry in history if score in entry]
    if not patience or len(found) <= patience:
        return False
    return len(found) - 1 - int(np.argmax(found)) >= patience


def run_digest(config: Config, dataset: Dataset, held_out: Sequence[LabelRecord] = ()) -> str:
    """Says whether a checkpoint belongs to this run: same settings, labels and features."""
    several = task_kinds.of_info(dataset.info).several
    settings = outcome(config.train, HEAD, *((ANIMALS,) if several else ()))
    labels = [
        (r.key, r.split, r.label, [None if v != v else v for v in r.keypoints.ravel().tolist()])
        for r in dataset.records
    ]
    chosen_by = sorted(r.name for r in held_out)
    parts = [config.task, settings, dataset.info.store, labels, chosen_by, heads.VERSION]
    return storage.digest(parts)


def _evaluate(run: Run, state: State, losses: dict) -> None:
    """Score of this step. A failure is recorded; it never ends the training."""
    task = run.task
    entry: Entry = {"step": state.step, "seconds": round(state.seconds, 3)}
    entry |= {name: float(value) for name, value in losses.items()}
    score = None
    try:
        if images := run.judging.images:
            predicted = task.predict(images, run.batch_size)
            score = task.judge.measure(images, predicted)[task.kind.score]
            entry |= run.judging.also(predicted)
            if score is not None:
                entry[task.kind.score] = score
    except (ValueError, ArithmeticError, tf.errors.OpError) as error:
        entry["evaluation_failed"] = f"{type(error).__name__}: {error}"
        LOG.warning("Evaluation at step %d failed (%s); training continues.", state.step, error)
    if not run.judging.chooses:
        state.keep(float("nan") if score is None else score)
    elif score is not None and not task.kind.sign * (score - state.best_score) <= 0:
        state.keep(score)
    state.history.append(entry)
    shown = "  ".join(f"{k} {v:.4g}" for k, v in entry.items() if isinstance(v, float))
    LOG.info("step %d  %s", state.step, shown)


def _check_finite(loss: float, step: int) -> None:
    if not np.isfinite(loss):
        raise ValueError(
            f"The loss is {loss} at step {step}: lower train.learning_rate (of finetuning "
            "train.finetune_learning_rate), or run `beampose check` for labels far outside their "
            "images."
        )
