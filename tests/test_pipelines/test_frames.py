"""The encoded images that the feature job keeps beside the labels."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beampose.core import artefacts
from beampose.core.infos import DatasetInfo
from beampose.core.settings import experiment
from beampose.pipelines.features import feature_job
from beampose.trainer.dataset import Dataset
from beampose.trainer.encoded_frames import Frames


def files_of(settings):
    found = sorted(Path(settings.dataset).glob("frames-*"))
    return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in found}


def records_of(settings):
    return Dataset(settings.dataset, settings.store, cache_mb=1).of("train")


def test_frames_are_kept_only_when_asked_for(pose_file):
    settings = experiment.load(pose_file)
    feature_job.run(settings)
    assert not files_of(settings)
    assert artefacts.require(settings.dataset, DatasetInfo).frames is None


def test_each_label_has_its_image_and_copies_have_none(pose_file):
    settings = experiment.load(pose_file, ["features.frames=true", "features.copies=1"])
    summary = feature_job.run(settings)
    frames, records = Frames(settings.dataset), records_of(settings)
    assert len(frames) == summary.images == 12
    for record in records:
        assert frames.read(record.key).image == Path(record.image_uri).read_bytes()
        pixels = np.asarray(Image.open(record.image_uri))
        np.testing.assert_array_equal(frames.pixels(record), pixels)
    kept = artefacts.require(settings.dataset, DatasetInfo).frames
    assert kept["images"] == 12 and kept["bytes"] > 12 * 10_000


@pytest.mark.slow
def test_an_edited_label_writes_no_frame_and_a_new_image_one(pose_file):
    settings = experiment.load(pose_file, ["features.frames=true"])
    feature_job.run(settings)
    before = files_of(settings)
    place = pose_file.parent / "project/labeled-data/a"
    csv = place / "CollectedData_me.csv"
    lines = csv.read_text().splitlines()
    lines[3] = "labeled-data/a/img00.png,10,10,20,20,30,30"
    csv.write_text("\n".join(lines) + "\n")
    feature_job.run(settings)
    assert files_of(settings) == before
    noise = np.random.default_rng(9).integers(0, 255, (96, 144, 3)).astype(np.uint8)
    Image.fromarray(noise).save(place / "img90.png")
    csv.write_text(csv.read_text() + "labeled-data/a/img90.png,1,2,3,4,5,6\n")
    feature_job.run(settings)
    after = files_of(settings)
    assert before.items() <= after.items() and len(after) == len(before) + 2
    assert len(Frames(settings.dataset)) == 13


@pytest.mark.slow
def test_files_that_no_label_needs_are_taken_away(pose_file):
    settings = experiment.load(pose_file, ["features.frames=true"])
    feature_job.run(settings)
    before = files_of(settings)
    feature_job.run(experiment.load(pose_file, ["features.frames=true", "features.scale=0.5"]))
    assert not before.keys() & files_of(settings).keys()
    assert len(Frames(settings.dataset)) == 12


@pytest.mark.slow
def test_what_tensorflow_cannot_read_is_kept_as_png(pose_file):
    place = pose_file.parent / "project/labeled-data/a"
    csv = place / "CollectedData_me.csv"
    pixels = np.asarray(Image.open(place / "img00.png"))
    Image.fromarray(pixels).save(place / "img00.tif")
    (place / "img00.png").unlink()
    csv.write_text(csv.read_text().replace("img00.png", "img00.tif"))
    settings = experiment.load(pose_file, ["features.frames=true", "split.test=0"])
    feature_job.run(settings)
    record = next(r for r in records_of(settings) if r.name.endswith(".tif"))
    frames = Frames(settings.dataset)
    assert frames.encoded(record).startswith(b"\x89PNG")
    np.testing.assert_array_equal(frames.pixels(record), pixels)


@pytest.mark.slow
def test_rejects_are_the_same_with_frames_and_without(pose_file):
    place = pose_file.parent / "project/labeled-data/a"
    (place / "broken.png").write_bytes((place / "img00.png").read_bytes()[:500])
    with (place / "CollectedData_me.csv").open("a") as csv:
        csv.write("labeled-data/a/broken.png,1,2,3,4,5,6\n")
    found = []
    for words in (["output=with", "features.frames=true"], ["output=without"]):
        settings = experiment.load(pose_file, words)
        feature_job.run(settings)
        text = (Path(settings.dataset) / "rejects.jsonl").read_text()
        found.append([json.loads(line) for line in text.splitlines()])
    assert found[0] == found[1] and len(found[0]) == 1


@pytest.mark.slow
def test_a_killed_writing_goes_on_and_ends_the_same(pose_file, monkeypatch):
    from beampose.pipelines.features import kept_frames

    calm = experiment.load(pose_file, ["features.frames=true", "output=calm"])
    feature_job.run(calm)
    killed = experiment.load(pose_file, ["features.frames=true", "output=killed"])

    def die(*arguments):
        raise OSError("killed")

    monkeypatch.setattr(kept_frames.store_writer, "write_records", die)
    with pytest.raises(Exception, match="killed"):
        feature_job.run(killed)
    monkeypatch.undo()
    feature_job.run(killed)
    contents = [{k: v[1] for k, v in files_of(one).items()} for one in (calm, killed)]
    assert contents[0] == contents[1]
