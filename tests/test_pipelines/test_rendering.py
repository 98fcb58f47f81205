"""Labeled films: each setting is seen in them."""

import av
import fake_infos
import fakes
import matplotlib as mpl
import numpy as np
import pytest
from walks import SCORER, walk, write

from beampose.core import artefacts
from beampose.core.settings import experiment
from beampose.formats.deeplabcut import prediction_writer
from beampose.pipelines.films import drawing, labeled_films
from beampose.preprocess import videos


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def rendered(tmp_path, keys, values, **words):
    settings = experiment.from_dict(
        experiment.Config,
        {
            "task": "pose",
            "source": {"format": "deeplabcut", "path": "x"},
            "output": str(tmp_path / "out"),
            "render": keys,
        },
    )
    film = tmp_path / "film.mp4"
    if not film.exists():
        fakes.video(film, "libx264", 40, size=(96, 128))
    done, failures = labeled_films.run(settings, [str(film)], lambda i, n, w: i, **words)
    if failures:
        raise ValueError(failures[0][1])
    with av.open(str(done[0])) as container:
        codec = container.streams.video[0].codec.name
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    return codec, frames


def color_at(frame, point):
    return frame[int(point[1]), int(point[0])].astype(int)


def test_every_setting_of_render_is_seen(tmp_path):
    values = np.full((40, 2, 3), 0.9)
    values[:, 0, :2], values[:, 1, :2] = [30.5, 40.5], [90.5, 40.5]
    values[:, 1, 2] = 0.5
    stem = write(tmp_path / "out/predictions", values)
    rainbow = (255 * np.array(mpl.colormaps["rainbow"]([0.0, 1.0]))[:, :3]).astype(int)
    keys = {"colormap": "rainbow", "trail": 0, "dot_size": 8, "pcutoff": 0.4}
    codec, frames = rendered(tmp_path, keys, values)
    assert (codec, len(frames)) == ("h264", 40)
    for i in (0, 1):
        assert np.abs(color_at(frames[9], values[0, i]) - rainbow[i]).max() < 40
    plain = next(videos.read(videos.index(str(tmp_path / "film.mp4")), 10, 11)).pixels
    part = {**keys, "bodyparts": ["tail"], "start": 0.4, "stop": 0.8, "codec": "mpeg4"}
    codec, frames = rendered(tmp_path, part, values)
    assert (codec, len(frames)) == ("mpeg4", 10)
    assert np.abs(color_at(frames[0], values[0, 1]) - rainbow[1]).max() < 40
    assert np.abs(color_at(frames[0], values[0, 0]) - color_at(plain, values[0, 0])).max() < 40
    _, frames = rendered(tmp_path, {**keys, "pcutoff": 0.6}, values)
    assert np.abs(color_at(frames[10], values[0, 1]) - color_at(plain, values[0, 1])).max() < 40
    moved = values.copy()
    moved[..., 0] += 20
    prediction_writer.write(
        prediction_writer.table(moved, SCORER, ("nose", "tail")), f"{stem}_filtered"
    )
    for words in ({"filtered": True}, {}):
        settings = {**keys, "filtered": not words}
        _, frames = rendered(tmp_path, settings, values, **words)
        assert np.abs(color_at(frames[10], moved[0, 0]) - rainbow[0]).max() < 40


def test_a_film_is_drawn_again_only_if_something_has_changed(tmp_path, caplog):
    caplog.set_level("INFO", "beampose")
    values = np.full((40, 2, 3), 0.9)
    values[..., :2] = [30.5, 40.5]
    stem = write(tmp_path / "out/predictions", values)
    keys = {"trail": 0, "dot_size": 8}
    _, first = rendered(tmp_path, keys, values)
    film = tmp_path / f"{stem}_labeled.mp4"
    made = film.stat()
    rendered(tmp_path, keys, values)
    assert film.stat() == made
    assert "drawn from these predictions already" in caplog.text
    _, other = rendered(tmp_path, {**keys, "dot_size": 12}, values)
    assert (other[5] != first[5]).any()
    values[..., 0] += 40
    prediction_writer.write(prediction_writer.table(values, SCORER, ("nose", "tail")), stem)
    _, moved = rendered(tmp_path, keys, values)
    assert np.abs(color_at(moved[5], [70, 40]) - color_at(first[5], [30, 40])).max() < 40
    whole = film.read_bytes()
    film.write_bytes(whole[: len(whole) // 2])
    rendered(tmp_path, keys, values)
    assert film.read_bytes() == whole


def test_the_skeleton_is_that_of_the_model_and_of_what_is_drawn(tmp_path):
    values = np.full((40, 2, 3), 0.9)
    values[:, 0, :2], values[:, 1, :2] = [20.5, 70.5], [100.5, 70.5]
    write(tmp_path / "out/predictions", values)
    (tmp_path / "out/model").mkdir()
    info = fake_infos.model(edges=[["nose", "tail"]], dlc_scorer=SCORER)
    artefacts.write_info(tmp_path / "out/model/info.json", info)
    lit = []
    for keys in ({}, {"skeleton": False}, {"bodyparts": ["nose"]}):
        _, frames = rendered(tmp_path, {"trail": 0, **keys}, values)
        lit.append(int(frames[0][70, 60].min()))
    assert lit[0] > 120
    assert max(lit[1:]) < 60


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"colormap": "rainbo"}, "Did you mean 'rainbow'"),
        ({"bodyparts": ["nos"]}, "has no bodypart 'nos'"),
        ({"bodyparts": []}, "render.bodyparts is empty"),
        ({"start": 99.0}, "has no prediction from render.start"),
        ({"codec": "h264"}, "render.codec must be one of"),
        ({"start": 2.0, "stop": 1.0}, "must be later than render.start"),
    ],
)
def test_mistakes_in_render_get_a_sentence(tmp_path, rng, keys, message):
    write(tmp_path / "out/predictions", walk(rng))
    with pytest.raises(ValueError, match=message):
        rendered(tmp_path, keys, None)


def test_points_however_far_away_are_drawn_nowhere():
    image = np.zeros((20, 30, 3), np.uint8)
    points = np.array([[1e300, 5.0], [-1e12, 1e12], [4.0, 4.0]])
    drawing.dots(image, points, [(9, 9, 9)] * 3, 2)
    drawing.skeleton(image, points, [(0, 2), (1, 2)])
    drawing.name(image, points, "nose", (9, 9, 9))
    assert image[:, 12:].max() > 0
