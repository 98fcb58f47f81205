"""Crop models on videos: boxes, crops, classes, and the files other programs open."""

import csv
import json
from pathlib import Path

import fakes
import numpy as np
import pytest
import scene

import beampose
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Boxes, Keep
from beampose.core.wording import counted
from beampose.formats import detection_table
from beampose.pipelines import cli
from beampose.pipelines.label import recurring
from beampose.pipelines.label.crop_desk import CropDesk
from beampose.pipelines.label.crop_marks import ANIMAL, REPEAT
from beampose.pipelines.predict import candidates, crops_predictor, prediction_job
from beampose.preprocess import videos
from beampose.preprocess.cut import Rule
from beampose.trainer.frame_predictor import FramePredictor

COUNT = 60


def thing(bright):
    """A crop as `conftest.write_crops` makes them: positive ones hold a bright spot."""
    image = np.random.default_rng(bright).integers(100, 150, (50, 60, 3)).astype(np.uint8)
    if bright:
        image[10:40, 15:45] = (250, 240, 30)
    return image


VISITS = (
    scene.Visit(thing(True), 25, 34, 40, 30, 2),
    scene.Visit(thing(False), 30, 39, 200, 150, 2),
    scene.Visit(thing(True), 48, 55, 180, 40, 3),
)


@pytest.fixture
def film(tmp_path):
    return scene.film(tmp_path / "feeder.mp4", COUNT, VISITS)


@pytest.fixture
def settings(trained, tmp_path):
    """The trained crop experiment with predictions in a folder of this test."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/model").symlink_to(trained["crops"].model)
    return experiment.changed(
        trained["crops"],
        output=str(tmp_path / "out"),
        predict={"chunk": 16, "pcutoff": 0.5, "batch_size": 4},
        boxes=Boxes(min_size=0.005, merge=10, burn_in=8),
    )


def megadetector_file(path, entries):
    """Boxes of a video that are the truth of its scene."""
    values = {
        "info": {"format_version": "1.6"},
        "detection_categories": {"1": "animal", "2": "person"},
        "images": entries,
    }
    path.write_text(json.dumps(values))
    return str(path)


def truth(name="cam/feeder.mp4", **more):
    found = []
    for visit in VISITS:
        for i in range(visit.first, visit.last + 1):
            x, y, w, h = visit.box(i)
            bbox = [x / scene.WIDTH, y / scene.HEIGHT, w / scene.WIDTH, h / scene.HEIGHT]
            found.append({"category": "1", "conf": 0.9, "bbox": bbox, "frame_number": i, **more})
    return {"file": name, "frame_rate": 10, "frames_processed": [], "detections": found}


@pytest.fixture
def from_file(settings, tmp_path):
    path = megadetector_file(tmp_path / "md.json", [truth()])
    return experiment.changed(settings, boxes=Boxes(by="file", path=path, pad=0.0))


def table(settings, name="feeder"):
    return detection_table.read(f"{settings.predictions}/{name}_crops.parquet")


def contents(settings):
    """All files of a run but those that say when."""
    found = [p for p in Path(settings.predictions).rglob("*") if p.is_file()]
    return {
        p.relative_to(settings.predictions).as_posix(): p.read_bytes()
        for p in found
        if not p.name.startswith(".") and p.name != "feeder_crops.json"
    }


def test_what_moves_is_found_and_classified(settings, film):
    whole = experiment.changed(settings, predict={"chunk": 100})
    (summary,) = prediction_job.run(whole, [film]).videos
    found = table(settings)
    assert summary.boxes == len(found.frames) > 20
    for visit in VISITS:
        # An edge of the scene that a thing uncovers is foreground too, for some frames.
        for i in range(visit.first + 1, visit.last + 1):
            x, y, w, h = visit.box(i)
            here = found.only(found.frames == i)
            centres = here.places[:, :2] + here.places[:, 2:] / 2
            assert (np.abs(centres - (x + w / 2, y + h / 2)).max(axis=1) < 25).any(), (visit, i)


def test_scores_equal_what_the_model_says_of_the_crop_itself(from_file, film):
    prediction_job.run(from_file, [film])
    found = table(from_file)
    model = FramePredictor(from_file.model)
    video = videos.index(film)
    frames = {f.index: f.pixels for f in videos.read(video, 0, COUNT)}
    expected = []
    for number, (x, y, w, h) in zip(found.frames, found.places, strict=True):
        expected.append(model.predict(frames[number][None, y : y + h, x : x + w])["scores"][0])
    assert len(expected) == sum(v.last - v.first + 1 for v in VISITS)
    np.testing.assert_allclose(found.scores, expected, atol=0.02)
    bright = np.isin(found.frames, np.r_[25:30, 48:56])
    assert (found.confidence[bright] > 0.5).all()
    np.testing.assert_allclose(np.linalg.norm(found.embedding, axis=1), 1, atol=1e-2)


def test_a_model_loaded_from_python_classifies_crops_of_several_sizes(from_file):
    crops = [fakes.pixels(seed, 40 + seed, 60) for seed in range(3)]
    model = FramePredictor(from_file.model)
    expected = [model.predict(crop[None])["scores"][0] for crop in crops]
    found = beampose.load_model(from_file.model).predict(crops)
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)
    assert found.labels == [found.classes[i] for i in np.argmax(expected, axis=1)]


@pytest.mark.slow
def test_a_killed_and_resumed_run_and_ranges_by_one_decoder_are_the_same(
    settings, film, monkeypatch
):
    prediction_job.run(settings, [film])
    calm = contents(settings)
    again = experiment.changed(settings, output=settings.output + "2")
    Path(again.output).mkdir()
    (Path(again.output) / "model").symlink_to(settings.model)
    infer, calls = crops_predictor.Crops.infer, []

    def die_at_the_third(self, part, *arguments):
        calls.append(part.start)
        if len(calls) == 3:
            raise OSError("killed")
        return infer(self, part, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(crops_predictor.Crops, "infer", die_at_the_third)
        with pytest.raises(Exception, match="killed"):
            prediction_job.run(again, [film])
    prediction_job.run(again, [film])
    assert contents(again) == calm
    third = experiment.changed(settings, output=settings.output + "3")
    Path(third.output).mkdir()
    (Path(third.output) / "model").symlink_to(settings.model)
    index = videos.index
    monkeypatch.setattr(videos, "index", lambda path: index(path)._replace(times=()))
    prediction_job.run(third, [film])
    assert contents(third) == calm


def test_sampled_frames_warm_up_on_sampled_frames(settings, film):
    sampled = experiment.changed(settings, predict={"every": 2, "chunk": 16})
    (summary,) = prediction_job.run(sampled, [film]).videos
    assert summary.frames_chosen == COUNT // 2
    found = table(settings)
    assert len(found.frames) and (found.frames % 2 == 0).all()
    assert summary.boxes == len(found.frames)


def test_deepmeerkats_review_opens_the_folder(from_file, film):
    prediction_job.run(from_file, [film])
    folder = Path(from_file.predictions) / "feeder"
    text = (folder / "annotations.csv").read_text()
    assert text.splitlines()[0] == "frame,clock,x,y,h,w,label,score"
    rows = list(csv.DictReader(text.splitlines()))
    found = table(from_file)
    hits = found.only(found.hits(0.5))
    assert len(rows) == len(hits.frames) > 0
    for row, frame, place in zip(rows, hits.frames, hits.places, strict=True):
        assert row["frame"] == str(frame + 1)
        assert row["clock"] == f"0:00:{frame // 10:02d}"
        assert [int(row[k]) for k in "xywh"] == place.tolist()
        assert row["label"] == "positive"
        assert 0.5 <= float(row["score"]) <= 1
    parameters = dict(csv.reader((folder / "parameters.csv").read_text().splitlines()))
    assert parameters["source_video"] == film
    assert Path(parameters["source_video"]).is_file()
    assert list(parameters) == sorted(parameters)
    assert all(key == key.lower() for key in parameters)


def problems(values):
    """Lists where a file breaks the format description of MegaDetector, version 1.6."""
    assert isinstance(values["info"]["format_version"], str)
    for kind in ("detection_categories", "classification_categories"):
        assert all(int(k) >= 0 and v.strip() for k, v in values[kind].items())
    for image in values["images"]:
        assert isinstance(image["file"], str)
        assert all(isinstance(i, int) for i in image["frames_processed"])
        if image.get("failure") is not None:
            assert isinstance(image["failure"], str)
            assert image["detections"] is None
            continue
        assert image["frame_rate"] > 0
        for found in image["detections"]:
            assert found["category"] in values["detection_categories"]
            assert isinstance(found["conf"], float)
            assert 0 <= found["conf"] <= 1
            assert isinstance(found["frame_number"], int)
            assert found["frame_number"] in image["frames_processed"]
            assert all(0 <= v <= 1 for v in found["bbox"])
            scores = [score for _, score in found["classifications"]]
            assert scores == sorted(scores, reverse=True)
            assert {k for k, _ in found["classifications"]} <= set(
                values["classification_categories"]
            )


def test_timelapse_gets_one_json_of_all_videos_and_failures(from_file, film, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    summary = prediction_job.run(from_file, [film, str(tmp_path / "bad.mp4")])
    assert len(summary.failures) == 1
    values = json.loads((Path(from_file.predictions) / "megadetector.json").read_text())
    problems(values)
    good, bad = values["images"]
    assert (good["file"], bad["file"]) == ("feeder.mp4", "bad.mp4")
    assert "video" in bad["failure"]
    assert good["frames_processed"] == list(range(COUNT))
    found = table(from_file)
    assert len(good["detections"]) == len(found.frames)
    x, y, w, h = good["detections"][0]["bbox"]
    place = np.array([x * scene.WIDTH, y * scene.HEIGHT, w * scene.WIDTH, h * scene.HEIGHT])
    np.testing.assert_allclose(place, found.places[0], atol=0.1)
    # Its own output is boxes again.
    again = experiment.changed(
        from_file,
        output=from_file.output,
        boxes=Boxes(
            by="file",
            path=str(Path(from_file.predictions) / "megadetector.json"),
            pad=0.0,
            min_confidence=0.0,
        ),
    )
    prediction_job.run(again, [film], overwrite=True)
    np.testing.assert_array_equal(table(again).places, found.places)


def test_a_video_without_boxes_is_a_failure_that_says_so(from_file, tmp_path):
    other = scene.film(tmp_path / "other.mp4", 12, ())
    ((path, why),) = prediction_job.run(from_file, [other]).failures
    assert path == other
    assert "no results of a video named other.mp4" in why
    outside = experiment.changed(from_file, boxes=Boxes(roi=[0, 5000, 0, 10]))
    ((_, why),) = prediction_job.run(outside, [other]).failures
    assert "boxes.roi" in why


def test_frames_and_clips_are_kept(from_file, film):
    kept = experiment.changed(
        from_file, keep=Keep(frames=3, clips=True, gap=1.0, buffer=0.5, shortest=1.0)
    )
    (summary,) = prediction_job.run(kept, [film]).videos
    folder = Path(kept.predictions) / "feeder"
    found = table(kept)
    hits = np.unique(found.frames[found.hits(0.5)])
    jpgs = {int(p.stem) - 1 for p in folder.glob("*.jpg")}
    assert len(jpgs) == summary.frames_kept == 3
    assert jpgs <= set(hits.tolist())
    assert summary.clips == [p.name for p in sorted(folder.glob("*.mp4"))]
    for name in summary.clips:
        first, last = (int(v) for v in name.removesuffix(".mp4").split("_")[1].split("-"))
        assert videos.index(str(folder / name)).count == last - first + 1


def test_the_doors_work_on_crop_models(trained, film, tmp_path, capsys, monkeypatch):
    file = Path(trained["crops"].output).parent / "crops.yaml"
    words = [str(file), film, "--set", f"output={tmp_path / 'door'}", "--set", "boxes.burn_in=8"]
    (tmp_path / "door").mkdir()
    (tmp_path / "door/model").symlink_to(trained["crops"].model)
    assert cli.main(["predict", *words]) == 0
    out = capsys.readouterr().out
    assert "hits in" in out
    assert "NOTE: how the model's training crops were cut is not known" in out
    folder = tmp_path / "door/predictions"
    assert cli.main(["repeats", *words, "--at-least", "2"]) == 0
    page = (folder / "repeats.html").read_text()
    start = page.index('id="data">') + len('id="data">')
    groups = json.loads(page[start : page.index("</script>", start)])["groups"]
    assert groups and all(group["pictures"] for group in groups)
    gone = groups[0]["detections"]
    lines = "".join(f"feeder,{frame},{box}\n" for frame, box in gone)
    (tmp_path / "gone.csv").write_text("video,frame,box\n" + lines)
    before = (folder / "feeder/annotations.csv").read_text().splitlines()
    whole = (folder / "megadetector.json").read_bytes()
    assert cli.main(["repeats", *words, "--dismiss", str(tmp_path / "gone.csv")]) == 0
    assert f"feeder: {len(gone)} dismissed" in capsys.readouterr().out
    after = (folder / "feeder/annotations.csv").read_text().splitlines()
    assert len(after) == len(before) - len(gone)
    assert set(after) < set(before)
    (image,) = json.loads((folder / "megadetector.json").read_text())["images"]
    left = {(d["frame_number"]) for d in image["detections"]}
    assert len(image["detections"]) == summary_of(folder)["boxes"] - len(gone)
    assert left <= set(image["frames_processed"])
    for odd, told in [("--detections", "without options draws every"), ("--filtered", "remove")]:
        capsys.readouterr()
        assert cli.main(["render", *words, odd]) == 2
        error = capsys.readouterr().err
        assert "classifies crops" in error and told in error
    assert cli.main(["render", *words, "--set", "render.trail=3"]) == 2
    assert "render.trail applies only to task 'pose'" in capsys.readouterr().err
    assert cli.main(["render", *words]) == 0
    assert videos.index(str(folder / "feeder_crops_labeled.mp4")).count == COUNT
    # A list that names nothing brings all of them back.
    (tmp_path / "gone.csv").write_text("video,frame,box\n")
    assert cli.main(["repeats", *words, "--dismiss", str(tmp_path / "gone.csv")]) == 0
    assert (folder / "feeder/annotations.csv").read_text().splitlines() == before
    assert (folder / "megadetector.json").read_bytes() == whole
    # The page of `beampose label` dismisses the same.
    monkeypatch.setattr(recurring, "AT_LEAST", 2)
    config = experiment.load(str(file), [f"output={tmp_path / 'door'}", "boxes.burn_in=8"])
    found = recurring.of_experiment(config)
    assert len(found.looks.names) == len(groups)
    desk = CropDesk(found.folder, found.looks, found.marks, (REPEAT, ANIMAL), apply=found.apply)
    boxes = [set(map(tuple, place.boxes)) for place in found.marks.places.values()]
    number = boxes.index({(frame, box) for frame, box in gone})
    desk.mark("one", [[number, 0]])
    assert desk.apply("one")["text"].startswith(f"{counted(len(gone), 'detection')} dismissed")
    assert (folder / "feeder/annotations.csv").read_text().splitlines() == after
    desk.close()


def summary_of(folder):
    return json.loads((folder / "feeder_crops.json").read_text())


def test_the_rule_of_the_training_crops_is_used_unless_another_is_asked_for():
    known = {"pad": 0.3, "square": True}
    assert candidates.rule_of(Boxes(), known) == (Rule(0.3, True), "")
    rule, remark = candidates.rule_of(Boxes(pad=0.1), known)
    assert rule == Rule(0.1, True)
    assert "the model learned from pad 0.3" in remark
    rule, remark = candidates.rule_of(Boxes(), None)
    assert rule == Rule()
    assert "not known" in remark
    assert candidates.rule_of(Boxes(pad=0.2), None) == (Rule(0.2), "")
