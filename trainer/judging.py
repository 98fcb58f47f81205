"""How predictions are held against labels: of a head in training, of an exported model alike."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from beampose.core import task_kinds
from beampose.core.infos import Figures, ModelInfo
from beampose.trainer import assemble, matching, metrics
from beampose.trainer.assemble import Rules

if TYPE_CHECKING:
    from beampose.trainer.schema import LabelRecord


class Judge(Protocol):
    """Reads and measures the predictions of a task; there is one for each.

    Attributes:
      names: bodyparts or classes.
      individuals: names of the rows of several animals, else empty.
    """

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def individuals(self) -> tuple[str, ...]: ...

    def read(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predictions (images, …) from the outputs of an exported model for a batch."""
        ...

    def measure(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> Figures:
        """Figures of predictions, as in metrics.json."""
        ...

    def matched(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> np.ndarray:
        """The predictions in the rows of the labels they match."""
        ...

    def errors(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> np.ndarray:
        """(rows, names): in source pixels, NaN where not labeled or found; of classes 1 or 0."""
        ...

    def tally(
        self, records: Sequence["LabelRecord"], predicted: np.ndarray, near: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sum and number of the errors of each image, see `TaskKind.error`.

        Args:
          near: source pixels within which a point of several animals counts as found.
        """
        ...


class Points(NamedTuple):
    """Of one animal: predictions (images, bodyparts, 3), x, y in source pixels, likelihood."""

    names: Sequence[str]
    pcutoff: float

    individuals = ()

    @classmethod
    def of_info(cls, info: ModelInfo, pcutoff: float) -> "Points":
        return cls(info.bodyparts, pcutoff)

    def read(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        likelihood = outputs["likelihood"][:, 0, :, None]
        return np.concatenate([outputs["keypoints"][:, 0], likelihood], axis=-1)

    def measure(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> Figures:
        found = metrics.pose_metrics(_first(records), predicted, list(self.names), self.pcutoff)
        return metrics.with_negatives(found, _first(records), predicted, self.pcutoff)

    def matched(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> np.ndarray:
        return predicted

    def errors(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> np.ndarray:
        return metrics.distances(_first(records), predicted)

    def tally(
        self, records: Sequence["LabelRecord"], predicted: np.ndarray, near: float
    ) -> tuple[np.ndarray, np.ndarray]:
        return _summed(self.errors(records, predicted))


class Individuals(NamedTuple):
    """Of several: predictions (images, individuals, bodyparts, 3), NaN = missing."""

    rules: Rules
    pcutoff: float

    @classmethod
    def of_info(cls, info: ModelInfo, pcutoff: float) -> "Individuals":
        return cls(assemble.rules(info), pcutoff)

    @property
    def names(self) -> Sequence[str]:
        return self.rules.bodyparts

    @property
    def individuals(self) -> tuple[str, ...]:
        return self.rules.individuals

    def read(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        count = len(outputs["likelihood"])
        each = ({name: value[i] for name, value in outputs.items()} for i in range(count))
        return np.stack([assemble.assemble(one, self.rules) for one in each])

    def measure(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> Figures:
        found = matching.measured(records, predicted, self.rules, self.pcutoff)
        return metrics.with_negatives(found, _all(records), predicted, self.pcutoff)

    def matched(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> np.ndarray:
        return matching.match(_all(records), predicted, self.rules.animals)

    def errors(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> np.ndarray:
        distance = metrics.distances(_all(records), self.matched(records, predicted))
        return distance.reshape(-1, distance.shape[-1])

    def tally(
        self, records: Sequence["LabelRecord"], predicted: np.ndarray, near: float
    ) -> tuple[np.ndarray, np.ndarray]:
        distance = self.errors(records, predicted).reshape(len(records), -1)
        labeled = np.isfinite(_all(records)[..., 0]).reshape(len(records), -1)
        # NaN, which is not found, is not within any distance.
        missed = labeled & ~(distance <= near)
        return missed.sum(axis=1).astype(float), labeled.sum(axis=1).astype(float)


class Classes(NamedTuple):
    """Of crops: predictions (images, classes), scores."""

    names: Sequence[str]

    individuals = ()

    @classmethod
    def of_info(cls, info: ModelInfo, pcutoff: float) -> "Classes":
        return cls(info.classes)

    def read(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return outputs["scores"]

    def measure(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> Figures:
        labels = np.array([r.label for r in records])
        return metrics.crop_metrics(labels, predicted, list(self.names), metrics.THRESHOLD)

    def matched(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> np.ndarray:
        return predicted

    def errors(self, records: Sequence["LabelRecord"], predicted: np.ndarray) -> np.ndarray:
        labels = np.array([r.label for r in records])
        return (metrics.called(predicted, metrics.THRESHOLD) != labels).astype(float)[:, None]

    def tally(
        self, records: Sequence["LabelRecord"], predicted: np.ndarray, near: float
    ) -> tuple[np.ndarray, np.ndarray]:
        return _summed(self.errors(records, predicted))


_JUDGES = {
    task_kinds.POSE.name: Points.of_info,
    task_kinds.ANIMALS.name: Individuals.of_info,
    task_kinds.CROPS.name: Classes.of_info,
}


def of_info(info: ModelInfo, pcutoff: float) -> Judge:
    """The judge of an exported model.

    Args:
      info: the model's info.json.
      pcutoff: likelihood from which a keypoint counts as sure.
    """
    return _JUDGES[task_kinds.of_info(info).name](info, pcutoff)


def _first(records: Sequence["LabelRecord"]) -> np.ndarray:
    return np.stack([r.keypoints[0] for r in records])


def _all(records: Sequence["LabelRecord"]) -> np.ndarray:
    return np.stack([r.keypoints for r in records])


def _summed(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.nansum(errors, axis=1), np.isfinite(errors).sum(axis=1).astype(float)
