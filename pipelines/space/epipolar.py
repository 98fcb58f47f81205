"""How far what two views saw is from one point in space, without finding that point."""

import numpy as np


def fundamental(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(3, 3), of two projections (3, 4): second' F first = 0 (Hartley and Zisserman 2004, 9.2)."""
    centre = np.linalg.svd(first)[2][-1]
    a, b, c = second @ centre
    cross = np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])
    found = cross @ second @ np.linalg.pinv(first)
    return found / np.linalg.norm(found)


def distances(
    first: np.ndarray,
    second: np.ndarray,
    matrix: np.ndarray,
    focal: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Pixels that a point must move in each view until both see one point in space (Sampson 1982).

    Args:
      first, second: (..., 2) rays; shapes may broadcast.
      matrix: of `fundamental`.
      focal: pixels a unit of a ray, of both views.
    """
    one = np.concatenate([first, np.ones((*first.shape[:-1], 1))], axis=-1)
    two = np.concatenate([second, np.ones((*second.shape[:-1], 1))], axis=-1)
    there, back = one @ matrix.T, two @ matrix
    off = (two * there).sum(axis=-1)
    size = (there[..., :2] ** 2).sum(axis=-1) / focal[1] ** 2
    size = size + (back[..., :2] ** 2).sum(axis=-1) / focal[0] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(off) / np.sqrt(size)
