"""Several animals by windows and by whole frames: the same animals, and fewer cells looked at."""

import numpy as np
import pytest

from beampose.core.names import DESCRIPTORS, WINDOW
from beampose.pipelines.predict.animals_looker import AnimalsLooker
from beampose.pipelines.predict.follow import Following
from beampose.trainer import assemble
from beampose.trainer.assemble import Rules

HEIGHT, WIDTH, COUNT = 480, 640, 30
ROWS, COLUMNS, PEAKS = 60, 80, 6
# Of an animal, its head in red and its tail in green, this many pixels apart.
LENGTH = 24
RULES = Rules(
    bodyparts=("head", "tail"),
    individuals=("ann", "bob", "cem", "single"),
    animals=3,
    unique=(),
    edges=np.array([[0, 1]]),
    min_affinity=np.array([0.5]),
    weights=np.array([1.0]),
    reach=np.full((2, 2), 60.0),
    min_likelihood=0.5,
    min_parts=1,
    identity=False,
)


class Dots:
    """A model that finds red and green dots, and links those that are `LENGTH` apart."""

    def __init__(self, windows=True):
        self.looked_at = []
        self._windows = windows

    def knows(self, signature):
        return self._windows or signature != WINDOW

    def at_once(self, batch_size, height, width, signature=""):
        return batch_size

    def predict(self, frames, signature="", corner=(0, 0), cells=(ROWS, COLUMNS)):
        assert signature in (WINDOW, DESCRIPTORS)
        self.looked_at.append(len(frames) * int(np.prod(cells)))
        top, left = 8 * np.array(corner)
        bottom, right = 8 * (np.array(corner) + cells)
        each = [self._one(frame[top:bottom, left:right], left, top) for frame in frames]
        return {name: np.stack([one[name] for one in each]) for name in each[0]}

    def _one(self, pixels, left, top):
        place = np.zeros((2, PEAKS, 2), np.float32)
        likelihood = np.zeros((2, PEAKS), np.float32)
        for part in range(2):
            rows, columns = np.nonzero(pixels[..., part] > 200)
            many = min(len(rows), PEAKS)
            place[part, :many] = np.stack([columns, rows], axis=1)[:many] + [left + 0.5, top + 0.5]
            likelihood[part, :many] = 0.9
        away = np.linalg.norm(place[0][:, None] - place[1], axis=-1)
        costs = np.where(np.abs(away - LENGTH) < 2, 1.0, 0.0)[None]
        described = np.zeros((2, PEAKS, 3), np.float32)
        return {
            "peaks": place,
            "likelihood": likelihood,
            "edge_costs": costs,
            "descriptors": described,
        }


def film(*ways, seed=0):
    """Frames of animals that are at these places, (frames, 2) of each, NaN where it is not."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(COUNT):
        frame = np.clip(rng.normal(80, 2, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
        for way in ways:
            if np.isfinite(way[i]).all():
                x, y = way[i].astype(int)
                # A body that is larger than the dots, as animals are.
                frame[y - 6 : y + 7, x - 4 : x + LENGTH + 5] = 20
                frame[y, x] = 255, 20, 20
                frame[y, x + LENGTH] = 20, 255, 20
        frames.append(frame)
    return frames


def walk(x, y, dx, dy, first=0):
    steps = np.arange(COUNT)[:, None]
    way = [x, y] + steps * [dx, dy]
    return np.where(steps >= first, way, np.nan)


def looked(frames, share, model, size=4):
    looker = AnimalsLooker(Following(share, 0.5, 0, 1.0), size, model, RULES)
    found = []
    for i in range(0, len(frames), size):
        found += looker.found(frames[i : i + size])
    animals = []
    for one in found:
        points = assemble.gather(one.outputs, one.chosen)
        there = points[~np.isnan(points).all(axis=(1, 2))]
        animals.append(there[np.lexsort(there[:, 0, :2].T)])
    return animals, [one.by_windows for one in found]


@pytest.mark.parametrize(
    "ways",
    [
        [walk(60, 60, 3, 2), walk(560, 420, -4, -1)],
        # They meet, and part again.
        [walk(100, 200, 8, 0), walk(400, 220, -8, 0)],
        # Somebody comes from behind something, and somebody walks in.
        [walk(60, 60, 1, 1), walk(400, 300, 2, 0, first=13), walk(300, 470 - 30, 0, -4, first=20)],
        # Slow and fast.
        [walk(60, 60, 0, 0), walk(20, 400, 18, -2)],
    ],
)
def test_windows_find_the_animals_that_frames_find(ways):
    frames = film(*ways)
    expected, _ = looked(frames, 0.0, Dots())
    model = Dots()
    found, by_windows = looked(frames, 0.5, model)
    assert sum(by_windows) > COUNT / 4
    assert sum(model.looked_at) < 0.9 * COUNT * ROWS * COLUMNS
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_a_moving_camera_costs_hardly_more_than_whole_frames():
    rng = np.random.default_rng(0)
    ground = rng.integers(40, 120, (HEIGHT, WIDTH * 2, 3)).astype(np.uint8)
    still = film(walk(60, 60, 0, 0))
    frames = [np.maximum(ground[:, 9 * i : 9 * i + WIDTH], one // 2) for i, one in enumerate(still)]
    frames = [np.where(one > 200, one, moved) for one, moved in zip(still, frames, strict=True)]
    model = Dots()
    expected, _ = looked(frames, 0.0, Dots())
    found, _ = looked(frames, 0.5, model)
    assert sum(model.looked_at) < 1.5 * COUNT * ROWS * COLUMNS
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_a_model_of_before_is_asked_for_whole_frames():
    _, by_windows = looked(film(walk(60, 60, 3, 2)), 0.5, Dots(windows=False))
    assert not any(by_windows)
