"""Labels that are most likely wrong, and why. Arrays in, suspicions out.

A label is judged by what does not know it: the prediction of a head that never saw the frame, and
the labels of frames that look nearly the same.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.trainer import label_facts

SWAP, FAR, NEIGHBOURS, VIEWS, CLASS = "swap", "far", "neighbours", "views", "class"
# Errors count in multiples of the usual one of their bodypart; one below this is a person's hand.
LEAST = 2.0
# Two bodyparts may be exchanged if that takes away this share of both errors together.
RELIEF = 0.5
# A frame looks nearly the same as another below this share of the usual distance between two.
SAME = 0.2
# Neighbours that are asked: frames, and crops.
FRAMES, CROPS = 3, 9
# A label that disagrees with its neighbours counts this much beside one that disagrees with a head:
# they are other moments, and animals move.
WEIGHT = 0.25
# Images compared with all others at once.
_ROWS = 512


class Evidence(NamedTuple):
    """Evidence on the labels of one experiment.

    Attributes:
      records: labeled images.
      names: bodyparts, or classes.
      truth: (images, bodyparts, 2) labels, NaN = not labeled; or (images,) classes.
      predicted: (images, bodyparts, 3) or (images, classes), by heads that never saw the image.
      looks: (images, dims), what each image looks like.
      views: (images, bodyparts) pixels from what other views of the instant allow, NaN = unknown;
        None without a calibration.
      lines: (images, bodyparts, 2, 2), ends of the line that another view allows; None likewise.
    """

    records: Sequence[Any]
    names: Sequence[str]
    truth: np.ndarray
    predicted: np.ndarray
    looks: np.ndarray
    views: np.ndarray | None = None
    lines: np.ndarray | None = None

    @property
    def errors(self) -> np.ndarray:
        """(images, bodyparts) pixels between label and prediction, NaN where not labeled."""
        return np.linalg.norm(self.predicted[..., :2] - self.truth, axis=-1)

    def errors_of(self, image: int) -> np.ndarray:
        """(bodyparts,) as `errors`, of one image."""
        return np.linalg.norm(self.predicted[image, :, :2] - self.truth[image], axis=-1)


class Suspicion(NamedTuple):
    """A label, or two that may be exchanged, and what speaks against it.

    Attributes:
      image: its position.
      parts: bodyparts by position; empty for a crop.
      kind: SWAP, FAR, NEIGHBOURS, VIEWS or CLASS.
      score: the larger, the likelier it is wrong.
      likelihood: confidence of the head in what it would say instead.
      proposal: (parts, 2) x, y of what may be right; or the class. None if unknown.
      reason: in words.
    """

    image: int
    parts: tuple[int, ...]
    kind: str
    score: float
    likelihood: float
    proposal: np.ndarray | int | None
    reason: str


def of_points(evidence: Evidence) -> list[Suspicion]:
    """Every labeled point in one suspicion, the likeliest wrong one first."""
    errors = evidence.errors
    usual = usual_errors(errors)
    likelihood = np.clip(evidence.predicted[..., 2], 0.0, 1.0)
    # A head that is not sure may be the one that is wrong.
    far = errors / usual * (0.2 + 0.8 * likelihood)
    moved, neighbour = disagreement(evidence)
    odd = WEIGHT * moved / usual_errors(moved)
    apart = np.full(errors.shape, np.nan) if evidence.views is None else evidence.views
    crossed = apart / usual_errors(apart)
    found, taken = [], np.isnan(errors)
    for image, a, b, relief in exchanges(evidence):
        if taken[image, [a, b]].any():
            continue
        score = 2 * relief / (usual[a] + usual[b]) * (0.2 + 0.8 * likelihood[image, [a, b]].min())
        score += float(np.nansum(crossed[image, [a, b]]))
        taken[image, [a, b]] = True
        found.append(_swap(evidence, image, (a, b), float(score)))
    for image, part in np.argwhere(~taken):
        place = (image, part)
        score = float(np.nansum([far[place], odd[place], crossed[place]]))
        rivals = np.nan_to_num([far[place], odd[place]])
        if np.isfinite(crossed[place]) and crossed[place] > rivals.max():
            found.append(_crossed(evidence, place, score, float(apart[place])))
        elif np.isfinite(odd[place]) and odd[place] > far[place]:
            found.append(
                _beside(evidence, place, score, float(moved[place]), int(neighbour[image]))
            )
        else:
            found.append(_far(evidence, place, score, float(usual[part])))
    return sorted(found, key=lambda one: (-one.score, one.image, one.parts))


def usual_errors(errors: np.ndarray) -> np.ndarray:
    """The median of each bodypart (columns), at least `LEAST`; NaN = not known."""
    usual = np.full(errors.shape[1], LEAST)
    for part, column in enumerate(errors.T):
        known = column[np.isfinite(column)]
        if len(known):
            usual[part] = max(float(np.median(known)), LEAST)
    return usual


def exchanges(evidence: Evidence) -> list[tuple[int, int, int, float]]:
    """Pairs of bodyparts whose labels, exchanged, agree better with the prediction.

    Returns:
      image, two bodyparts, and the pixels that the exchange takes off their errors, the most first.
    """
    # (images, labels, predictions): how far each label is from each prediction.
    between = np.linalg.norm(
        evidence.truth[:, :, None] - evidence.predicted[:, None, :, :2], axis=-1
    )
    now = np.diagonal(between, axis1=1, axis2=2)
    together = now[:, :, None] + now[:, None, :]
    exchanged = between + between.transpose(0, 2, 1)
    relief = together - exchanged
    better = np.isfinite(relief) & (relief > RELIEF * together)
    better &= np.triu(np.ones(better.shape[1:], bool), 1)
    found = [(int(i), int(a), int(b), float(relief[i, a, b])) for i, a, b in np.argwhere(better)]
    return sorted(found, key=lambda one: -one[3])


def disagreement(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each label from those of similar frames, where some look nearly the same.

    Returns:
      (images, bodyparts) pixels to the middle of their labels, NaN without any; and each image's
      most similar one.
    """
    order, distance, usual = nearest(evidence.looks, FRAMES)
    moved = np.full(evidence.truth.shape[:2], np.nan)
    for image in range(len(moved)):
        alike = order[image, distance[image] < SAME * usual]
        labels = evidence.truth[alike]
        known = np.isfinite(labels).all(axis=-1).any(axis=0)
        if known.any():
            middle = np.nanmedian(labels[:, known], axis=0)
            moved[image, known] = np.linalg.norm(evidence.truth[image, known] - middle, axis=-1)
    return moved, order[:, 0] if order.shape[1] else np.zeros(len(order), int)


def of_crops(evidence: Evidence) -> list[Suspicion]:
    """Every crop in one suspicion, the likeliest wrong one first."""
    labels = np.asarray(evidence.truth)
    order, _, _ = nearest(evidence.looks, CROPS)
    found = []
    for image, label in enumerate(labels):
        others = evidence.predicted[image].copy()
        others[label] = -1.0
        other = int(others.argmax())
        votes = float(np.mean(labels[order[image]] == other)) if order.shape[1] else 0.0
        score = float(evidence.predicted[image, other])
        name = evidence.names[other]
        if (labels == label).sum() == 1:
            why = (
                f"It is the only crop of {evidence.names[label]}: no head that never saw it knows "
                "this class, so it was not judged."
            )
            found.append(Suspicion(image, (), CLASS, 0.0, 0.0, other, why))
            continue
        reason = (
            f"A head that never saw it says {name} ({score:.2f}); of the {order.shape[1]} crops "
            f"that look most like it {votes:.0%} are {name}."
        )
        found.append(Suspicion(image, (), CLASS, (score + votes) / 2, score, other, reason))
    return sorted(found, key=lambda one: (-one.score, one.image))


def nearest(looks: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The most similar other images of each, nearest first; each dimension counts by its spread.

    Returns:
      (images, count) positions and distances, fewer where there are fewer images; and the usual
      distance between two images.
    """
    spread = looks.std(axis=0)
    scaled = ((looks - looks.mean(axis=0)) / np.where(spread > 1e-6, spread, np.inf)).astype(
        np.float32
    )
    count = max(min(count, len(looks) - 1), 0)
    squared = (scaled**2).sum(axis=1)
    order = np.zeros((len(looks), count), int)
    distance = np.zeros((len(looks), count))
    usual = []
    for start in range(0, len(looks), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(looks)))
        own = squared[rows, None] + squared[None] - 2 * scaled[rows] @ scaled.T
        own = np.sqrt(np.maximum(own, 0.0))
        own[np.arange(len(rows)), rows] = np.inf
        order[rows] = np.argsort(own, axis=1)[:, :count]
        distance[rows] = np.take_along_axis(own, order[rows], axis=1)
        usual.append(float(np.median(own)))
    return order, distance, float(np.median(usual)) if usual else 0.0


def _swap(evidence: Evidence, image: int, pair: tuple[int, int], score: float) -> Suspicion:
    a, b = pair
    errors = evidence.errors_of(image)
    points = evidence.predicted[image, :, :2]
    other = [
        float(np.linalg.norm(points[one] - evidence.truth[image, two]))
        for one, two in ((a, b), (b, a))
    ]
    reason = (
        f"{evidence.names[a]} and {evidence.names[b]} exchanged? They are {errors[a]:.0f} and "
        f"{errors[b]:.0f} px from where a head that never saw this frame puts them; with their "
        f"labels exchanged {other[0]:.0f} and {other[1]:.0f} px."
    )
    likelihood = float(evidence.predicted[image, [a, b], 2].min())
    return Suspicion(image, pair, SWAP, score, likelihood, evidence.truth[image, [b, a]], reason)


def _far(evidence: Evidence, place: Sequence[int], score: float, usual: float) -> Suspicion:
    image, part = (int(one) for one in place)
    x, y, likelihood = evidence.predicted[image, part, :3]
    name, off = evidence.names[part], evidence.errors_of(image)[part]
    reason = (
        f"{off:.0f} px from where a head that never saw this frame puts "
        f"{name} (likelihood {likelihood:.2f}); half of all {name} labels are within "
        f"{usual:.1f} px."
    )
    if elsewhere(evidence, image):
        reason += " It puts most bodyparts there: it may take something else for the animal."
    proposal = np.array([[x, y]])
    return Suspicion(image, (part,), FAR, score, float(likelihood), proposal, reason)


def elsewhere(evidence: Evidence, image: int) -> bool:
    """Returns True where a head puts most bodyparts of an animal farther from their labels than the
    animal is long: either all labels are wrong, or it took something else for the animal."""
    errors = evidence.errors_of(image)
    farther = errors > label_facts.length(evidence.truth[image])
    return bool(2 * farther.sum() > np.isfinite(errors).sum())


def this_view(evidence: Evidence, image: int, part: int) -> bool:
    """Returns True where two views contradict each other and the head is with the other view: at
    most half as far from what that allows as the label is."""
    assert evidence.views is not None and evidence.lines is not None
    first, last = evidence.lines[image, part]
    across = np.array([first[1] - last[1], last[0] - first[0]]) / np.linalg.norm(last - first)
    off = abs(float(across @ (evidence.predicted[image, part, :2] - first)))
    return off <= float(evidence.views[image, part]) / 2


def _crossed(evidence: Evidence, place: Sequence[int], score: float, apart: float) -> Suspicion:
    image, part = (int(one) for one in place)
    x, y, likelihood = evidence.predicted[image, part, :3]
    off = evidence.errors_of(image)[part]
    with_label = off < apart / 2 and not this_view(evidence, image, part)
    reason = (
        f"{apart:.0f} px from where another view of this instant allows {evidence.names[part]}: "
        f"one of the two labels is wrong. A head that never saw this frame puts it "
        f"{evidence.errors_of(image)[part]:.0f} px away"
        f"{', so it is rather the other label' if with_label else ''}."
    )
    proposal = np.array([[x, y]])
    return Suspicion(image, (part,), VIEWS, score, float(likelihood), proposal, reason)


def _beside(
    evidence: Evidence, place: Sequence[int], score: float, moved: float, neighbour: int
) -> Suspicion:
    image, part = (int(one) for one in place)
    name = evidence.records[neighbour].name.split("/")[-1]
    reason = (
        f"{moved:.0f} px from where {evidence.names[part]} is labeled in frames that look nearly "
        f"the same, such as {name}; a head that never saw this frame puts it "
        f"{evidence.errors_of(image)[part]:.0f} px away."
    )
    x, y, likelihood = evidence.predicted[image, part, :3]
    proposal = np.array([[x, y]])
    return Suspicion(image, (part,), NEIGHBOURS, score, float(likelihood), proposal, reason)
