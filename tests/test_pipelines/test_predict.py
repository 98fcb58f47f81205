"""Prediction of videos: every frame a row, whatever happens."""

import json
import pickle
import time
from pathlib import Path

import fakes
import numpy as np
import pandas as pd
import pytest

from beampose.core.settings import experiment
from beampose.formats.deeplabcut import prediction_writer
from beampose.pipelines import manifest
from beampose.pipelines.predict import pose_predictor, prediction_job
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.pipelines.predict.predictor import Result
from beampose.pipelines.results import result_files
from beampose.preprocess import videos
from beampose.trainer.frame_predictor import FramePredictor


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    fakes.video(path, "libx264", 30, gop=5)
    return path


def outputs(settings):
    found = Path(settings.predictions).iterdir()
    return {p.name: p for p in found if p.is_file() and not p.name.startswith(".")}


def test_files_are_named_and_shaped_as_deeplabcut_does(settings, film):
    (summary,) = prediction_job.run(settings, [str(film)]).videos
    stem = f"film{summary.scorer}"
    assert set(outputs(settings)) == {
        f"{stem}.h5",
        f"{stem}.csv",
        f"{stem}_meta.pickle",
        f"{stem}.json",
        "failures.jsonl",
    }
    h5 = pd.read_hdf(outputs(settings)[f"{stem}.h5"], "df_with_missing")
    assert h5.columns.names == ["scorer", "bodyparts", "coords"]
    assert list(h5.columns[:3]) == [(summary.scorer, "nose", c) for c in ("x", "y", "likelihood")]
    assert list(h5.index) == list(range(30))
    csv = prediction_writer.read(outputs(settings)[f"{stem}.csv"])
    np.testing.assert_allclose(csv.to_numpy(), h5.to_numpy(), rtol=1e-6)
    meta = pickle.loads(outputs(settings)[f"{stem}_meta.pickle"].read_bytes())["data"]
    assert meta["nframes"] == 30
    assert meta["frame_dimensions"] == (fakes.VIDEO_HEIGHT, fakes.VIDEO_WIDTH)
    assert meta["cropping_parameters"] == [0, fakes.VIDEO_WIDTH, 0, fakes.VIDEO_HEIGHT]


def test_the_same_table_is_the_same_file_at_any_time(tmp_path):
    frame = prediction_writer.table(np.zeros((4, 2, 3)), "me", ["nose", "tail"])
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for file in files:
        prediction_writer.write_h5(frame, file, prediction_writer.KEY)
        time.sleep(1.1)
    assert files[0].read_bytes() == files[1].read_bytes()
    pd.testing.assert_frame_equal(pd.read_hdf(files[0]), frame)


def test_rows_equal_a_plain_loop_over_the_model(settings, film):
    (summary,) = prediction_job.run(settings, [str(film)]).videos
    model = FramePredictor(settings.model)
    video = videos.index(str(film))
    expected = []
    for frame in videos.read(video, 0, video.count):
        found = model.predict(frame.pixels[None])
        expected.append(np.column_stack([found["keypoints"][0, 0], found["likelihood"][0, 0]]))
    csv = prediction_writer.read(outputs(settings)[f"film{summary.scorer}.csv"])
    keypoints, bodyparts = prediction_writer.keypoints(csv)
    assert bodyparts == ["nose", "left", "tail"]
    np.testing.assert_allclose(keypoints, expected, atol=1e-2)


def test_damaged_frames_are_empty_rows_with_a_reason(settings, tmp_path):
    film = tmp_path / "damaged.mp4"
    fakes.video(film, "libx264", 90, gop=5)
    data = bytearray(film.read_bytes())
    start = len(data) * 2 // 3
    data[start : start + 600] = bytes(600)
    film.write_bytes(data)
    (summary,) = prediction_job.run(settings, [str(film)]).videos
    assert summary.rows == summary.frames_by_packets == 90
    lines = outputs(settings)["failures.jsonl"].read_text().splitlines()
    failed = [json.loads(line)["frame"] for line in lines]
    csv = prediction_writer.read(outputs(settings)[f"damaged{summary.scorer}.csv"])
    empty = csv.index[csv.isna().all(axis=1)].tolist()
    assert failed == empty
    assert 0 < len(failed) < 60
    assert summary.frames_decoded == 90 - len(failed)


def test_an_unreadable_video_is_a_failure_and_the_others_go_on(settings, film, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    paths = [str(tmp_path / "bad.mp4"), str(film), str(tmp_path / "gone.mp4")]
    summary = prediction_job.run(settings, paths)
    assert [Path(v.video).name for v in summary.videos] == ["film.mp4"]
    assert [Path(path).name for path, _ in summary.failures] == ["bad.mp4", "gone.mp4"]
    lines = outputs(settings)["failures.jsonl"].read_text().splitlines()
    assert [Path(json.loads(line)["video"]).name for line in lines] == ["bad.mp4", "gone.mp4"]


def test_finished_videos_and_ranges_are_kept(settings, film, monkeypatch):
    infer, calls = pose_predictor.Keypoints.infer, []

    def die_at_the_third(self, part, *arguments):
        calls.append(part.start)
        if len(calls) == 3:
            raise OSError("killed")
        return infer(self, part, *arguments)

    monkeypatch.setattr(pose_predictor.Keypoints, "infer", die_at_the_third)
    with pytest.raises(Exception, match="killed"):
        prediction_job.run(settings, [str(film)])
    killed = set(calls[:2])
    calls.clear()
    monkeypatch.setattr(
        pose_predictor.Keypoints,
        "infer",
        lambda self, part, *a: calls.append(part.start) or infer(self, part, *a),
    )
    (summary,) = prediction_job.run(settings, [str(film)]).videos
    assert set(calls) == set(range(0, 30, 7)) - killed
    stem = f"film{summary.scorer}"
    resumed = outputs(settings)[f"{stem}.csv"].read_bytes()
    calls.clear()
    assert prediction_job.run(settings, [str(film)]).kept == 1
    assert calls == []
    outputs(settings)[f"{stem}.json"].unlink()
    prediction_job.run(settings, [str(film)])
    assert outputs(settings)[f"{stem}.csv"].read_bytes() == resumed


def test_results_of_another_model_or_other_settings_are_refused_and_replaced_when_told(
    settings, film, monkeypatch
):
    prediction_job.run(settings, [str(film)])
    sampled = experiment.changed(settings, predict={"every": 3})
    ((path, why),) = prediction_job.run(sampled, [str(film)]).failures
    assert path == str(film)
    assert "with other settings" in why
    assert "--overwrite" in why
    monkeypatch.setattr(prediction_job, "model_digest", lambda _: "of another model")
    ((_, why),) = prediction_job.run(settings, [str(film)]).failures
    assert "by another model" in why
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SavedModelHandler, "acquire", lambda *_: None)
        empty = lambda self, part, *a: Result({"keypoints": np.zeros((len(part.frames), 3, 3))}, [])  # noqa: E731
        patch.setattr(pose_predictor.Keypoints, "infer", empty)
        summary = prediction_job.run(settings, [str(film)], overwrite=True)
    assert (summary.kept, summary.failures) == (0, [])


def test_two_videos_of_one_name_do_not_overwrite_each_other(settings, film, tmp_path):
    (tmp_path / "other").mkdir()
    fakes.video(tmp_path / "other/film.mp4", "libx264", 9)
    summary = prediction_job.run(settings, [str(film), str(tmp_path / "other/film.mp4")])
    assert [v.rows for v in summary.videos] == [30, 9]
    assert len(list(Path(settings.predictions).rglob("film*.h5"))) == 2


def test_folders_and_globs_mean_their_videos(film, tmp_path):
    assert manifest.expand([str(tmp_path)]) == [str(film)]
    assert manifest.expand([str(tmp_path / "f*.mp4"), str(film)]) == [str(film)]
    with pytest.raises(FileNotFoundError, match="No file matches"):
        manifest.expand([str(tmp_path / "x*.mp4")])


def cut(video, frames, chunk):
    return [
        [(p.start, p.stop) for p in stretch]
        for stretch in manifest.stretches("film", video, frames, chunk)
    ]


def test_ranges_cover_a_video_once_and_one_decoder_reads_those_without_times(film):
    video = videos.index(str(film))
    ends = [(0, 7), (7, 14), (14, 21), (21, 28), (28, 30)]
    assert cut(video, range(30), 7) == [[end] for end in ends]
    assert cut(video._replace(times=()), range(30), 7) == [ends]
    assert cut(video, range(0, 30, 4), 8) == [[(0, 5)], [(8, 13)], [(16, 21)], [(24, 29)]]


def test_two_films_of_one_name_keep_their_own_results_in_two_calls(settings, tmp_path, caplog):
    films = []
    for day, count in (("day1", 12), ("day2", 9)):
        (tmp_path / day).mkdir()
        films.append(fakes.video(tmp_path / day / "trial.mp4", "libx264", count, gop=5))
    (first,) = prediction_job.run(settings, films[:1]).videos
    before = {name: path.read_bytes() for name, path in outputs(settings).items()}
    (second,) = prediction_job.run(settings, films[1:]).videos
    assert [first.name, second.name] == ["trial", f"trial-{second.video_fingerprint[:8]}"]
    assert (first.rows, second.rows) == (12, 9)
    for name, data in before.items():
        assert outputs(settings)[name].read_bytes() == data
    assert f"trial belongs to another film of that name, {films[0]}" in caplog.text
    both = prediction_job.run(settings, films[::-1])
    assert (both.kept, [video.rows for video in both.videos]) == (2, [9, 12])
    found, _ = result_files.tables(settings, films[1:])
    assert found[0].name == second.name


def test_a_film_that_changed_leaves_the_results_of_what_it_was(settings, film, caplog):
    (first,) = prediction_job.run(settings, [str(film)]).videos
    fakes.video(film, "libx264", 11, gop=5)
    (second,) = prediction_job.run(settings, [str(film)]).videos
    assert (second.name, second.rows) == (f"film-{second.video_fingerprint[:8]}", 11)
    assert "has changed since film was made of it" in caplog.text
    assert json.loads(outputs(settings)[f"film{first.scorer}.json"].read_text())["rows"] == 30
    fakes.video(film, "libx264", 7, gop=5)
    (third,) = prediction_job.run(settings, [str(film)], overwrite=True).videos
    assert (third.name, third.rows) == ("film", 7)


def test_a_film_that_is_still_being_written_leaves_nothing(settings, film, monkeypatch):
    infer = pose_predictor.Keypoints.infer

    def write_on(*arguments):
        with film.open("ab") as stream:
            stream.write(b"more")
        return infer(*arguments)

    monkeypatch.setattr(pose_predictor.Keypoints, "infer", write_on)
    summary = prediction_job.run(settings, [str(film)])
    assert not summary.videos and "is still being written" in summary.failures[0][1]
    assert set(outputs(settings)) == {"failures.jsonl"}


def test_results_of_before_are_those_of_a_film_of_that_name_and_length(settings, film, caplog):
    (summary,) = prediction_job.run(settings, [str(film)]).videos
    file = outputs(settings)[f"film{summary.scorer}.json"]
    said = json.loads(file.read_text())
    del said["video_fingerprint"]
    file.write_text(json.dumps({**said, "video": "/before/film.mp4"}))
    assert prediction_job.run(settings, [str(film)]).kept == 1
    assert "was not recorded; taken to be those of this film by its name and length" in caplog.text
