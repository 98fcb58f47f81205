"""What marks on some crops tell of the others: a classifier on embeddings, groups of what is alike.

Arrays only. A classifier of so few numbers is fitted in milliseconds, so it is made anew with every
mark.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

# Marks, and of how many classes, before the others are guessed.
LEAST, CLASSES = 6, 2
# Parts that judge in turn.
FOLDS = 3
# A mark is looked at again where a classifier that never saw it is so sure of another class.
CONTRADICTED = 0.9
# Crops of a group at most; the neighbour whose likeness, for most crops, is enough for a group.
MOST, NEIGHBOUR = 48, 5
# Weight of the penalty on large coefficients.
_PENALTY = 0.05
# Crops by which likeness is measured.
_SAMPLED = 600


class Group(NamedTuple):
    """Crops that are alike; the first is the one that the others are like."""

    members: list[int]


def guesses(features: np.ndarray, marks: np.ndarray, classes: int) -> np.ndarray | None:
    """Probabilities of all crops, (crops, classes); None of too few marks.

    Args:
      features: float32 (crops, dims), of length 1.
      marks: int (crops,), -1 = none.
    """
    known = marks >= 0
    if known.sum() < LEAST or len(np.unique(marks[known])) < CLASSES:
        return None
    scaled = _scaled(features)
    weights = _fit(scaled[known], marks[known], classes)
    return _softmax(scaled @ weights[:-1] + weights[-1])


def held_out(features: np.ndarray, marks: np.ndarray, classes: int) -> np.ndarray | None:
    """The same of marked crops, by classifiers that never saw them; NaN of the others.

    A mark is not judged by a classifier that knows no other of its class.
    """
    known = np.flatnonzero(marks >= 0)
    if guesses(features, marks, classes) is None:
        return None
    found = np.full((len(marks), classes), np.nan)
    for fold in range(FOLDS):
        own = known[fold::FOLDS]
        rest = marks.copy()
        rest[own] = -1
        said = guesses(features, rest, classes)
        if said is not None:
            own = own[np.isin(marks[own], rest)]
            found[own] = said[own]
    return found


def contradicted(marks: np.ndarray, judged: np.ndarray) -> list[int]:
    """Marked crops that look like another class, the surest first."""
    rows = np.flatnonzero((marks >= 0) & np.isfinite(judged).all(axis=1))
    other = judged[rows].argmax(axis=1)
    sure = judged[rows].max(axis=1)
    far = (other != marks[rows]) & (sure >= CONTRADICTED)
    return rows[far][np.argsort(-sure[far], kind="stable")].tolist()


def unsure(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each row as a share of the most there can be, (crops,)."""
    clipped = np.clip(probabilities, 1e-9, 1)
    return -(clipped * np.log(clipped)).sum(axis=1) / np.log(probabilities.shape[1])


def likeness(features: np.ndarray) -> float:
    """The cosine from which crops count as alike: most crops have a few so near."""
    some = features[:: max(len(features) // _SAMPLED, 1)]
    near = np.sort(features @ some.T, axis=0)
    return float(np.median(near[-min(NEIGHBOUR + 1, len(features))])) if len(features) else 1.0


def groups(
    features: np.ndarray,
    rows: np.ndarray,
    first: Sequence[int],
    alike: float,
    guessed: np.ndarray | None,
    most: int,
) -> list[Group]:
    """Groups of some crops: each of the first one that is left and what is like it.

    Args:
      rows: crops to be grouped.
      first: of these the ones that matter most, in this order.
      guessed: class of each crop, if known: what is guessed to be another class is no member.
      most: groups.
    """
    left = np.zeros(len(features), bool)
    left[rows] = True
    found = []
    for row in first:
        if len(found) == most:
            break
        if not left[row]:
            continue
        near = features @ features[row]
        fits = left & (near >= alike)
        if guessed is not None:
            fits &= guessed == guessed[row]
        fits[row] = False
        members = np.flatnonzero(fits)
        members = members[np.argsort(-near[members], kind="stable")][: MOST - 1]
        chosen = [int(row), *members.tolist()]
        left[chosen] = False
        found.append(Group(chosen))
    return found


def spread(features: np.ndarray, rows: np.ndarray, known: np.ndarray, most: int) -> list[int]:
    """Crops unlike each other and unlike those that are known, the most unlike first.

    Args:
      rows: crops to choose from.
      known: those that are marked.
    """
    if not len(rows):
        return []
    own = features[rows]
    near = np.full(len(rows), -1.0)
    for one in features[known]:
        near = np.maximum(near, own @ one)
    # The first is the most usual one.
    at = int(np.argmin(near)) if len(known) else int(np.argmax(own @ own.mean(axis=0)))
    found = []
    for _ in range(min(most, len(rows))):
        found.append(int(rows[at]))
        near = np.maximum(near, own @ own[at])
        near[at] = np.inf
        at = int(np.argmin(near))
    return found


def _scaled(features: np.ndarray) -> np.ndarray:
    centred = features - features.mean(axis=0)
    return centred / max(float(np.sqrt((centred**2).sum(axis=1).mean())), 1e-9)


def _fit(features: np.ndarray, marks: np.ndarray, classes: int) -> np.ndarray:
    """Coefficients (dims + 1, classes) of a multinomial regression; each class counts alike."""
    counts = np.bincount(marks, minlength=classes)
    weights = (1 / counts[marks]) / (counts > 0).sum()
    truth = np.eye(classes)[marks]
    shape = (features.shape[1] + 1, classes)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        theta = flat.reshape(shape)
        said = _softmax(features @ theta[:-1] + theta[-1])
        penalty = _PENALTY / len(features)
        value = -(weights[:, None] * truth * np.log(np.maximum(said, 1e-12))).sum()
        apart = weights[:, None] * (said - truth)
        slope = np.vstack([features.T @ apart + penalty * theta[:-1], apart.sum(axis=0)])
        return float(value + penalty / 2 * (theta[:-1] ** 2).sum()), slope.ravel()

    start = np.zeros(shape)
    # A class without a mark is not guessed.
    start[-1, counts == 0] = -20.0
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return found.x.reshape(shape)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
