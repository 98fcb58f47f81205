"""Several animals on videos: predicted, tracked, drawn; from the command line."""

import importlib.util
import pickle
import shutil

import animals_run
import fakes
import numpy as np
import pandas as pd
import pytest
from animals_run import COUNT, filmed
from conftest import made_once

import beampose
from beampose.core import artefacts, storage
from beampose.core.infos import ModelInfo, ReidInfo
from beampose.core.settings import experiment
from beampose.formats import individuals_file
from beampose.formats.deeplabcut import track_writer
from beampose.pipelines import cli
from beampose.pipelines.predict import prediction_job
from beampose.pipelines.results import result_files
from beampose.pipelines.tracking import track_videos
from beampose.preprocess import unpickle
from beampose.trainer import assemble, export


@pytest.fixture(scope="module")
def once(tmp_path_factory, worker_id):
    return made_once(tmp_path_factory, worker_id, animals_run.NAME, animals_run.run)


@pytest.fixture(scope="module")
def film(once):
    return once / animals_run.FILM


@pytest.fixture(scope="module")
def ran(once, tmp_path_factory):
    """A config whose model was hardly trained, on random weights, and which ran on a film."""
    folder = tmp_path_factory.mktemp("tracked") / "copy"
    shutil.copytree(once, folder)
    return folder / "animals.yaml"


@pytest.fixture
def settings(ran):
    return experiment.load(ran)


def stem(settings, name="ants ä"):
    scorer = storage.read_json(f"{settings.model}/info.json")["dlc_scorer"]
    return f"{settings.predictions}/{name}{scorer}"


def test_individuals_are_those_that_assembly_makes_of_the_models_answers(settings, film):
    import tensorflow as tf

    info = artefacts.require(settings.model, ModelInfo)
    rules = assemble.rules(info)
    model = export.load(settings.model).signatures["descriptors"]  # pyright: ignore[reportAttributeAccessIssue]
    with individuals_file.read(stem(settings)) as found:
        assert found.count == COUNT and list(found.head.unique) == ["door"]
        frames = found.whole("frames")
        keypoints, single = found.whole("keypoints"), found.whole("single")
        rows, slots = np.nonzero(~np.isnan(keypoints[..., 0]).all(axis=-1))
        vectors, there = found.described(rows, slots)
        np.testing.assert_array_equal(there, ~np.isnan(keypoints[rows, slots][..., 0]))
    np.testing.assert_array_equal(frames, np.arange(COUNT))
    from beampose.preprocess import videos

    video = videos.index(str(film))
    for frame in videos.read(video, 0, COUNT):
        assert frame.pixels is not None
        given = model(frames=tf.constant(frame.pixels[None]))
        one = {name: value[0].numpy() for name, value in given.items()}
        expected = assemble.assemble(one, rules)
        np.testing.assert_allclose(keypoints[frame.index], expected[:2, :3], atol=1e-2)
        np.testing.assert_allclose(single[frame.index], expected[2:, 3:][0], atol=1e-2)
        of_frame = rows == frame.index
        chosen = assemble.choose(one, rules)[:2, :3][slots[of_frame]]
        known = one["descriptors"][np.arange(3), np.maximum(chosen, 0)].astype(np.float32)
        known[chosen < 0] = 0
        np.testing.assert_allclose(vectors[of_frame].astype(np.float32), known, atol=5e-2)


def test_a_model_loaded_from_python_answers_as_the_job_does(settings, film):
    from beampose.preprocess import videos

    expected = beampose.load_predictions(f"{stem(settings)}{individuals_file.ENDING}")
    frames = [frame.pixels for frame in videos.read(videos.index(str(film)), 0, COUNT)]
    found = beampose.load_model(settings.model).predict([f for f in frames if f is not None])
    assert found.individuals == expected.individuals
    assert found.bodyparts == expected.bodyparts
    assert found.unique_bodyparts == expected.unique_bodyparts == ("door",)
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=1e-2)
    np.testing.assert_allclose(found.likelihood, expected.likelihood, atol=1e-3)


def test_every_detection_of_the_film_is_in_a_track_or_counted_as_left_out(settings):
    base = stem(settings)
    said = storage.read_json(f"{base}_sk.json")
    with individuals_file.read(base) as found:
        there = ~np.isnan(found.whole("keypoints")[..., 0]).all(axis=-1)
    table = track_writer.read(f"{base}_sk.h5")
    shape = (COUNT, 2, 3, 3)
    placed = table.to_numpy()[:, : np.prod(shape[1:])].reshape(shape)
    shown = ~np.isnan(placed[..., 0]).all(axis=-1)
    assert shown.sum() + said["detections_left_out"] == there.sum() > 0
    assert said["individuals"] == list(dict.fromkeys(table.columns.get_level_values(1)))[:2]
    assert list(table.index) == list(range(COUNT))


def test_the_files_of_deeplabcut_are_there_and_name_the_same_frames(settings):
    base = stem(settings)
    held = unpickle.loads(storage.place(f"{base}_assemblies.pickle").read_bytes())
    with individuals_file.read(base) as found:
        keypoints = found.whole("keypoints")
    for number, animals in held.items():
        if number != "single":
            assert len(animals) == (~np.isnan(keypoints[number][..., 0]).all(axis=-1)).sum()
    pieces = unpickle.loads(storage.place(f"{base}_sk.pickle").read_bytes())
    assert "door" in {part for _, part, _ in pieces.pop("header")}
    pieces.pop("single")
    assert sum(len(frames) for frames in pieces.values()) == sum(
        len(v) for k, v in held.items() if k != "single"
    )
    assert pd.read_hdf(f"{base}_sk.h5").shape == (COUNT, 3 * (2 * 3 + 1))


def test_tracks_by_looks_are_taken_while_they_are_of_the_same_tracklets(ran, settings, film):
    base = stem(settings)
    said = storage.read_json(f"{base}_sk_tr.json")
    info = artefacts.require(f"{settings.output}/reid", ReidInfo)
    assert said["reid"]["accuracy"] == info.accuracy
    assert said["reid"]["reason"] == said["reid"]["calibration"]["reason"] != ""
    assert info.bodyparts == list(fakes.BODYPARTS) and info.videos == [str(film)]
    assert result_files.of_video(settings, "ants ä", str(film)).stem == f"{base}_sk_tr"
    assert storage.place(f"{base}_sk_tr_labeled.mp4").stat().st_size > 1000
    assert cli.main(["track", str(ran), "--set", "track.max_age=2"]) == 0
    assert result_files.of_video(settings, "ants ä", str(film)).stem == f"{base}_sk"
    assert cli.main(["track", str(ran), "--set", "track.appearance=descriptors"]) == 0
    assert cli.main(["track", str(ran)]) == 0


@pytest.mark.slow
def test_deeplabcuts_large_files_are_written_when_asked_for(settings, ran, tmp_path, film):
    asked = experiment.changed(settings, predict={"also": ["full", "bpt_features", "crops"]})
    prediction_job.run(asked, [str(film)], overwrite=True)
    base = stem(settings)
    full = unpickle.loads(storage.place(f"{base}_full.pickle").read_bytes())
    edges = full["metadata"]["PAFgraph"]
    assert len(full) == 1 + COUNT and full["metadata"]["nframes"] == COUNT
    one = full["frame03"]
    a, b = edges[0]
    assert one["costs"][0]["m1"].shape == (len(one["confidence"][a]), len(one["confidence"][b]))
    import shelve

    with shelve.open(f"{base}_bpt_features.pickle", "r") as shelf:
        with individuals_file.read(base) as found:
            keypoints = found.whole("keypoints")
        for name, animals in shelf.items():
            there = keypoints[int(name.removeprefix("frame"))]
            there = there[~np.isnan(there[..., 0]).all(axis=-1)]
            np.testing.assert_array_equal(animals["coordinates"], there[..., :2])
            assert animals["features"].shape == (*there.shape[:2], 16)
    with individuals_file.read(base) as found:
        assert found.described_by == [*fakes.BODYPARTS, individuals_file.CROP]
        rows, slots = np.nonzero(~np.isnan(keypoints[..., 0]).all(axis=-1))
        described, there = found.described(rows, slots)
    assert there[:, -1].all() and (np.abs(described[:, -1]) > 0).any(axis=1).all()
    assert cli.main(["track", str(ran)]) == 0 and cli.main(["reid", str(ran)]) == 0
    info = artefacts.require(f"{settings.output}/reid", ReidInfo)
    assert info.bodyparts == [*fakes.BODYPARTS, individuals_file.CROP]
    assert cli.main(["predict", str(ran), "--overwrite"]) == 0
    assert cli.main(["track", str(ran)]) == 0


def test_sleap_reads_the_tracks(ran, settings, capsys):
    if importlib.util.find_spec("sleap_io") is None:
        assert cli.main(["track", str(ran), "--slp"]) == 2
        assert "pip install 'beampose[sleap]'" in capsys.readouterr().err
        pytest.skip("sleap-io is not installed")
    import sleap_io  # pyright: ignore[reportMissingImports]

    assert cli.main(["track", str(ran), "--slp"]) == 0
    file = f"{stem(settings)}_sk.slp"
    table = track_writer.read(f"{stem(settings)}_sk.h5")
    told = sleap_io.load_slp(file, open_videos=False)
    assert told.skeleton.node_names == list(fakes.BODYPARTS)
    names = list(dict.fromkeys(table.columns.get_level_values(1)))[:2]
    assert [track.name for track in told.tracks] == names
    expected = table.to_numpy()[:, :18].reshape(COUNT, 2, 3, 3)
    for frame in told.labeled_frames:
        for one in frame.instances:
            known = expected[frame.frame_idx, names.index(one.track.name)]
            np.testing.assert_allclose(one.numpy(), known[:, :2], atol=1e-4)
            np.testing.assert_allclose(one.points["score"], np.nan_to_num(known[:, 2]), atol=1e-4)
    assert len(told.labeled_frames) == (~np.isnan(expected).all(axis=(1, 2, 3))).sum()


def test_tracks_of_older_predictions_are_not_drawn(ran, settings, film, capsys):
    changed = experiment.changed(settings, predict={"every": 2})
    prediction_job.run(changed, [str(film)], overwrite=True)
    assert cli.main(["render", str(ran)]) == 1
    assert "Run `beampose track` again" in capsys.readouterr().out
    done, failures = track_videos.run(changed, [str(film)], lambda items, *_: items)
    assert not failures and done[0].info.rows == COUNT // 2
    assert list(track_writer.read(f"{stem(settings)}_sk.h5").index) == list(range(0, COUNT, 2))
    assert cli.main(["predict", str(ran), "--overwrite"]) == 0
    assert cli.main(["track", str(ran)]) == 0


def test_tracks_are_measured_against_labels(ran, settings, tmp_path, capsys):
    table = track_writer.read(f"{stem(settings)}_sk.h5")
    pairs = [c for c in table.columns if c[3] != "likelihood"]
    told = table[pairs].copy()
    told.index = [f"labeled-data/x/img{i:02d}.png" for i in told.index]
    told.to_csv(tmp_path / "labels.csv")
    assert cli.main(["track", str(ran), "--labels", str(tmp_path / "labels.csv")]) == 0
    said = capsys.readouterr().out
    assert "IDF1 1.000, 0 switches, 100.0% of animals found" in said and "\\n" not in said
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert cli.main(["track", str(ran), "--labels", str(tmp_path / "other.csv")]) == 1
    assert "other.csv: must begin with rows" in capsys.readouterr().out


def test_a_video_that_was_not_predicted_is_told_apart(ran, tmp_path, capsys):
    filmed(tmp_path / "new.mp4", [0])
    assert cli.main(["track", str(ran), str(tmp_path / "new.mp4")]) == 1
    assert "has no predictions. Run `beampose predict` first." in capsys.readouterr().out


@pytest.mark.slow
def test_a_video_of_one_frame_is_predicted_tracked_and_drawn(ran, settings, tmp_path, capsys):
    filmed(tmp_path / "one.mp4", [3])
    for verb in ("predict", "track", "reid", "render", "plot", "filter"):
        assert cli.main([verb, str(ran), str(tmp_path / "one.mp4")]) == 0
    assert "reid: nothing to learn from" in capsys.readouterr().out
    assert len(track_writer.read(f"{stem(settings, 'one')}_sk.h5")) == 1


def test_a_damaged_file_of_individuals_is_told(ran, settings, tmp_path, capsys):
    filmed(tmp_path / "two.mp4", [3])
    for ending in (".json", individuals_file.ENDING):
        data = storage.place(f"{stem(settings)}{ending}").read_bytes()
        storage.place(f"{stem(settings, 'two')}{ending}").write_bytes(data[:3000])
    assert cli.main(["track", str(ran), str(tmp_path / "two.mp4")]) == 1
    assert "cannot be read as h5" in capsys.readouterr().out


def test_what_several_animals_do_not_have_is_refused(ran, capsys):
    assert cli.main(["predict", str(ran), "--set", "predict.dynamic=0.5"]) == 2
    assert "predict.dynamic follows one animal" in capsys.readouterr().err
    assert cli.main(["track", str(ran), "--set", "track.similarity=boxes"]) == 2
    assert "track.similarity must be one of" in capsys.readouterr().err


def test_named_animals_keep_their_names_in_tracks():
    rng = np.random.default_rng(0)
    from beampose.pipelines.tracking import tracklets

    path = rng.uniform(0, 4, (30, 2, 1, 2)).cumsum(axis=0) + [[[0, 0]], [[500, 500]]]
    body = path + rng.normal(0, 10, (1, 2, 4, 2))
    detections = np.concatenate([body, np.ones((30, 2, 4, 1))], axis=-1)[:, ::-1]
    head = individuals_file.Head("s", ["b", "a"], list("wxyz"), [], True, "", 30, 25.0, 9, 9)
    pieces = list(tracklets.track(detections))
    found = track_videos.Detections(head, np.arange(30), np.zeros((30, 0, 3)), pieces, 0)
    made = track_videos.stitch.stitch(pieces, frames=30)
    names = track_videos.called(found, made)
    for track, name in enumerate(names):
        slot = ["b", "a"].index(name)
        np.testing.assert_array_equal(made.keypoints[:, track], detections[:, slot])


def test_pickles_hold_no_more_than_deeplabcut_asks_for(settings):
    held = pickle.loads(storage.place(f"{stem(settings)}_sk.pickle").read_bytes())
    assert set(map(type, held)) <= {int, str} and "header" in held
