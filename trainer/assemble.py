"""Peaks of bodyparts to individuals, by optimal matching; NumPy and SciPy only.

It stands in `trainer` because training judges every step by it and `trainer` ships alone; what runs
a SavedModel on videos imports it from here.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from beampose.core.infos import Assembly, ModelInfo
from beampose.trainer.grouping import Animals

# Peaks below this are ignored, and links below this are none, unless a calibration says
# otherwise: DeepLabCut's pcutoff and pafthreshold.
MIN_LIKELIHOOD = 0.1
MIN_AFFINITY = 0.1
# Two bodyparts farther apart than this many times their largest distance in training frames are of
# two animals; and what that counts, against 1 of the best link.
STRETCH = 1.5
_APART = -1.0
# Fragments, as multiples of the animals there may be, among which some are still joined.
_FRAGMENTS = 3


class Rules(NamedTuple):
    """Assembly rules of a model; `rules` reads them from the model's info.json.

    Attributes:
      individuals: names of the rows, `single` the last if there are unique bodyparts.
      bodyparts: names of the columns.
      animals: how many individuals are animals: all, or all but `single`.
      unique: indices of the unique bodyparts.
      edges: int (edges, 2), indices of bodyparts.
      min_affinity: (edges,), a link of less is evidence against it.
      weights: (edges,), how well an edge tells one animal from two, 0 to 1.
      reach: (bodyparts, bodyparts) source pixels, infinite where it is not known.
      min_likelihood: of a peak.
      min_parts: an animal of fewer bodyparts is none.
      identity: True if the model knows identities.
    """

    individuals: tuple[str, ...]
    bodyparts: tuple[str, ...]
    animals: int
    unique: tuple[int, ...]
    edges: np.ndarray
    min_affinity: np.ndarray
    weights: np.ndarray
    reach: np.ndarray
    min_likelihood: float
    min_parts: int
    identity: bool


def rules(info: ModelInfo) -> Rules:
    """From a model's info.json.

    Raises:
      ValueError: it is not a model of several animals.
    """
    found = info.assembly
    if not found:
        raise ValueError("The model finds one animal: it has no peaks to assemble.")
    bodyparts = list(info.bodyparts)
    edges = [[bodyparts.index(name) for name in pair] for pair in found.graph]
    reach = np.array(found.reach, object)
    return Rules(
        individuals=tuple(info.individuals),
        bodyparts=tuple(bodyparts),
        animals=found.animals,
        unique=tuple(bodyparts.index(name) for name in found.unique_bodyparts),
        edges=np.array(edges, int).reshape(-1, 2),
        min_affinity=np.array(found.min_affinity, float),
        weights=np.array(found.weights, float),
        reach=np.where(reach == None, np.inf, reach).astype(float),  # noqa: E711
        min_likelihood=found.min_likelihood,
        min_parts=found.min_parts,
        identity=found.identity,
    )


def facts(found: Rules) -> Assembly:
    """Entry `assembly` of info.json, which `rules` reads: names and plain numbers."""
    names = found.bodyparts
    return Assembly(
        animals=found.animals,
        unique_bodyparts=[names[i] for i in found.unique],
        graph=[[names[a], names[b]] for a, b in found.edges],
        min_affinity=[round(float(v), 4) for v in found.min_affinity],
        weights=[round(float(v), 4) for v in found.weights],
        reach=[[None if np.isinf(v) else round(float(v), 2) for v in row] for row in found.reach],
        min_likelihood=float(found.min_likelihood),
        min_parts=int(found.min_parts),
        identity=bool(found.identity),
    )


def assemble(outputs: Mapping[str, np.ndarray], found: Rules) -> np.ndarray:
    """The individuals of one frame.

    Every bodypart in turn is matched to the animals begun so far so that the sum of all links
    inside animals is largest (Hungarian method), then twice more to all others; fragments that
    belong together are joined. At most `animals` stay, those seen best. A frame of any peaks takes
    bounded time, since their number is.

    Args:
      outputs: of a model's signature, one frame: `peaks` (bodyparts, peaks, 2), `likelihood`
        (bodyparts, peaks), `edge_costs` (edges, peaks, peaks), and `identity` (bodyparts, peaks,
        animals) if the model has it.
      found: of `rules`.

    Returns:
      float64 (individuals, bodyparts, 3): x, y in source pixels, likelihood; NaN where missing. The
      rows are the named individuals if the model knows identities, else from the most certain down;
      unique bodyparts stand in the last row alone.
    """
    return gather(outputs, choose(outputs, found))


def gather(outputs: Mapping[str, np.ndarray], chosen: np.ndarray) -> np.ndarray:
    """Keypoints (individuals, bodyparts, 3) of the peaks of one frame that `choose` chose."""
    likelihood = np.asarray(outputs["likelihood"], float)[..., None]
    values = np.concatenate([np.asarray(outputs["peaks"], float), likelihood], axis=-1)
    keypoints = values[np.arange(chosen.shape[1]), np.maximum(chosen, 0)]
    return np.where(chosen[..., None] >= 0, keypoints, np.nan)


def choose(outputs: Mapping[str, np.ndarray], found: Rules) -> np.ndarray:
    """Assigns the peaks of one frame to bodyparts of individuals; returns as `assemble` does.

    Returns:
      int (individuals, bodyparts), the number of the peak, -1 = missing.
    """
    likelihood = np.asarray(outputs["likelihood"], float)
    place = np.asarray(outputs["peaks"], float)
    made = np.full((len(found.individuals), len(found.bodyparts)), -1)
    for part in found.unique:
        best = int(likelihood[part].argmax())
        if likelihood[part, best] >= found.min_likelihood:
            made[-1, part] = best
    common = likelihood >= found.min_likelihood
    common[list(found.unique)] = False
    parts, numbers = np.nonzero(common)
    if not len(parts):
        return made
    links = _links(place[parts, numbers], parts, numbers, outputs, found)
    animals = Animals(links, parts, len(found.bodyparts))
    animals.build(_FRAGMENTS * found.animals, likelihood[parts, numbers])
    slots = _best(animals.members, likelihood[parts, numbers], found)
    if found.identity:
        slots = _named(slots, np.asarray(outputs["identity"], float)[parts, numbers], found)
    for slot, members in enumerate(slots):
        has = np.flatnonzero(members >= 0)
        made[slot, has] = numbers[members[has]]
    return made


def _links(
    place: np.ndarray,
    parts: np.ndarray,
    numbers: np.ndarray,
    outputs: Mapping[str, np.ndarray],
    found: Rules,
) -> np.ndarray:
    """Evidence that two peaks belong to one animal, float32 (peaks, peaks), symmetric.

    Args:
      place: (peaks, 2); parts, numbers: (peaks,), the bodypart of each and which of it.
    """
    edge = np.full((len(found.bodyparts),) * 2, -1)
    edge[found.edges[:, 0], found.edges[:, 1]] = np.arange(len(found.edges))
    between = edge[parts[:, None], parts]
    a, b = np.nonzero(between >= 0)
    along = between[a, b]
    sure = np.sqrt(outputs["likelihood"][parts, numbers])
    link = outputs["edge_costs"][along, numbers[a], numbers[b]] - found.min_affinity[along]
    links = np.zeros(between.shape, np.float32)
    links[a, b] = link * found.weights[along] * sure[a] * sure[b]
    links += links.T
    limit = STRETCH * found.reach[parts[:, None], parts]
    x, y = (place[:, axis].astype(np.float32) for axis in (0, 1))
    links[(x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 > limit**2] = _APART
    return links


def _best(members: np.ndarray, likelihood: np.ndarray, found: Rules) -> np.ndarray:
    """The animals that are seen best, at most as many as there may be."""
    held = members >= 0
    seen = np.where(held, likelihood[members], 0.0).sum(axis=1)
    order = np.argsort(-seen, kind="stable")
    order = order[held[order].sum(axis=1) >= found.min_parts]
    return members[order[: found.animals]]


def _named(slots: np.ndarray, identity: np.ndarray, found: Rules) -> np.ndarray:
    """Animals in the rows of their names.

    Args:
      slots: (animals found, bodyparts).
      identity: (peaks, animals) logits.
    """
    held = slots >= 0
    who = 1.0 / (1.0 + np.exp(-np.clip(identity, -30, 30)))
    score = np.where(held[..., None], who[slots], 0.0).sum(axis=1)
    rows, columns = linear_sum_assignment(score, maximize=True)
    named = np.full((found.animals, slots.shape[1]), -1)
    named[columns] = slots[rows]
    return named
