"""Score maps and location refinement: what pose of one animal and of several have in common."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import itertools
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from beampose.core.settings.experiment import Config
from beampose.trainer import batches, heads, losses, targets
from beampose.trainer.dataset import Dataset, PoseBatch
from beampose.trainer.embed import Embedder
from beampose.trainer.ensemble import average
from beampose.trainer.finetune_views import Windows
from beampose.trainer.heads import Maps
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks.contract import Loss
from beampose.trainer.tasks.head_task import HeadTask
from beampose.trainer.traced import traced


class MapTask(HeadTask[PoseBatch]):
    """A head on feature maps.

    Args:
      edges: number of part affinity fields.
      identities: number of animals that it learns to tell apart, 0 for none.
    """

    def __init__(self, config: Config, dataset: Dataset, *, edges: int = 0, identities: int = 0):
        head = heads.pose_head(
            dims=dataset.dims,
            bodyparts=len(dataset.bodyparts),
            hidden=config.train.hidden,
            layers=config.layers,
            dropout=config.train.dropout,
            more=2 * edges + identities,
        )
        super().__init__(config, dataset, head, batches.pose_signature(dataset))
        self.edges = edges

    def make_batch(self, records: Sequence[LabelRecord], rng: np.random.Generator) -> PoseBatch:
        """Windows of the maps, most of them around a labeled point."""
        return self.dataset.pose_batch(records, window=self._config.head.window, rng=rng)

    def loss_of(self, outputs: tf.Tensor, batch: PoseBatch) -> Loss:
        train, shape = self._config.train, tf.shape(outputs)
        x, y = targets.centres(shape[1], shape[2], batch.cell, batch.origin)
        maps = heads.split(outputs, len(self.dataset.bodyparts), self.edges)
        scoremap, locref = targets.pose_targets(
            batch.keypoints,
            x,
            y,
            pos_dist_thresh=self._config.head.pos_dist_thresh,
            locref_stdev=train.locref_stdev,
        )
        scoremap *= batch.inside[..., None]
        parts = {
            "scoremap_loss": losses.scoremap_loss(maps.scoremap, scoremap, batch.inside),
            "locref_loss": losses.locref_loss(maps.locref, locref, scoremap),
        }
        total = parts["scoremap_loss"] + train.locref_weight * parts["locref_loss"]
        for name, weight, loss in self._more_losses(maps, batch, x, y):
            parts[name] = loss
            total += weight * loss
        return total, parts

    def views(self, embedder: Embedder) -> Windows:
        return Windows(self._config, self.dataset, embedder)

    def _more_losses(
        self, maps: Maps, batch: PoseBatch, x: tf.Tensor, y: tf.Tensor
    ) -> Iterator[tuple[str, float, tf.Tensor]]:
        """Name, weight and value of what is learned beside the maps of one animal."""
        yield from ()

    def _compiled(self, answer: Callable) -> Callable:
        """A function of features, cell and inside as a graph."""
        maps = self.signature
        return traced(answer, [maps.features, maps.cell, maps.inside])

    def _answers(self, answer: Callable, records: Sequence[LabelRecord], batch_size: int):
        """What the compiled function says of each batch of whole maps.

        Images of one size go together: padding would reach into a map through the convolutions, and
        a film has none.
        """
        for _, run in itertools.groupby(records, key=lambda r: (r.width, r.height)):
            alike = list(run)
            for start in range(0, len(alike), batch_size):
                batch = self.dataset.pose_batch(alike[start : start + batch_size])
                yield answer(batch.features, batch.cell, batch.inside)


def said(
    members: Sequence[keras.Model],
    features: tf.Tensor,
    bodyparts: int,
    edges: int = 0,
    inside: tf.Tensor | None = None,
) -> list[Maps]:
    """Maps of each head, their score maps as probabilities.

    Args:
      features: (batch, rows, columns, dims).
      edges: number of part affinity fields.
      inside: (batch, rows, columns), 0 in padding, where no peak may be found.
    """
    features = tf.cast(features, tf.float32)
    found = []
    for head in members:
        maps = heads.split(head(features, training=False), bodyparts, edges)
        scoremap = tf.sigmoid(maps.scoremap)
        if inside is not None:
            scoremap *= inside[..., None]
        found.append(maps._replace(scoremap=scoremap))
    return found


def together(members: Sequence[Maps]) -> Maps:
    """The maps of several heads as one."""
    scoremaps = [maps.scoremap for maps in members]
    return Maps(
        average(scoremaps),
        # A head says nothing about the place of a bodypart where it does not see it.
        average([maps.locref for maps in members], [one[..., None] for one in scoremaps]),
        average([maps.paf for maps in members]),
        average([maps.identity for maps in members]),
    )
