"""The contract of a task: what the training loop, finetuning and export ask of each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import keras
import numpy as np
import tensorflow as tf

from beampose.core.task_kinds import TaskKind
from beampose.trainer.dataset import CropBatch, PoseBatch
from beampose.trainer.embed import Embedder
from beampose.trainer.judging import Judge
from beampose.trainer.schema import LabelRecord

Batch = TypeVar("Batch", PoseBatch, CropBatch)
Tensors = Mapping[str, tf.Tensor]
# The total, and its parts by name.
Loss = tuple[tf.Tensor, dict[str, tf.Tensor]]


class ExportedModel(Protocol):
    """What becomes a SavedModel: pixels in, predictions in source pixels or scores out."""

    embedder: Embedder
    heads: list[keras.Model]

    def frames(self, frames: tf.Tensor) -> Tensors:
        """The answers to uint8 (batch, height, width, 3), RGB, by name."""
        ...

    def signatures(self) -> dict[str, Callable]:
        """Of the SavedModel, by name."""
        ...

    def legacy(self) -> Callable | None:
        """Encoded images (batch,) to scores (batch, 2), for DeepMeerkat 2, if it can be that."""
        ...

    def calls(self, frames: tf.Tensor, encoded: tf.Tensor) -> dict[str, Tensors]:
        """Inputs of the signatures that answer to pixels, of the same images as both."""
        ...

    def check(self, answer: Tensors, expected: Tensors, who: str) -> None:
        """Holds a reloaded model's answer against the trained one's.

        Raises:
          RuntimeError: they differ by more than rounding.
        """
        ...

    def distance(self, features: np.ndarray, size: tuple[int, int], expected: Tensors) -> float:
        """How far the answer from stored features of an image is from that from its pixels.

        Args:
          features: of one image, as they are stored.
          size: height and width of the image.
        """
        ...


class Trainable(Protocol[Batch]):
    """What `training.fit` trains.

    Attributes:
      kind: what is known of the task.
      head: the network that is exported with the backbone, if there is one alone.
      members: what predicts: the head that is trained, or several that were.
      trained: the models whose weights a training changes.
      signature: specs of a batch.
    """

    kind: TaskKind
    head: keras.Model
    members: list[keras.Model]
    trained: list[keras.Model]
    signature: Batch

    @property
    def judge(self) -> Judge: ...

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch in training."""
        ...

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        """Predictions (images, …) as the task's judge reads them from the exported model."""
        ...

    def finish(self) -> None:
        """Follows the last step, with the weights that are kept."""
        ...

    def facts(self) -> dict[str, Any]:
        """What the model's info.json says of this task alone."""
        ...

    def model(self) -> ExportedModel:
        """What is exported, with the weights as they are."""
        ...


class Views(Protocol[Batch]):
    """What a step of finetuning sees of images.

    Attributes:
      side: of the square it sees, in pixels of what the backbone takes.
      signature: specs of a batch, its features float32 images (batch, side, side, 3).
    """

    side: int
    signature: Batch

    def draw(self, record: LabelRecord, changed: bool, rng: np.random.Generator) -> tuple:
        """What `views.look` takes, sampling and gain, and the labels of one image of a batch."""
        ...


class Task(Trainable[Batch], Protocol[Batch]):
    """A task whose head learns from stored features.

    Attributes:
      edges: part affinity fields of its head.
    """

    edges: int

    def make_batch(self, records: Sequence[LabelRecord], rng: np.random.Generator) -> Batch:
        """A training batch; what is drawn comes from `rng`."""
        ...

    def loss_of(self, outputs: tf.Tensor, batch: Batch) -> Loss:
        """The loss of what the head said, float32; the features of the batch are not used."""
        ...

    def model_of(self, embedder: Embedder) -> ExportedModel:
        """The members behind an embedder."""
        ...

    def views(self, embedder: Embedder) -> Views[Batch]:
        """What finetuning, of the backbone in the embedder, sees of images."""
        ...
