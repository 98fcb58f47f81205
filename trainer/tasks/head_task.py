"""A head that learns from stored features: what all tasks have in common."""

from typing import Any, ClassVar, Generic

import keras
import tensorflow as tf

from beampose.core.settings.experiment import Config
from beampose.core.task_kinds import TaskKind
from beampose.trainer import embed
from beampose.trainer.dataset import Dataset
from beampose.trainer.embed import Embedder
from beampose.trainer.tasks.contract import Batch, ExportedModel, Loss


class HeadTask(Generic[Batch]):
    """The part of `contract.Task` that does not depend on what is learned."""

    kind: ClassVar[TaskKind]
    edges = 0

    def __init__(self, config: Config, dataset: Dataset, head: keras.Model, signature: Batch):
        self._config = config
        self.dataset = dataset
        self.head = head
        self.trained = [head]
        self.members = [head]
        self.signature = signature

    def loss(self, batch: Batch) -> Loss:
        return self.loss_of(self.head(tf.cast(batch.features, tf.float32), training=True), batch)

    def loss_of(self, outputs: tf.Tensor, batch: Batch) -> Loss:
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing follows the last step."""

    def facts(self) -> dict[str, Any]:
        return {}

    def model(self) -> ExportedModel:
        recipe, weights = self.dataset.store_info.recipe, self._config.weights
        return self.model_of(embed.of_store(recipe, weights, self.dataset.store))

    def model_of(self, embedder: Embedder) -> ExportedModel:
        raise NotImplementedError
