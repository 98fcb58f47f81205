"""The task of several animals: part affinity fields beside the maps of one, and assembly."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from beampose.core import task_kinds
from beampose.core.settings.experiment import Config
from beampose.trainer import assemble, calibrate, decode, graph, losses, targets
from beampose.trainer.dataset import Dataset, PoseBatch
from beampose.trainer.embed import Embedder
from beampose.trainer.heads import Maps
from beampose.trainer.judging import Individuals
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks import animals_model
from beampose.trainer.tasks.animals_model import AnimalsModel, Reading
from beampose.trainer.tasks.map_task import MapTask

# Peaks of a bodypart closer than this share of `pos_dist_thresh` mean one place.
APART = 0.5
# Training images by which thresholds are calibrated, at most.
CALIBRATED_BY = 64


class Animals(MapTask):
    """Score maps, location refinement, part affinity fields; individuals by assembly.

    Predictions are (images, individuals, bodyparts, 3): x, y in source pixels, likelihood; NaN =
    missing.
    """

    kind = task_kinds.ANIMALS

    def __init__(self, config: Config, dataset: Dataset):
        self.rules = _rules(config, dataset)
        animals = self.rules.animals
        self.reading = Reading(
            edges=self.rules.edges,
            peaks=config.train.peaks or animals + max(2, animals // 2),
            locref_stdev=config.train.locref_stdev,
            apart=APART * config.head.pos_dist_thresh,
            bodyparts=len(dataset.bodyparts),
            animals=animals if config.train.identity else 0,
        )
        edges, identities = len(self.reading.edges), self.reading.animals
        super().__init__(config, dataset, edges=edges, identities=identities)
        self._forward = self._compiled(self._outputs)

    @property
    def judge(self) -> Individuals:
        return Individuals(self.rules, self._config.predict.pcutoff)

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        shape = (len(records), len(self.rules.individuals), len(self.rules.bodyparts), 3)
        found = np.full(shape, np.nan)
        for i, outputs in enumerate(self._images(records, batch_size)):
            found[i] = assemble.assemble(outputs, self.rules)
        return found

    def finish(self) -> None:
        """Calibrates the thresholds of assembly by training images."""
        records = self.dataset.of("train")
        step = max(len(records) // CALIBRATED_BY, 1)
        records = records[::step][:CALIBRATED_BY]
        self.rules = calibrate.calibrate(
            self.rules,
            [r.keypoints for r in records],
            self._images(records, self._config.head.batch_size),
            self._config.head.pos_dist_thresh,
        )

    def facts(self) -> dict[str, Any]:
        """Entries of info.json that assembly needs."""
        reading = {"peaks": self.reading.peaks, "apart": float(self.reading.apart)}
        return {"assembly": assemble.facts(self.rules).replace(**reading)}

    def model_of(self, embedder: Embedder) -> AnimalsModel:
        return AnimalsModel(embedder, self.members, self.reading)

    def _more_losses(
        self, maps: Maps, batch: PoseBatch, x: tf.Tensor, y: tf.Tensor
    ) -> Iterator[tuple[str, float, tf.Tensor]]:
        train, radius = self._config.train, self._config.head.pos_dist_thresh
        if len(self.reading.edges):
            paf = targets.paf_targets(
                batch.keypoints, x, y, self.reading.edges, width=train.paf_width
            )
            yield "paf_loss", train.paf_weight, losses.paf_loss(maps.paf, paf, batch.inside)
        if self.reading.animals:
            own = batch.keypoints[:, : self.reading.animals]
            discs = targets.identity_targets(own, x, y, pos_dist_thresh=radius)
            discs *= batch.inside[..., None]
            yield "identity_loss", 1.0, losses.scoremap_loss(maps.identity, discs, batch.inside)

    def _images(
        self, records: Sequence[LabelRecord], batch_size: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """Outputs of each image, as the exported model gives them."""
        for found in self._answers(self._forward, records, batch_size):
            given = {name: value.numpy() for name, value in found.items()}
            for i in range(len(given["likelihood"])):
                yield {name: value[i] for name, value in given.items()}

    def _outputs(self, features: tf.Tensor, cell: tf.Tensor, inside: tf.Tensor) -> dict:
        return animals_model.outputs(self.members, features, cell, self.reading, inside)[0]


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
