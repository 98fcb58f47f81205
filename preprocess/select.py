"""Selects frames to label: evenly spaced, or one of each kind. Vectors in, positions out.

Everything is drawn from a generator that is passed in: the same seed picks the same frames.
"""

import math

import cv2
import numpy as np

# DeepLabCut's settings of its k-means (frameselectiontools.py): it sees frames 30 pixels wide, in
# gray, 100 at a time, goes through them at most 50 times, and ends when centres stand still.
WIDTH = 30
BATCH = 100
PASSES = 50
TOLERANCE = 1e-3
# A frame counts as seen already when it is nearer to a labeled one than this share of the usual
# (median) distance between two frames.
NEAR = 0.2
# Pairs of frames whose distances say what is usual.
_PAIRS = 2000
# Vectors whose distances are computed at once.
_TOGETHER = 1000


def span(count: int, start: float, stop: float | None, fps: float = 0.0) -> tuple[int, int]:
    """First frame, and the one after the last, of a part of a video.

    Args:
      start, stop: fractions of the video as in DeepLabCut's config; seconds if either is above 1.
        Without a stop, to the end.
      fps: needed for seconds.

    Raises:
      ValueError: an empty or backward part, one after the video's end, or seconds without fps.
    """
    check_part(start, stop)
    if max(start, stop or 0.0) <= 1:
        return math.floor(count * start), math.ceil(count * (1.0 if stop is None else stop))
    if not fps > 0:
        raise ValueError("has no frame rate: use fractions, from 0 to 1")
    first = math.floor(start * fps)
    last = count if stop is None else min(math.ceil(stop * fps), count)
    if first >= last:
        raise ValueError(f"ends after {count / fps:.1f} seconds, before the start at {start:g}")
    return first, last


def check_part(start: float, stop: float | None) -> None:
    """Raises ValueError for a part that is empty in any video."""
    if not 0 <= start < (math.inf if stop is None else stop):
        until = "" if stop is None else f" and below the stop, {stop:g}"
        raise ValueError(f"The start must be 0 or more{until}. Received: {start:g}.")
    if start == 1 and stop is None:
        raise ValueError("The start must be below 1, the end of the video. Received: 1.")


def frame_name(number: int, count: int) -> str:
    """The file name DeepLabCut gives to frame `number` of a video of `count` frames."""
    return f"img{number:0{math.ceil(math.log10(max(count, 2)))}d}.png"


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3) to the gray uint8 vector that pixel k-means compares."""
    height = max(round(pixels.shape[0] * WIDTH / pixels.shape[1]), 1)
    small = cv2.resize(pixels, (WIDTH, height), interpolation=cv2.INTER_AREA)
    return small.mean(axis=-1).astype(np.uint8).ravel()


def uniform(total: int, count: int, rng: np.random.Generator) -> list[int]:
    """`count` of `total` positions, each as likely as the others, in order."""
    return sorted(rng.choice(total, min(count, total), replace=False).tolist())


def by_kmeans(
    vectors: np.ndarray, count: int, rng: np.random.Generator, *, central: bool = False
) -> list[int]:
    """A frame of each of `count` clusters, in order; fewer where a cluster holds no frame.

    Args:
      vectors: (frames, dims).
      central: the frame nearest to the centre instead of any one of the cluster.
    """
    if len(vectors) <= count:
        return list(range(len(vectors)))
    nearest, distance = assign(vectors, kmeans(vectors, count, rng))
    picked = []
    for cluster in range(count):
        members = np.flatnonzero(nearest == cluster)
        if len(members):
            best = members[np.argmin(distance[members])] if central else rng.choice(members)
            picked.append(int(best))
    return sorted(picked)


def kmeans(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Centres (count, dims) by mini-batch k-means (Sculley 2010) from a k-means++ start."""
    first = vectors[rng.permutation(len(vectors))[: 3 * max(BATCH, count)]]
    centres = _spread(first.astype(np.float32), count, rng)
    seen = np.zeros(count)
    limit = TOLERANCE * _variance(vectors)
    for _ in range(PASSES):
        before = centres.copy()
        order = rng.permutation(len(vectors))
        for start in range(0, len(order), BATCH):
            batch = vectors[order[start : start + BATCH]].astype(np.float32)
            nearest, _ = assign(batch, centres)
            for cluster in np.unique(nearest):
                members = batch[nearest == cluster]
                seen[cluster] += len(members)
                step = len(members) / seen[cluster]
                centres[cluster] += step * (members.mean(axis=0) - centres[cluster])
        if np.mean((centres - before) ** 2) <= limit:
            break
    return centres


def by_core_set(
    vectors: np.ndarray,
    count: int,
    rng: np.random.Generator,
    *,
    labeled: np.ndarray | None = None,
) -> list[int]:
    """k-center greedy (Sener and Savarese 2018): always the frame farthest from all chosen ones.

    Args:
      vectors: (frames, dims).
      labeled: (images, dims), chosen before; without any, a random frame begins.
    """
    if len(vectors) <= count:
        return list(range(len(vectors)))
    vectors = vectors.astype(np.float32)
    picked: list[int] = []
    if labeled is not None and len(labeled):
        _, distance = assign(vectors, labeled.astype(np.float32))
    else:
        picked = [int(rng.integers(len(vectors)))]
        _, distance = assign(vectors, vectors[picked])
    while len(picked) < count:
        picked.append(int(np.argmax(distance)))
        distance = np.minimum(distance, assign(vectors, vectors[picked[-1:]])[1])
        distance[picked] = -1.0
    return sorted(picked)


def unseen(vectors: np.ndarray, labeled: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Frames (bool) that are no near-duplicate of a labeled image."""
    if not len(labeled) or len(vectors) < 2:
        return np.ones(len(vectors), bool)
    a, b = rng.integers(len(vectors), size=(2, _PAIRS))
    usual = float(np.median(np.linalg.norm(vectors[a[a != b]] - vectors[b[a != b]], axis=1)))
    _, distance = assign(vectors.astype(np.float32), labeled.astype(np.float32))
    return np.sqrt(distance) > NEAR * usual


def standardised(vectors: np.ndarray, labeled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with each dimension's mean and spread over the frames taken out; constant ones are 0."""
    mean, spread = vectors.mean(axis=0), vectors.std(axis=0)
    factor = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
    return (vectors - mean) * factor, (labeled - mean) * factor


def assign(vectors: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of each vector, and the squared distance to it.

    Vectors are bytes or floats; no more than `_TOGETHER` of them become floats at a time.
    """
    nearest = np.empty(len(vectors), np.int64)
    distance = np.empty(len(vectors), np.float32)
    # Far from the origin the squares of float32 would swallow small distances.
    origin = centres.mean(axis=0)
    there = centres - origin
    for start in range(0, len(vectors), _TOGETHER):
        some = vectors[start : start + _TOGETHER].astype(np.float32) - origin
        squared = (some**2).sum(axis=1)[:, None] - 2 * some @ there.T + (there**2).sum(axis=1)
        best = squared.argmin(axis=1)
        nearest[start : start + len(some)] = best
        distance[start : start + len(some)] = np.maximum(squared[np.arange(len(some)), best], 0.0)
    return nearest, distance


def _variance(vectors: np.ndarray) -> float:
    """The mean of the variances of all dimensions."""
    mean = vectors.mean(axis=0)
    blocks = range(0, len(vectors), _TOGETHER)
    squares = sum(((vectors[i : i + _TOGETHER] - mean) ** 2).sum(axis=0) for i in blocks)
    return float(np.mean(squares / len(vectors)))


def _spread(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++: each centre a vector, likelier the farther it is from those before."""
    centres = [vectors[rng.integers(len(vectors))]]
    distance = assign(vectors, np.array(centres))[1]
    while len(centres) < count:
        total = float(distance.sum(dtype=np.float64))
        # Where all vectors are alike, any will do.
        chance = distance / total if total > 0 else None
        centres.append(vectors[rng.choice(len(vectors), p=_normal(chance))])
        distance = np.minimum(distance, assign(vectors, centres[-1][None])[1])
    return np.array(centres, np.float32)


def _normal(chance: np.ndarray | None) -> np.ndarray | None:
    if chance is None:
        return None
    exact = chance.astype(np.float64)
    return exact / exact.sum()
