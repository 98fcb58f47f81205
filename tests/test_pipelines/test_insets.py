"""A small animal is shown enlarged in the corner that is farthest from it."""

import numpy as np

from beampose.pipelines.films import insets


def shown(points, size=(200, 300)):
    image = np.zeros((*size, 3), np.uint8)
    image[..., 0] = np.arange(size[1])[None] % 200
    before, seen = image.copy(), []

    def draw(window, moved):
        seen.append((window.shape, moved(points)))

    insets.add(image, before, points, draw)
    return image, np.argwhere((image != before).any(axis=-1)), seen


def test_the_animal_is_enlarged_and_not_hidden():
    points = np.array([[250.0, 150.0], [262.0, 158.0], [np.nan, np.nan]])
    image, changed, ((shape, moved),) = shown(points)
    assert shape == (72, 72, 3)
    # In the upper left, and a frame around what it shows.
    assert (image[0, :72] == 255).all() and (changed[:, 0] < 72).any()
    assert (moved[:2] > 0).all() and (moved[:2] < 72).all() and np.isnan(moved[2]).all()
    assert np.hypot(*(moved[1] - moved[0])) > 2 * np.hypot(12, 8)
    inside = image[151:157, 251:261]
    assert (inside[..., 1:] == 0).all()


def test_a_large_animal_and_a_single_point_get_none():
    assert not shown(np.array([[50.0, 50.0], [150.0, 120.0]]))[2]
    assert not shown(np.array([[50.0, 50.0], [np.nan, np.nan]]))[2]
    image, changed, seen = shown(np.array([[20.0, 20.0], [24.0, 25.0]]), (40, 60))
    assert not len(changed) and not seen
