"""filter, plot and render: what is made of predictions, their own and DeepLabCut's."""

import json
import re
import subprocess
import sys
from pathlib import Path

import av
import fake_infos
import fakes
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy import signal

from beampose.core import artefacts
from beampose.core.settings import experiment
from beampose.formats.deeplabcut import evaluation_writer, prediction_tables, prediction_writer
from beampose.pipelines import cli
from beampose.pipelines.films import labeled_films
from beampose.pipelines.report import trajectories
from beampose.pipelines.results import rts_smoother, smoothing
from beampose.preprocess import videos

SCORER = "DLC_resnet50_spotsJan1shuffle1_30"
FILTER = experiment.Filter()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def lab(tmp_path):
    """The file of an lab without a model, and the folder of its predictions."""
    file = tmp_path / "pose.yaml"
    file.write_text("task: pose\nsource: {format: deeplabcut, path: project}\noutput: out\n")
    return file, tmp_path / "out/predictions"


def walk(rng, rows=40, points=2):
    """A steady walk of sure points (rows, points, 3)."""
    speed = rng.normal(0, 0.3, (rows, points, 2)).cumsum(axis=0)
    places = 30 + speed.cumsum(axis=0)
    return np.concatenate([places, np.full((rows, points, 1), 0.9)], axis=-1)


def write(predictions, values, name="film", frames=None, bodyparts=("nose", "tail")):
    made = prediction_writer.table(values, SCORER, bodyparts, frames)
    prediction_writer.write(made, f"{predictions}/{name}{SCORER}")
    return f"{predictions}/{name}{SCORER}"


def filtered(values, settings=FILTER, frames=None, pcutoff=0.6):
    frames = np.arange(len(values)) if frames is None else frames
    return smoothing.filtered(values, settings, pcutoff=pcutoff, frames=frames)


REAL = (
    "m3v1mp4DLC_resnet50_openfieldOct30shuffle1_100000.h5",
    "montblanc_tracks.h5",
    "vid1_camera-1DeepCut_resnet50_TESTAug16shuffle1_5.h5",
    "vid1_camera-1DLC_resnet50_TESTNov4shuffle1_10filtered.csv",
)


@pytest.mark.parametrize("name", REAL)
def test_files_of_deeplabcut_come_back_as_pandas_reads_them(shared_data, tmp_path, name):
    file = shared_data / "dlc-outputs" / name
    read = prediction_tables.read(str(file))
    if file.suffix == ".h5":
        expected = pd.read_hdf(file)
    else:
        expected = pd.read_csv(file, header=[0, 1, 2], index_col=0)
        expected.columns = expected.columns.set_names(["scorer", "bodyparts", "coords"])
    prediction_tables.write(read, tmp_path / "copy")
    found = pd.read_hdf(tmp_path / "copy.h5", key="df_with_missing")
    assert isinstance(found, pd.DataFrame)
    assert isinstance(expected, pd.DataFrame)
    pd.testing.assert_frame_equal(found, expected, check_names=False)
    assert list(found.columns.names) == list(expected.columns.names)
    assert set(found.dtypes) == {np.dtype(np.float64)}
    again = prediction_tables.read(str(tmp_path / "copy.csv"))
    np.testing.assert_allclose(again.values, read.values, atol=1e-9)
    assert again.points == read.points


def test_a_median_is_deeplabcuts_away_from_the_ends(rng):
    values = walk(rng)
    for window in (3, 5, 9):
        half = window // 2
        found = filtered(values, experiment.Filter(window=window)).values
        for point, axis in np.ndindex(2, 2):
            expected = signal.medfilt(values[:, point, axis], window)
            np.testing.assert_allclose(found[half:-half, point, axis], expected[half:-half])
    assert np.array_equal(found[..., 2], values[..., 2])


def test_a_median_is_that_of_what_is_there(rng):
    series = rng.normal(size=(30, 3))
    series[rng.random(series.shape) < 0.3] = np.nan
    found = smoothing.median(series, 5)
    for row, column in np.ndindex(series.shape):
        window = series[max(row - 2, 0) : row + 3, column]
        if np.isnan(series[row, column]):
            assert np.isnan(found[row, column])
        else:
            assert found[row, column] == pytest.approx(np.nanmedian(window))


def test_savgol_filters_each_run_by_itself(rng):
    values = walk(rng, 40, 1)
    values[25, 0] = np.nan
    found = filtered(values, experiment.Filter(method="savgol", window=7, order=2)).values
    for part in (slice(0, 25), slice(26, 40)):
        expected = np.asarray(signal.savgol_filter(values[part, 0, 0], 7, 2))
        np.testing.assert_allclose(found[part, 0, 0], expected)
    assert np.isnan(found[25, 0]).all()
    short = filtered(values[:3], experiment.Filter(method="savgol")).values
    np.testing.assert_allclose(short, values[:3])
    with pytest.raises(ValueError, match="not evenly spaced.*kalman can"):
        filtered(values[:4], experiment.Filter(method="savgol"), frames=np.array([0, 5, 10, 16]))


@pytest.mark.parametrize("method", ["median", "savgol", "kalman"])
def test_short_gaps_are_bridged_and_long_ones_stay_as_predicted(rng, method):
    truth = walk(rng, 60, 1)
    values = truth.copy()
    values[20:23, 0] = [900, 900, 0.1]
    values[40:50, 0] = [700, 700, 0.2]
    values[58:, 0, 2] = 0.1
    found = filtered(values, experiment.Filter(method=method, fill=5))
    assert found.bridged == 3
    assert np.abs(found.values[20:23, 0, :2] - truth[20:23, 0, :2]).max() < 3
    assert (found.values[40:50, 0, :2] == 700).all()
    assert np.array_equal(found.values[..., 2], values[..., 2])
    assert np.array_equal(found.values[58:], values[58:])


def test_a_kalman_smoother_is_the_gaussian_of_all_rows_at_once(rng, monkeypatch):
    """Against the dense solution: the mean of all places given all predictions."""
    # Vaguer, the dense solution drowns in rounding.
    monkeypatch.setattr(rts_smoother, "_VAGUE", 50.0)
    rows, ratio, steps = 25, 0.3, np.ones(24)
    steps[10] = 3.0
    series = rng.normal(size=(rows, 2)).cumsum(axis=0)
    series[[5, 6, 19]] = np.nan
    found, leverage = rts_smoother._smooth(series, steps[:, None], np.full(2, ratio))
    first = series[0]
    mean = np.zeros(2 * rows)
    shift, noise = np.eye(2 * rows), np.zeros((2 * rows, 2 * rows))
    noise[:2, :2] = rts_smoother._VAGUE * np.eye(2)
    for row, dt in enumerate(steps, 1):
        here, before = slice(2 * row, 2 * row + 2), slice(2 * row - 2, 2 * row)
        move = np.array([[1, dt], [0, 1]])
        shift[here] = move @ shift[before]
        shift[here, here] = np.eye(2)
        noise[here, here] = ratio * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    prior = shift @ noise @ shift.T
    for k in range(2):
        seen = 2 * np.flatnonzero(np.isfinite(series[:, k]))
        gain = prior[:, seen] @ np.linalg.inv(prior[np.ix_(seen, seen)] + np.eye(len(seen)))
        expected = mean + gain @ (series[seen // 2, k] - first[k])
        np.testing.assert_allclose(found[:, k], expected[::2] + first[k], atol=1e-4)
        posterior = prior - gain @ prior[seen]
        np.testing.assert_allclose(leverage[:, k], np.diag(posterior)[::2], atol=1e-4)


def test_chunks_of_a_long_video_join_without_a_seam(rng, monkeypatch):
    series = walk(rng, 900, 1)[..., :2].reshape(900, 2)
    whole = rts_smoother.smooth(series, np.ones(899)).places
    monkeypatch.setattr(rts_smoother, "_CHUNK", 250)
    monkeypatch.setattr(rts_smoother, "_AROUND", 150)
    monkeypatch.setattr(rts_smoother, "_AT_ONCE", 3)
    np.testing.assert_allclose(rts_smoother.smooth(series, np.ones(899)).places, whole, atol=1e-6)


def test_noise_goes_and_the_walk_stays(rng):
    truth = walk(rng, 400, 2)
    noisy = truth.copy()
    noisy[..., :2] += rng.normal(0, 3, noisy[..., :2].shape)
    found = filtered(noisy, experiment.Filter(method="kalman")).values
    before = np.abs(noisy[..., :2] - truth[..., :2]).mean()
    assert np.abs(found[..., :2] - truth[..., :2]).mean() < 0.6 * before


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"method": "mean"}, "must be one of median, savgol, kalman"),
        ({"window": 4}, "must be odd"),
        ({"order": 2}, "filter.order does not apply to method median"),
        ({"method": "kalman", "window": 5}, "filter.window does not apply"),
        ({"pcutoff": 0.5}, "filter.pcutoff does not apply"),
        ({"method": "savgol", "window": 3, "order": 3}, "must be below filter.window"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        experiment.from_dict(experiment.Filter, keys)


def test_the_verb_writes_deeplabcuts_files_for_sampled_frames_too(lab, rng, capsys):
    file, predictions = lab
    frames = np.arange(0, 200, 5)
    stem = write(predictions, walk(rng), frames=frames)
    assert cli.main(["filter", str(file), "film.mp4", "other.mp4"]) == 1
    said = capsys.readouterr().out
    assert "1 video, 40 rows" in said
    assert "other.mp4: has no predictions. Run `beampose predict` first." in said
    found = pd.read_hdf(f"{stem}_filtered.h5", key="df_with_missing")
    assert found.index.tolist() == frames.tolist()
    assert found.columns.names == ["scorer", "bodyparts", "coords"]
    assert found.columns.get_level_values("scorer").unique() == [SCORER]
    told = json.loads((predictions / f"film{SCORER}_filtered.json").read_text())
    assert told["filter"]["method"] == "median"


def test_filtered_files_of_older_predictions_are_refused(lab, rng, capsys):
    file, predictions = lab
    stem = write(predictions, walk(rng))
    assert cli.main(["plot", str(file), f"{stem}.h5", "--filtered"]) == 1
    assert "Run `beampose filter` first" in capsys.readouterr().out
    assert cli.main(["filter", str(file), f"{stem}.h5"]) == 0
    assert cli.main(["plot", str(file), f"{stem}.h5", "--filtered"]) == 0
    write(predictions, walk(rng))
    assert cli.main(["plot", str(file), f"{stem}.csv", "--filtered"]) == 1
    assert "was predicted again" in capsys.readouterr().out


def test_plots_are_drawn_of_every_kind_and_of_films_without_a_sure_point(lab, rng):
    file, predictions = lab
    values = walk(rng)
    write(predictions, values)
    values[..., 2] = 0.1
    write(predictions, values, "dark")
    assert cli.main(["plot", str(file), "film.mp4", "dark.mp4"]) == 0
    for name in ("film", "dark"):
        found = {f.name for f in (predictions / "plot-poses" / name).iterdir()}
        kinds = {f"{plot}.{kind}" for plot in trajectories.PLOTS for kind in ("png", "svg")}
        assert found == {*kinds, "film.json"}
        for one in (predictions / "plot-poses" / name).glob("*.svg"):
            assert "nose" in one.read_text()


def test_thinned_lines_keep_every_peak_and_long_gaps(rng):
    values = rng.normal(size=20_000)
    values[7_777], values[12_000:13_000] = 50, np.nan
    x, y = trajectories.thinned(np.arange(20_000) * 5, values)
    assert len(x) <= 2 * trajectories.BINS + 2
    assert (np.diff(x) >= 0).all()
    assert y[x == 7_777 * 5] == 50
    assert np.isnan(y[(x > 60_100) & (x < 64_900)]).all()
    assert np.nanmin(y) == np.nanmin(values)


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


def test_filter_and_plot_run_without_tensorflow_and_beam(lab, rng):
    file, folder = lab
    write(folder, walk(rng))
    code = (
        "import sys; from beampose.pipelines import cli; "
        f"assert cli.main(['filter', {str(file)!r}, 'film.mp4']) == 0; "
        f"assert cli.main(['plot', {str(file)!r}, 'film.mp4', '--filtered']) == 0; "
        "print([name for name in ('tensorflow', 'keras', 'apache_beam') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.endswith("[]\n"), ran.stdout + ran.stderr


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


def test_an_evaluation_is_laid_out_as_deeplabcuts(tmp_path, rng):
    (tmp_path / "project").mkdir()
    (tmp_path / "project/config.yaml").write_text("Task: spots\niteration: 2\n")
    truth = rng.uniform(0, 90, (5, 1, 2, 2))
    truth[3, 0, 1] = np.nan
    predicted = np.concatenate([truth[:, 0] + [3, 4], np.full((5, 2, 1), 0.9)], axis=-1)
    predicted[4, :, :2] += [3, 4]
    predicted[4, 0, 2] = 0.1
    settings = experiment.from_dict(
        experiment.Config,
        {
            "task": "pose",
            "source": {"format": "deeplabcut", "path": str(tmp_path / "project")},
            "output": str(tmp_path / "out"),
        },
    )
    result = evaluation_writer.Judged(
        images=[f"labeled-data/a/img{i}.png" for i in range(5)],
        train=np.arange(5) < 4,
        bodyparts=["nose", "tail"],
        predicted=predicted,
        errors=np.linalg.norm(predicted[..., :2] - truth[:, 0], axis=-1),
    )
    info = fake_infos.model(dlc_scorer=SCORER)
    place = evaluation_writer.write(result, settings, info, tmp_path)
    assert place is not None
    parts = ("evaluation-results", "iteration-2", "spotsJan1-trainset80shuffle1")
    assert str(place) == str(tmp_path.joinpath(*parts))
    found = pd.read_hdf(str(place / f"{SCORER}-snapshot-30.h5"), key="df_with_missing")
    assert found.index[0] == ("labeled-data", "a", "img0.png")
    np.testing.assert_allclose(found.to_numpy(), predicted.reshape(5, -1))
    row = pd.read_csv(str(place / f"{SCORER}-results.csv"), index_col=0).iloc[0]
    assert row.to_dict() == {
        "Training iterations:": 30,
        "%Training dataset": 80,
        "Shuffle number": 1,
        " Train error(px)": 5.0,
        " Test error(px)": 10.0,
        "p-cutoff used": 0.6,
        "Train error with p-cutoff": 5.0,
        "Test error with p-cutoff": 10.0,
    }
    several = result._replace(errors=result.errors[:, None])
    assert evaluation_writer.write(several, settings, info, place) is None


def test_the_documents_sections_are_settings(tmp_path):
    text = (Path(__file__).parents[2] / "docs/results.md").read_text(encoding="utf-8")
    sections = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert len(sections) == 2
    (tmp_path / "c.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: x}\noutput: o\n" + "".join(sections)
    )
    assert experiment.load(tmp_path / "c.yaml").filter.fill == 10


def test_results_in_a_bucket_are_read_and_written_there(buckets, tmp_path, rng):
    file = tmp_path / "pose.yaml"
    file.write_text("task: pose\nsource: {format: deeplabcut, path: x}\noutput: gs://lab/out\n")
    write("gs://lab/out/predictions", walk(rng))
    assert cli.main(["filter", str(file), "film.mp4"]) == 0
    assert cli.main(["plot", str(file), "film.mp4", "--filtered"]) == 0
    found = prediction_tables.read(f"gs://lab/out/predictions/film{SCORER}_filtered.csv")
    assert found.values.shape == (40, 2, 3)
    plot = buckets.get("gs://lab/out/predictions/plot-poses/film/plot_filtered.png")
    assert plot.startswith(b"\x89PNG")
