"""Where frames do not come evenly, the time of each stands beside the rows."""

import numpy as np
import pytest

from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import frame_times
from beampose.pipelines.predict.predictor import Result
from beampose.preprocess.videos import Video

RATE = 30000 / 1001


def film(times, zero=0, first=0):
    return Video("film.mp4", 8, 6, RATE, 999, tuple(times), 0.001, first=first, zero=zero)


def test_times_of_a_range_count_from_the_first_frame_of_the_film():
    part = Range(film([100, 150, 180, 260], zero=40, first=7), "film", [8, 10])
    result, seconds = frame_times.apart(frame_times.with_times(part, Result({"a": np.ones(2)}, [])))
    assert list(result.arrays) == ["a"]
    np.testing.assert_allclose(seconds, [0.11, 0.22])
    untrusted = part._replace(video=film([]))
    assert frame_times.apart(frame_times.with_times(untrusted, result))[1] is None


@pytest.mark.parametrize("every", [1, 3])
def test_what_a_clock_rounds_does_not_vary_and_a_pause_does(every):
    frames = np.arange(0, 300, every)
    even = np.round(frames / RATE, 3)
    assert not frame_times.vary(frames, even, 0.001)
    assert frame_times.vary(frames, even + (frames > 100), 0.001)
    assert frame_times.vary(frames, (frames / RATE) ** 1.2, 0.001)
    assert not frame_times.vary(frames[:2], even[:2], 0.001)


def test_a_row_for_each_frame(tmp_path):
    frame_times.write(tmp_path / "film", np.array([3, 9]), np.array([0.1, 2 / 3]))
    text = (tmp_path / "film_times.csv").read_text()
    assert text == "frame,seconds\n3,0.100000\n9,0.666667\n"
