"""What moves between the photographs of a burst has boxes; of single ones nothing is known."""

import numpy as np
import pytest

from beampose.preprocess import bursts, stills
from beampose.preprocess.motion import Motion
from beampose.preprocess.stills import Facts, Picture, Still, Stills
from beampose.preprocess.videos import Frame

SETTINGS = Motion(min_size=0.001, merge=5.0, opening=3, min_area=20)


def scene(place=None, light=0, seed=0):
    """A picture of noise, with an animal of 12 x 10 pixels at x, y."""
    rng = np.random.default_rng(seed)
    pixels = 90 + light + rng.normal(0, 2, (80, 120, 3))
    if place:
        pixels[place[1] : place[1] + 10, place[0] : place[0] + 12] = 200
    return np.clip(pixels, 0, 255).astype(np.uint8)


def test_of_three_each_shows_where_the_animal_is_whatever_the_light():
    places = [(10, 10), (50, 40), (90, 60)]
    found = bursts.moved([scene(p, 8 * i, i) for i, p in enumerate(places)], SETTINGS)
    for place, boxes in zip(places, found, strict=True):
        ((x, y, width, height),) = boxes.tolist()
        assert abs(x - place[0]) <= 3 and abs(y - place[1]) <= 3
        assert abs(width - 12) <= 6 and abs(height - 10) <= 6


def test_of_two_both_places_are_found_and_where_nothing_moves_none():
    found = bursts.moved([scene((10, 10)), scene((50, 40), seed=1)], SETTINGS)
    assert [len(boxes) for boxes in found] == [2, 2]
    still = bursts.moved([scene(seed=2), scene(seed=3), scene(seed=4)], SETTINGS)
    assert [len(boxes) for boxes in still] == [0, 0, 0]
    roi = SETTINGS._replace(roi=(40, 120, 0, 80))
    (first, _) = bursts.moved([scene((10, 10)), scene((50, 40), seed=1)], roi)
    assert len(first) == 1 and first[0, 0] >= 46


def taken(folder, second, size=(80, 120)):
    return folder, f"2026-05-01T06:30:{second:02d}", size


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([taken("A", 0), taken("A", 1), taken("A", 3)], [True] * 3),
        ([taken("A", 0), taken("A", 20), taken("A", 21)], [False, True, True]),
        ([taken("A", 0), taken("B", 0)], [False, False]),
        ([taken("A", 0), taken("A", 1, (60, 90))], [False, False]),
        ([("A", "", (80, 120)), ("A", "", (80, 120))], [False, False]),
        ([taken("A", 5), taken("A", 1)], [False, False]),
    ],
)
def test_a_burst_is_of_one_folder_one_size_and_some_seconds(images, expected):
    listed = tuple(Still(f"{folder}/{i}.jpg", 1) for i, (folder, *_) in enumerate(images))
    pictures = [
        Picture(Frame(i, scene(seed=i)[: size[0], : size[1]]), Facts(*size, 1, when))
        for i, (_, when, size) in enumerate(images)
    ]
    source = Stills("x", "x", "x", len(images), images=listed)
    found = list(bursts.found(pictures, source, 2.0, SETTINGS))
    assert [one.frame.index for one in found] == list(range(len(images)))
    assert [one.frame.boxes is not None for one in found] == expected


@pytest.mark.parametrize("beside", [0, 2, 5])
@pytest.mark.parametrize("count", [1, 3, 7, 8])
def test_pieces_have_the_images_beside_them(tmp_path, count, beside):
    every = [Still(f"{i}.jpg", 1) for i in range(count)]
    stills.write(str(tmp_path / "list"), every)
    source = Stills("x", "x", "x", count, listing=str(tmp_path / "list"))
    found = list(stills.windows(source, 3, beside))
    assert [n for numbers, _ in found for n in numbers] == list(range(count))
    for numbers, piece in found:
        first, last = max(numbers[0] - beside, 0), min(numbers[-1] + beside + 1, count)
        assert piece.first == first and piece.images == tuple(every[first:last])
