"""What is exported for several animals: peaks of bodyparts and what joins them."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from beampose.core.names import DESCRIPTORS
from beampose.core.task_kinds import ANIMAL_CROP
from beampose.trainer import decode, embed, matching, targets
from beampose.trainer.backbone import resize
from beampose.trainer.embed import FRAMES
from beampose.trainer.tasks import exported, map_task
from beampose.trainer.tasks.contract import Tensors
from beampose.trainer.tasks.exported import EMBEDDING, signature

# A peak is sure from this likelihood on; so far it may move after a reload, in pixels, and its
# links may change; and so many peaks may be others.
SURE = 0.1
AGREED = 1e-2
LOST = 0.1


class Reading(NamedTuple):
    """How maps are read.

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


class AnimalsModel(exported.MapModel):
    """Images of any size to peaks of bodyparts and what joins them, in their own pixels.

    `assemble.assemble` makes individuals of the outputs of one frame. Outputs of all signatures:
    `peaks` float32 (batch, bodyparts, peaks, 2), x then y; `likelihood` (batch, bodyparts, peaks),
    from the highest down, 0 where there is no peak; `edge_costs` (batch, edges, peaks, peaks), see
    `decode.edge_costs`; and `identity` (batch, bodyparts, peaks, animals), logits, if it was
    learned. Signatures `descriptors` and `window` also give `descriptors` bfloat16 (batch,
    bodyparts, peaks, dims), the features at each peak's cell, which tell animals from each other;
    signature `crops` the features of a whole animal, cut out.
    """

    # Equal peaks in another order are the same answer: see `check`.
    tolerances = {"likelihood": 1e-4}

    def __init__(self, embedder: embed.Embedder, heads: Sequence[keras.Model], reading: Reading):
        super().__init__(embedder, heads)
        self._reading = reading

    def answer(self, features: tf.Tensor, cell: tf.Tensor, origin: tf.Tensor) -> Tensors:
        found, _ = outputs(self.heads, features, cell, self._reading)
        return {**found, "peaks": found["peaks"] + origin[:, None, None]}

    def answer_in_full(self, features: tf.Tensor, cell: tf.Tensor, origin: tf.Tensor) -> Tensors:
        """As `answer`, with the features at every peak."""
        found, peaks = outputs(self.heads, features, cell, self._reading)
        described = decode.at_cells(features, peaks.cells)
        moved = found["peaks"] + origin[:, None, None]
        return {**found, "peaks": moved, DESCRIPTORS: described}

    def descriptors(self, frames: tf.Tensor) -> Tensors:
        """As `frames`, with the features at every peak."""
        return self._described(self.embedder.of_frames(frames), exported.sizes(frames))

    def _described(self, features: tf.Tensor, size: tf.Tensor) -> Tensors:
        cell = exported.cell(features, size)
        return self.answer_in_full(features, cell, tf.zeros_like(cell))

    def _of_described_maps(self, *given: tf.Tensor) -> Tensors:
        return self._described(self.embedder.of_maps(given[:-1]), given[-1])

    def crops(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 crops (batch, height, width, 3) of an animal each: `embedding` bfloat16 (batch,
        dims), the mean of their features."""
        maps = self.embedder.shared(resize(frames, ANIMAL_CROP, ANIMAL_CROP))
        return {EMBEDDING: tf.cast(tf.reduce_mean(maps, axis=[1, 2]), tf.bfloat16)}

    def outputs(self) -> dict[str, tf.TensorSpec]:
        parts, peaks, edges = self._reading.bodyparts, self._reading.peaks, self._reading.edges
        outputs = {
            "peaks": tf.TensorSpec((parts, peaks, 2), tf.float32),
            "likelihood": tf.TensorSpec((parts, peaks), tf.float32),
            "edge_costs": tf.TensorSpec((len(edges), peaks, peaks), tf.float32),
        }
        if self._reading.animals:
            shape = (parts, peaks, self._reading.animals)
            outputs["identity"] = tf.TensorSpec(shape, tf.float32)
        return outputs

    def signatures(self) -> dict[str, Callable]:
        taken = [exported.frames_spec()]
        parts = self.parts(
            DESCRIPTORS, self.embedder.pixels, taken, self._of_described_maps, [exported.SIZES]
        )
        return {
            **super().signatures(),
            DESCRIPTORS: signature(self.descriptors, frames=FRAMES),
            **parts,
            "crops": signature(self.crops, frames=FRAMES),
        }

    def check(self, answer: Tensors, expected: Tensors, who: str) -> None:
        """Nearly every sure peak must be answered again, with its links.

        Not all: of two neighbours equally high in a map, rounding decides which is the peak.
        """
        super().check(answer, expected, who)
        moved, links = self._moves(answer, expected)
        for what, differences in (("peaks", moved), ("edge costs", links)):
            share = float((differences > AGREED).mean()) if differences.size else 0.0
            if share > LOST:
                raise RuntimeError(
                    f"{who} answers {share:.0%} of {what} with a difference of more than "
                    f"{AGREED:g} from the trained one; {LOST:.0%} may be."
                )

    def distance(self, features: np.ndarray, size: tuple[int, int], expected: Tensors) -> float:
        """In pixels, of half of the sure peaks at most."""
        found = self.features(tf.constant(features[None]), tf.constant([size]))
        moved, _ = self._moves(found, expected)
        return float(np.median(moved)) if moved.size else 0.0

    def _moves(self, answer: Tensors, expected: Tensors) -> tuple[np.ndarray, np.ndarray]:
        """How far sure peaks of one image moved, in pixels, and how much their links changed."""
        own, given = ({k: v.numpy()[0] for k, v in one.items()} for one in (expected, answer))
        sure = own["likelihood"] >= SURE
        distance, twin = matching.nearest(own["peaks"], given["peaks"])
        changes = [np.empty(0)]
        pairs = zip(self._reading.edges, own["edge_costs"], given["edge_costs"], strict=True)
        for (a, b), cost, other in pairs:
            both = sure[a][:, None] & sure[b]
            changes.append(np.abs(cost - other[np.ix_(twin[a], twin[b])])[both])
        return distance[sure], np.concatenate(changes)


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
    shape = tf.shape(features)
    x, y = targets.centres(shape[1], shape[2], cell, tf.zeros_like(cell))
    said = map_task.said(members, features, reading.bodyparts, len(reading.edges), inside)
    maps = map_task.together(said)
    peaks = decode.peaks(
        maps.scoremap,
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
