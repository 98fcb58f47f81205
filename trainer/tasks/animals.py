"""The task of several animals: part affinity fields beside the maps of one, and assembly."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from beampose.core.infos import Figures
from beampose.core.settings.experiment import Config
from beampose.trainer import (
    assemble,
    batches,
    calibrate,
    decode,
    encoded_frames,
    graph,
    heads,
    losses,
    matching,
    metrics,
    targets,
)
from beampose.trainer.dataset import Dataset, PoseBatch
from beampose.trainer.schema import LabelRecord

# Peaks of a bodypart closer than this share of `pos_dist_thresh` mean one place.
APART = 0.5
# Training images by which thresholds are calibrated, at most.
CALIBRATED_BY = 64


class Reading(NamedTuple):
    """Settings for reading maps.

    Attributes:
      edges: int (edges, 2), indices of bodyparts.
      peaks: of each bodypart.
      locref_stdev, apart: see `decode.peaks`.
      bodyparts: their number.
      animals: how many channels of identity there are, 0 for none.
    """

    edges: np.ndarray
    peaks: int
    locref_stdev: float
    apart: float
    bodyparts: int
    animals: int


class Animals:
    """Score maps, location refinement, part affinity fields; individuals by assembly.

    Predictions are (images, individuals, bodyparts, 3): x, y in source pixels, likelihood; NaN =
    missing.
    """

    # mAP stays 0 for long and jumps; this figure, which decides what weights are kept, does not.
    score = "oks_f1"
    sign = 1.0

    def __init__(self, config: Config, dataset: Dataset):
        self._train = config.train
        self._pcutoff = config.predict.pcutoff
        self.dataset = dataset
        self.rules = _rules(config, dataset)
        animals = self.rules.animals
        self.reading = Reading(
            edges=self.rules.edges,
            peaks=config.train.peaks or animals + max(2, animals // 2),
            locref_stdev=config.train.locref_stdev,
            apart=APART * config.train.pos_dist_thresh,
            bodyparts=len(dataset.bodyparts),
            animals=animals if config.train.identity else 0,
        )
        self.head = heads.pose_head(
            dims=dataset.dims,
            bodyparts=len(dataset.bodyparts),
            hidden=config.train.hidden,
            layers=config.layers,
            dropout=config.train.dropout,
            more=2 * len(self.rules.edges) + self.reading.animals,
        )
        self.trained = [self.head]
        # What predicts: the head that is trained, or several that were.
        self.members = [self.head]
        self.signature = batches.pose_signature(dataset)
        maps = self.signature
        self._forward = tf.function(
            self._outputs, input_signature=[maps.features, maps.cell, maps.inside]
        )

    def make_batch(self, records: Sequence[LabelRecord], rng: np.random.Generator) -> PoseBatch:
        """A training batch: windows of the maps, most of them around a labeled point."""
        return self.dataset.pose_batch(records, window=self._train.window, rng=rng)

    def loss(self, batch: PoseBatch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Total loss of a batch in training, and its parts by name."""
        return self.loss_of(self.head(tf.cast(batch.features, tf.float32), training=True), batch)

    def loss_of(
        self, outputs: tf.Tensor, batch: PoseBatch
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss of what the head said, float32; the features of the batch are not used."""
        train, shape = self._train, tf.shape(outputs)
        x, y = targets.centres(shape[1], shape[2], batch.cell, batch.origin)
        maps = heads.split_animals(outputs, self.reading.bodyparts, len(self.reading.edges))
        radius = train.pos_dist_thresh
        scoremap, locref = targets.pose_targets(
            batch.keypoints, x, y, pos_dist_thresh=radius, locref_stdev=train.locref_stdev
        )
        scoremap *= batch.inside[..., None]
        parts = {
            "scoremap_loss": losses.scoremap_loss(maps.scoremap, scoremap, batch.inside),
            "locref_loss": losses.locref_loss(maps.locref, locref, scoremap),
        }
        total = parts["scoremap_loss"] + train.locref_weight * parts["locref_loss"]
        if len(self.reading.edges):
            paf = targets.paf_targets(
                batch.keypoints, x, y, self.reading.edges, width=train.paf_width
            )
            parts["paf_loss"] = losses.paf_loss(maps.paf, paf, batch.inside)
            total += train.paf_weight * parts["paf_loss"]
        if self.reading.animals:
            own = batch.keypoints[:, : self.reading.animals]
            discs = targets.identity_targets(own, x, y, pos_dist_thresh=radius)
            discs *= batch.inside[..., None]
            parts["identity_loss"] = losses.scoremap_loss(maps.identity, discs, batch.inside)
            total += parts["identity_loss"]
        return total, parts

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        """(images, individuals, bodyparts, 3): x, y in source pixels, likelihood; NaN = missing."""
        shape = (len(records), len(self.rules.individuals), len(self.rules.bodyparts), 3)
        found = np.full(shape, np.nan)
        for i, outputs in enumerate(self._answers(records, batch_size)):
            found[i] = assemble.assemble(outputs, self.rules)
        return found

    def measure(self, records: Sequence[LabelRecord], predicted: np.ndarray) -> Figures:
        return matching.measured(records, predicted, self.rules, self._pcutoff)

    def errors(self, records: Sequence[LabelRecord], predicted: np.ndarray) -> np.ndarray:
        """(images * individuals, bodyparts) source pixels, NaN where not labeled or not found."""
        truth = np.stack([r.keypoints for r in records])
        distance = metrics.distances(truth, self.matched(records, predicted))
        return distance.reshape(-1, truth.shape[2])

    def matched(self, records: Sequence[LabelRecord], predicted: np.ndarray) -> np.ndarray:
        """The predictions in the rows of the labels they match."""
        truth = np.stack([r.keypoints for r in records])
        return matching.match(truth, predicted, self.rules.animals)

    def read(self, outputs: dict[str, np.ndarray]) -> np.ndarray:
        """Outputs of the exported model as `predict` gives them."""
        return encoded_frames.read_animals(outputs, self.rules)

    def finish(self) -> None:
        """Calibrates the thresholds of assembly by training images."""
        records = self.dataset.of("train")
        step = max(len(records) // CALIBRATED_BY, 1)
        records = records[::step][:CALIBRATED_BY]
        self.rules = calibrate.calibrate(
            self.rules,
            [r.keypoints for r in records],
            self._answers(records, self._train.batch_size),
            self._train.pos_dist_thresh,
        )

    def facts(self) -> dict[str, Any]:
        """Entries of info.json that assembly needs."""
        reading = {"peaks": self.reading.peaks, "apart": float(self.reading.apart)}
        return {"assembly": assemble.facts(self.rules).replace(**reading)}

    def _answers(self, records: Sequence[LabelRecord], batch_size: int):
        """Outputs of each image, as the exported model gives them."""
        for start in range(0, len(records), batch_size):
            batch = self.dataset.pose_batch(records[start : start + batch_size])
            found = self._forward(batch.features, batch.cell, batch.inside)
            given = {name: value.numpy() for name, value in found.items()}
            for i in range(len(batch.cell)):
                yield {name: value[i] for name, value in given.items()}

    def _outputs(self, features: tf.Tensor, cell: tf.Tensor, inside: tf.Tensor) -> dict:
        found, _ = outputs(self.members, features, cell, self.reading, inside)
        return found


def outputs(
    members: Sequence[keras.Model],
    features: tf.Tensor,
    cell: tf.Tensor,
    reading: Reading,
    inside: tf.Tensor | None = None,
) -> tuple[dict[str, tf.Tensor], decode.Peaks]:
    """Features (batch, rows, columns, dims) to what `assemble.assemble` takes, and the peaks.

    Args:
      members: the head; or several, whose maps are averaged.
      cell: (batch, 2), width and height of a cell in source pixels.
      inside: (batch, rows, columns), 0 in padding, where no peak may be found.
    """
    features = tf.cast(features, tf.float32)
    shape = tf.shape(features)
    x, y = targets.centres(shape[1], shape[2], cell, tf.zeros_like(cell))
    maps = _averaged(
        [
            heads.split_animals(
                head(features, training=False), reading.bodyparts, len(reading.edges)
            )
            for head in members
        ]
    )
    scoremap = maps.scoremap if inside is None else maps.scoremap * inside[..., None]
    peaks = decode.peaks(
        scoremap,
        maps.locref,
        x,
        y,
        locref_stdev=reading.locref_stdev,
        count=reading.peaks,
        apart=reading.apart,
    )
    found = {
        "peaks": peaks.place,
        "likelihood": peaks.likelihood,
        "edge_costs": decode.edge_costs(peaks, maps.paf, cell, reading.edges),
    }
    if reading.animals:
        found["identity"] = decode.at_cells(maps.identity, peaks.cells)
    return found, peaks


def _averaged(members: Sequence[heads.AnimalMaps]) -> heads.AnimalMaps:
    """Maps of several heads as one, their score maps as probabilities."""
    sure = [tf.sigmoid(maps.scoremap) for maps in members]
    if len(members) == 1:
        return members[0]._replace(scoremap=sure[0])
    total = tf.add_n(sure)
    # A head says nothing about the place of a bodypart where it does not see it.
    weighted = tf.add_n([m.locref * one[..., None] for m, one in zip(members, sure, strict=True)])
    return heads.AnimalMaps(
        total / len(members),
        tf.math.divide_no_nan(weighted, total[..., None]),
        tf.add_n([maps.paf for maps in members]) / len(members),
        tf.add_n([maps.identity for maps in members]) / len(members),
    )


def _rules(config: Config, dataset: Dataset) -> assemble.Rules:
    """Those of a head that has learned nothing, with the graph and the reach of the labels."""
    bodyparts, individuals = dataset.bodyparts, dataset.info.individuals
    unique = [bodyparts.index(name) for name in dataset.info.unique_bodyparts]
    animals = len(individuals) - bool(unique)
    records = dataset.of("train")
    known = np.concatenate([r.keypoints[:animals] for r in records])
    skeleton = [(bodyparts.index(a), bodyparts.index(b)) for a, b in dataset.info.edges]
    common = [i for i in range(len(bodyparts)) if i not in unique]
    edges = graph.choose(known, common, skeleton, most=config.train.edges)
    reach = decode.reaches(known) if config.train.plausible else None
    return assemble.Rules(
        individuals=tuple(individuals),
        bodyparts=tuple(bodyparts),
        animals=animals,
        unique=tuple(unique),
        edges=edges,
        min_affinity=np.full(len(edges), assemble.MIN_AFFINITY),
        weights=np.ones(len(edges)),
        reach=np.full((len(bodyparts),) * 2, np.inf) if reach is None else reach.astype(float),
        min_likelihood=assemble.MIN_LIKELIHOOD,
        min_parts=calibrate.least_parts(known[:, common]),
        identity=config.train.identity,
    )
