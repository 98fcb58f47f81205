"""Points in space from several views: right, honest, and robust against views that are wrong."""

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
import rigs

import beampose
from beampose.core.settings import experiment
from beampose.formats import anipose_csv, calibrations
from beampose.formats.deeplabcut import prediction_tables, space_tables
from beampose.pipelines.cli import main
from beampose.pipelines.space import bones, point_fit, radii, recordings, space_fit, synchronise
from beampose.pipelines.space.view_points import UNKNOWN, Seen
from beampose.preprocess import cameras

FRAMES = 300


def seen(cams, places, rng, *, noise=0.0, wrong=0.0, missing=0.0, told=None) -> Seen:
    """What cameras see of (frames, bodyparts, 3), with errors; `told` is the model's deviation."""
    pixels = cameras.project(cams, places)[:, None]
    pixels = pixels + rng.normal(size=pixels.shape) * noise
    odd = rng.random(pixels.shape[:4]) < wrong
    pixels[odd] += rng.normal(0, 40, (odd.sum(), 2))
    pixels[rng.random(pixels.shape[:4]) < missing] = np.nan
    count = places.shape[1]
    sigma = np.full((count, len(cams)), UNKNOWN if told is None else told)
    known = np.full(count, told is not None)
    return Seen(pixels, np.ones(pixels.shape[:4]), sigma, known, ("",), rigs.BODYPARTS)


def errors(fit, places):
    return np.linalg.norm(fit.places[:, 0] - places, axis=-1)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_points_without_noise_are_exact(count):
    places = rigs.walk(40)
    cams = rigs.rig(count)
    fit = space_fit.fit(cams, seen(cams, places, np.random.default_rng(0), told=1.0))
    np.testing.assert_allclose(fit.places[:, 0], places, atol=1e-8)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("told", [None, 1.0, 0.4])
def test_nine_in_ten_errors_stay_within_the_radius(count, told):
    places, cams = rigs.walk(FRAMES), rigs.rig(count)
    fit = space_fit.fit(cams, seen(cams, places, np.random.default_rng(1), noise=1.0, told=told))
    inside = errors(fit, places) < fit.radius[:, 0]
    assert 0.85 < inside.mean() < 0.96
    assert all(0.8 < one.inside < 0.97 for one in fit.agreement)


def test_views_that_are_wrong_are_left_out():
    places, cams = rigs.walk(FRAMES), rigs.rig(4)
    view = seen(cams, places, np.random.default_rng(2), noise=1.0, wrong=0.08, told=1.0)
    found = errors(space_fit.fit(cams, view), places)
    rays = cameras.rays(cams, view.pixels.reshape(-1, 4, 2))
    plain = point_fit.linear(rays, cameras.projections(cams), np.ones(rays.shape[:2]))
    plain = np.linalg.norm(plain - places.reshape(-1, 3), axis=-1)
    assert np.nanpercentile(found, 98) < 6 < np.percentile(plain, 90)
    assert np.isnan(found).mean() < 0.03


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("told", [None, 1.0])
def test_a_camera_that_was_moved_is_left_out_and_not_averaged(count, told):
    places, cams = rigs.walk(FRAMES), rigs.rig(count)
    view = seen(cams, places, np.random.default_rng(3), noise=1.0, told=told)
    view.pixels[..., 1, :] += 30
    fit = space_fit.fit(cams, view)
    assert fit.used[..., 1].mean() < 0.02
    assert np.nanmedian(errors(fit, places)) < 3


def test_less_than_two_views_or_two_that_contradict_make_no_point():
    places, cams = rigs.walk(60), rigs.rig(2)
    view = seen(cams, places, np.random.default_rng(4), noise=0.5, told=0.5)
    view.pixels[0, 0, 0, 1] = np.nan
    # Off the line on which the other view allows it.
    ray = cameras.project(cams, places[1, 1] + [0, 0, 80])[1]
    view.pixels[1, 0, 1, 1] = ray + [60, 0]
    fit = space_fit.fit(cams, view)
    assert np.isnan(fit.places[0, 0, 0]).all() and np.isnan(fit.radius[0, 0, 0])
    assert np.isnan(fit.places[1, 0, 1]).all()
    assert np.isfinite(fit.places[2:]).all()


def test_two_views_are_what_opencv_triangulates():
    places, cams = rigs.walk(100).reshape(-1, 3), rigs.rig(2)
    pixels = cameras.project(cams, places) + np.random.default_rng(5).normal(size=(500, 2, 2))
    rays, two = cameras.rays(cams, pixels), cameras.projections(cams)
    theirs = cv2.triangulatePoints(*two, *(rays[:, i].T.copy() for i in range(2)))
    np.testing.assert_allclose(
        point_fit.linear(rays, two, np.ones((500, 2))), (theirs[:3] / theirs[3]).T, atol=1e-8
    )


def test_the_radius_of_a_ball_holds_its_share_of_any_covariance():
    rng = np.random.default_rng(6)
    for sizes in ([1, 1, 1], [1, 1, 9], [0.1, 1, 30]):
        errors = rng.normal(size=(200_000, 3)) * sizes
        radius = radii.of_covariances(np.diag(np.square(sizes)).astype(float)[None])[0]
        assert abs((np.linalg.norm(errors, axis=1) < radius).mean() - 0.9) < 0.01


def test_bones_of_one_length_make_points_better_where_views_are_poor():
    places = rigs.walk(FRAMES)
    # Two cameras side by side see depth badly.
    cams = [rigs.rig(30)[0], rigs.rig(30)[1]]
    view = seen(cams, places, np.random.default_rng(7), noise=1.0, told=1.0)
    fit = space_fit.fit(cams, view)
    edges = [(1, 2), (2, 3), (3, 4)]
    learned = bones.learn(fit.places[:, 0], fit.covariances[:, 0], edges)
    truth = np.median(np.linalg.norm(np.diff(places[:, 1:], axis=1), axis=-1), axis=0)
    np.testing.assert_allclose([one.length for one in learned], truth, rtol=0.03)
    moved, after = bones.apply(fit.places[:, 0], fit.covariances[:, 0], learned)
    better = np.linalg.norm(moved - places, axis=-1)
    assert better.mean() < 0.9 * errors(fit, places).mean()
    radius = radii.of_covariances(after.reshape(-1, 3, 3)).reshape(better.shape)
    assert (better < radius).mean() > 0.8


def test_frames_are_matched_by_number_time_and_offset():
    numbers = [np.arange(10), np.arange(2, 12)]
    found = synchronise.by_number(numbers, [0, 2])
    np.testing.assert_array_equal(found.rows[:, 1], np.arange(10))
    behind = synchronise.by_number(numbers, [0, 4])
    np.testing.assert_array_equal(behind.frames, np.arange(10))
    # The second camera lost its frames 4 and 5.
    times = [np.arange(10) / 10, np.delete(np.arange(10), [4, 5]) / 10 + 0.003]
    found = synchronise.by_time([np.arange(10), np.arange(8)], times, [0, 0])
    np.testing.assert_array_equal(found.rows[:, 1], [0, 1, 2, 3, -1, -1, 4, 5, 6, 7])
    # It is ahead.
    found = synchronise.by_time([np.arange(4)] * 2, [np.arange(4) / 10] * 2, [0, -2])
    np.testing.assert_array_equal(found.rows, [[0, -1], [1, -1], [2, 0], [3, 1]])
    with pytest.raises(ValueError, match="one recording"):
        synchronise.by_number([np.arange(5), np.arange(50, 60)], [0, 0])


def test_motion_tells_how_many_frames_a_view_is_behind():
    places, cams = rigs.walk(400, seed=3), rigs.rig(2)
    pixels = cameras.project(cams, places)
    pixels += np.random.default_rng(8).normal(size=pixels.shape) * 0.5
    signals = [
        synchronise.motion(pixels[17 - shift : 380 - shift, :, view], np.arange(363))
        for view, shift in ((0, 0), (1, 17))
    ]
    found = synchronise.lag(*signals, 100)
    assert found.frames == 17 and found.clear > 1.15
    still = synchronise.lag(np.zeros(100), np.zeros(100), 20)
    with pytest.raises(ValueError, match="--offset left=FRAMES"):
        synchronise.check(still, "left", "motion")


@pytest.fixture
def recording(tmp_path):
    """A config, a calibration, tables of three views by name, and the truth."""
    cams, places = rigs.rig(3), rigs.walk(60)
    pixels = cameras.project(cams, places)
    pixels += np.random.default_rng(9).normal(size=pixels.shape) * 0.5
    config, file = rigs.experiment(tmp_path), rigs.calibration(tmp_path, cams)
    views = {
        cam.name: rigs.table(str(tmp_path / f"trial_{cam.name}DLC_x.h5"), pixels[:, :, i])
        for i, cam in enumerate(cams)
    }
    return config, file, views, places


def run(recording, *more, views=None, calibration=None):
    config, file, named, _ = recording
    words = [f"{name}={path}" for name, path in (views or named).items()]
    return main(
        ["triangulate", config, "--calibration", calibration or file, "--views", *words, *more]
    )


def test_the_verb_writes_tables_that_read_back(recording, tmp_path, capsys):
    stem = tmp_path / "out" / "trial_3d"
    assert run(recording, "--to", str(stem), "--smooth") == 0
    assert "0.0% left out" in capsys.readouterr().out
    one = space_tables.read(f"{stem}.h5")
    two = anipose_csv.read(f"{stem}_anipose.csv")
    np.testing.assert_allclose(one.places, two.places)
    assert one.bodyparts == two.bodyparts == rigs.BODYPARTS
    apart = np.linalg.norm(one.places[:, 0] - recording[3], axis=-1)
    assert apart.mean() < 1.0 and (two.views == 3).mean() > 0.95
    assert (apart < one.radius[:, 0]).mean() > 0.85
    assert (tmp_path / "out" / "trial_3d.html").stat().st_size > 10_000
    again = beampose.load_points(f"{stem}.h5")
    np.testing.assert_array_equal(again.radius, one.radius)


MISTAKES = {
    "one view": (lambda v: {"cam0": v["cam0"]}, "two views at least"),
    "unknown camera": (lambda v: {"cam0": v["cam0"], "cam9": v["cam1"]}, "has no camera 'cam9'"),
    "no file": (lambda v: {"cam0": v["cam0"], "cam1": "nowhere.mp4"}, "nowhere.mp4"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_in_the_views_is_a_sentence(recording, capsys, kind):
    change, said = MISTAKES[kind]
    assert run(recording, views=change(recording[2])) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error


def test_a_view_of_another_program_is_called_so(recording, tmp_path, capsys):
    h5py.File(tmp_path / "a.slp", "w").close()
    views = {**recording[2], "cam1": str(tmp_path / "a.slp")}
    assert run(recording, views=views) == 2
    assert "a.slp is a file of SLEAP, not predictions: " in capsys.readouterr().err


def remarks(recording, views, **wanted):
    config, file = experiment.load(recording[0], ()), recording[1]
    named, rig = list(views.items()), calibrations.read(file)
    found = recordings.read(config, rig, named, recordings.Wanted(**wanted), filtered=False)
    return "; ".join(found.remarks)


def test_views_that_are_exchanged_are_said_to_be_far_off(recording):
    named = recording[2]
    assert not remarks(recording, named)
    views = {"cam0": named["cam1"], "cam1": named["cam0"]}
    assert "px off in the median: are films or names of two cameras" in remarks(recording, views)


def test_films_of_other_frame_rates_are_not_put_together_silently(recording, tmp_path):
    views, predictions = {}, tmp_path / "runs/predictions"
    predictions.mkdir(parents=True)
    pixels = cameras.project(rigs.rig(2), recording[3][:9])
    for number, (name, fps) in enumerate((("cam0", 50), ("cam1", 25))):
        black = [np.zeros((rigs.HEIGHT, rigs.WIDTH, 3), np.uint8)] * 9
        views[name] = rigs.film(tmp_path / f"trial_{name}.mp4", black, fps)
        rigs.table(str(predictions / f"trial_{name}DLC_resnet50_rig.h5"), pixels[:, :, number])
    said = remarks(recording, views)
    assert "cam0 has 50 frames a second and cam1 25" in said and "--synchronise times" in said
    assert "frames a second" not in remarks(recording, views, synchronise="times")


def test_unequal_length_nothing_seen_and_other_names_are_said(recording, tmp_path, capsys):
    rng = np.random.default_rng(0)
    short = rigs.table(str(tmp_path / "shortDLC_x.h5"), rng.uniform(100, 300, (40, 5, 2)))
    assert run(recording, "--to", str(tmp_path / "a"), views={**recording[2], "cam1": short}) == 0
    said = capsys.readouterr().out
    assert "cam1 ends 20 frames before cam0" in said
    nothing = rigs.table(str(tmp_path / "noneDLC_x.h5"), np.full((60, 5, 2), np.nan))
    views = {"cam0": recording[2]["cam0"], "cam1": nothing}
    assert run(recording, "--to", str(tmp_path / "b"), views=views) == 1
    assert "no point was found" in capsys.readouterr().out
    names = tuple("abcde")
    other = rigs.table(
        str(tmp_path / "otherDLC_x.h5"), rng.uniform(9, 99, (60, 5, 2)), bodyparts=names
    )
    assert run(recording, views={"cam0": recording[2]["cam0"], "cam1": other}) == 2
    assert "No bodypart is predicted in two views" in capsys.readouterr().err
    assert run(recording, "--offset", "cam1=30000") == 2
    assert "The view cam1" in (error := capsys.readouterr().err) and "--offset" in error
    assert run(recording, "--bones") == 2
    assert "--bones needs a skeleton" in capsys.readouterr().err


def test_two_animals_keep_their_names_across_views_that_exchange_them(tmp_path, capsys):
    cams = rigs.rig(3)
    places = np.stack([rigs.walk(150, seed=1), rigs.walk(150, seed=2, start=(90, 40))], axis=1)
    places[:, 1] += [30, 60, 20]
    pixels = cameras.project(cams, places)
    pixels += np.random.default_rng(0).normal(size=pixels.shape) * 0.5
    # One view calls them the other way round, one exchanges them on the way.
    pixels[..., 1, :] = pixels[:, ::-1, :, 1]
    pixels[50:, ..., 2, :] = pixels[50:, ::-1, :, 2]
    config, file = rigs.experiment(tmp_path), rigs.calibration(tmp_path, cams)
    views = {
        cam.name: rigs.table(
            str(tmp_path / f"t_{cam.name}DLC_x.h5"), pixels[..., i, :], individuals=("a", "b")
        )
        for i, cam in enumerate(cams)
    }
    assert run((config, file, views, None), "--to", str(tmp_path / "two")) == 0
    found = space_tables.read(str(tmp_path / "two.h5"))
    assert found.individuals == ("a", "b")
    apart = np.linalg.norm(found.places - places, axis=-1)
    assert np.nanmedian(apart) < 1 and np.nanpercentile(apart, 95) < 5
    assert "matched across views" in capsys.readouterr().out


def flashing(path, frames, flashes):
    """A film of a grey room in which a lamp flashes."""
    dark = np.full((rigs.HEIGHT, rigs.WIDTH, 3), 60, np.uint8)
    return rigs.film(path, [dark + np.uint8(90 * (i in flashes)) for i in range(frames)])


def test_a_light_that_all_cameras_see_tells_how_far_a_film_is_behind(tmp_path, capsys):
    cams, places, late = rigs.rig(2), rigs.walk(110), 13
    pixels = cameras.project(cams, places)
    config, file = rigs.experiment(tmp_path), rigs.calibration(tmp_path, cams)
    flashes = {30, 31, 47, 60, 61, 62, 83}
    views, predictions = {}, tmp_path / "runs/predictions"
    predictions.mkdir(parents=True)
    for number, (name, behind) in enumerate((("cam0", 0), ("cam1", late))):
        stem = f"trial_{name}"
        shown = {one + behind for one in flashes}
        views[name] = flashing(tmp_path / f"{stem}.mp4", 110, shown)
        seen = np.roll(pixels[:, :, number], behind, axis=0)
        rigs.table(str(predictions / f"{stem}DLC_resnet50_rig.h5"), seen)
    recording = config, file, views, places
    assert run(recording, "--synchronise", "light", "--to", str(tmp_path / "lit")) == 0
    found = space_tables.read(str(tmp_path / "lit.h5"))
    np.testing.assert_array_equal(found.frames, np.arange(110))
    apart = np.linalg.norm(found.places[:97, 0] - places[:97], axis=-1)
    assert apart.max() < 0.1 and np.isnan(found.places[97:]).all()
    views["cam1"] = flashing(tmp_path / "trial_cam1.mp4", 110, set())
    assert run(recording, "--synchronise", "light", "--to", str(tmp_path / "dark")) == 2
    assert "cannot be told by light" in capsys.readouterr().err


def test_an_experiment_triangulates_as_the_command_line_does(recording, tmp_path):
    config, file, views, places = recording
    experiment = beampose.Experiment(config, cameras={"calibration": file})
    done = experiment.triangulate(views, to=tmp_path / "api" / "trial")
    assert done.passed and "instants" in str(done) and "<img" in done._repr_html_()
    assert np.linalg.norm(done.points.places[:, 0] - places, axis=-1).mean() < 1.0
    assert run(recording, "--to", str(tmp_path / "cli" / "trial")) == 0
    one, two = (tmp_path / folder / "trial.csv" for folder in ("api", "cli"))
    assert one.read_bytes() == two.read_bytes()
    with pytest.raises(ValueError, match="no option 'smoth'"):
        experiment.triangulate(views, smoth=True)
    with pytest.raises(ValueError, match="two cameras at least"):
        experiment.triangulate({"cam0": views["cam0"]})
    with pytest.raises(ValueError, match="cameras.calibration"):
        beampose.Experiment(config).triangulate(views)


def test_frames_in_which_heads_disagree_weigh_less(recording, tmp_path):
    config, file, views, places = recording
    spread = np.full((60, 5), 0.5)
    spread[::4, 2] = 30.0
    table = prediction_tables.read(views["cam1"])
    values = table.values.copy()
    values[::4, 2, :2] += 8.0
    prediction_tables.write(table._replace(values=values), views["cam1"].removesuffix(".h5"))
    assert run(recording, "--to", str(tmp_path / "plain")) == 0
    stem = views["cam1"].removesuffix(".h5")
    frame = pd.DataFrame(spread, columns=pd.Index(rigs.BODYPARTS))
    frame.to_csv(f"{stem}_spread.csv", index_label="frame")
    assert run(recording, "--to", str(tmp_path / "spread")) == 0
    found = [space_tables.read(f"{tmp_path}/{one}.h5").places for one in ("spread", "plain")]
    off = [np.linalg.norm(one[::4, 0, 2] - places[::4, 2], axis=-1) for one in found]
    assert np.isfinite(off[0]).all() and off[0].mean() < 1.5
    # Without it such points are off or left open.
    assert np.isnan(off[1]).any() or off[1].mean() > 2 * off[0].mean()
    pd.DataFrame(spread[:9]).to_csv(f"{stem}_spread.csv")
    assert run(recording, "--to", str(tmp_path / "other")) == 0
