"""Prediction of videos: every frame a row, whatever happens."""

import json
import pickle
from pathlib import Path

import fakes
import numpy as np
import pandas as pd
import pytest
from apache_beam import Pipeline
from apache_beam.ml.inference.base import RunInference
from apache_beam.testing.util import assert_that

from pipelines.outputs import deeplabcut
from pipelines.predict import manifest, pipeline, steps
from pipelines.predict.infer import FramePredictor, SavedModelHandler
from pipelines.runner import LocalRunner
from preprocess import videos
from trainer import config


@pytest.fixture
def settings(trained, tmp_path):
    """The trained pose model with a folder of predictions of its own."""
    import shutil

    shutil.copytree(trained["pose"].model, tmp_path / "out/model")
    values = config.to_dict(trained["pose"])
    return config.from_dict(config.Config, {**values, "output": str(tmp_path / "out")})


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    fakes.video(path, "libx264", 30, gop=5)
    return path


def outputs(settings):
    return {p.name: p for p in Path(settings.predictions).iterdir() if p.is_file()}


def test_files_are_named_and_shaped_as_deeplabcut_does(settings, film):
    (summary,) = pipeline.run(settings, [str(film)]).videos
    stem = f"film{summary['scorer']}"
    assert set(outputs(settings)) == {
        f"{stem}.h5",
        f"{stem}.csv",
        f"{stem}_meta.pickle",
        f"{stem}.json",
        "failures.jsonl",
    }
    h5 = pd.read_hdf(outputs(settings)[f"{stem}.h5"], "df_with_missing")
    assert h5.columns.names == ["scorer", "bodyparts", "coords"]
    assert list(h5.columns[:3]) == [
        (summary["scorer"], "nose", c) for c in ("x", "y", "likelihood")
    ]
    assert list(h5.index) == list(range(30))
    csv = deeplabcut.read(outputs(settings)[f"{stem}.csv"])
    np.testing.assert_allclose(csv.to_numpy(), h5.to_numpy(), rtol=1e-6)
    meta = pickle.loads(outputs(settings)[f"{stem}_meta.pickle"].read_bytes())["data"]
    assert meta["nframes"] == 30
    assert meta["frame_dimensions"] == (fakes.VIDEO_HEIGHT, fakes.VIDEO_WIDTH)
    assert meta["cropping_parameters"] == [0, fakes.VIDEO_WIDTH, 0, fakes.VIDEO_HEIGHT]


def test_rows_equal_a_plain_loop_over_the_model(settings, film):
    (summary,) = pipeline.run(settings, [str(film)]).videos
    model = FramePredictor(settings.model)
    video = videos.index(str(film))
    expected = []
    for frame in videos.read(video, 0, video.count):
        found = model.predict(frame.pixels[None])
        expected.append(np.column_stack([found["keypoints"][0, 0], found["likelihood"][0, 0]]))
    csv = deeplabcut.read(outputs(settings)[f"film{summary['scorer']}.csv"])
    keypoints, bodyparts = deeplabcut.keypoints(csv)
    assert bodyparts == ["nose", "left", "tail"]
    np.testing.assert_allclose(keypoints, expected, atol=1e-2)


def test_damaged_frames_are_empty_rows_with_a_reason(settings, tmp_path):
    film = tmp_path / "damaged.mp4"
    fakes.video(film, "libx264", 90, gop=5)
    data = bytearray(film.read_bytes())
    start = len(data) * 2 // 3
    data[start : start + 600] = bytes(600)
    film.write_bytes(data)
    (summary,) = pipeline.run(settings, [str(film)]).videos
    assert summary["rows"] == summary["frames_by_packets"] == 90
    lines = outputs(settings)["failures.jsonl"].read_text().splitlines()
    failed = [json.loads(line)["frame"] for line in lines]
    csv = deeplabcut.read(outputs(settings)[f"damaged{summary['scorer']}.csv"])
    empty = csv.index[csv.isna().all(axis=1)].tolist()
    assert failed == empty
    assert 0 < len(failed) < 60
    assert summary["frames_decoded"] == 90 - len(failed)


def test_an_unreadable_video_is_a_failure_and_the_others_go_on(settings, film, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    paths = [str(tmp_path / "bad.mp4"), str(film), str(tmp_path / "gone.mp4")]
    summary = pipeline.run(settings, paths)
    assert [Path(v["video"]).name for v in summary.videos] == ["film.mp4"]
    assert [Path(path).name for path, _ in summary.failures] == ["bad.mp4", "gone.mp4"]
    lines = outputs(settings)["failures.jsonl"].read_text().splitlines()
    assert [Path(json.loads(line)["video"]).name for line in lines] == ["bad.mp4", "gone.mp4"]


def test_finished_videos_and_ranges_are_kept(settings, film, monkeypatch):
    predict, calls = steps.predict, []

    def die_at_the_third(part, *arguments):
        calls.append(part.start)
        if len(calls) == 3:
            raise OSError("killed")
        return predict(part, *arguments)

    monkeypatch.setattr(steps, "predict", die_at_the_third)
    with pytest.raises(Exception, match="killed"):
        pipeline.run(settings, [str(film)])
    killed = set(calls[:2])
    calls.clear()
    monkeypatch.setattr(
        steps, "predict", lambda part, *a: calls.append(part.start) or predict(part, *a)
    )
    (summary,) = pipeline.run(settings, [str(film)]).videos
    assert set(calls) == set(range(0, 30, 7)) - killed
    stem = f"film{summary['scorer']}"
    resumed = outputs(settings)[f"{stem}.csv"].read_bytes()
    calls.clear()
    assert pipeline.run(settings, [str(film)]).kept == 1
    assert calls == []
    outputs(settings)[f"{stem}.json"].unlink()
    pipeline.run(settings, [str(film)])
    assert outputs(settings)[f"{stem}.csv"].read_bytes() == resumed


def test_results_of_another_model_are_not_kept(settings, film):
    pipeline.run(settings, [str(film)])
    variables = Path(settings.model) / "saved_model/variables/variables.index"
    variables.write_bytes(variables.read_bytes() + b"\0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps.PredictRange, "setup", lambda self: setattr(self, "_model", None))
        patch.setattr(
            steps, "predict", lambda part, *a: (np.zeros((part.stop - part.start, 3, 3)), [])
        )
        assert pipeline.run(settings, [str(film)]).kept == 0


def test_two_videos_of_one_name_do_not_overwrite_each_other(settings, film, tmp_path):
    (tmp_path / "other").mkdir()
    fakes.video(tmp_path / "other/film.mp4", "libx264", 9)
    summary = pipeline.run(settings, [str(film), str(tmp_path / "other/film.mp4")])
    assert [v["rows"] for v in summary.videos] == [30, 9]
    assert len(list(Path(settings.predictions).rglob("film*.h5"))) == 2


def test_folders_and_globs_mean_their_videos(film, tmp_path):
    assert manifest.expand([str(tmp_path)]) == [str(film)]
    assert manifest.expand([str(tmp_path / "f*.mp4"), str(film)]) == [str(film)]
    with pytest.raises(FileNotFoundError, match="No file matches"):
        manifest.expand([str(tmp_path / "x*.mp4")])


def test_ranges_cover_a_video_once(film):
    video = videos.index(str(film))
    cut = [(r.start, r.stop) for r in manifest.ranges("film", video, 7)]
    assert cut == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 30)]
    untimed = video._replace(times=())
    assert [(r.start, r.stop) for r in manifest.ranges("film", untimed, 7)] == [(0, 30)]


def test_the_handler_works_in_beams_own_inference_step(trained):
    frames = [np.full((64, 96, 3), value, np.uint8) for value in range(5)]

    def check(results):
        assert len(results) == 5
        assert {r.inference["keypoints"].shape for r in results} == {(1, 3, 2)}

    import apache_beam as beam

    with Pipeline(runner=LocalRunner()) as pipeline_:
        found = (
            pipeline_
            | beam.Create(frames)
            | RunInference(SavedModelHandler(trained["pose"].model, 2))
        )
        assert_that(found, check)
