"""A folder of photographs that grew: only new ones are predicted, rows stay in order of paths."""

import json

import pandas as pd
import pytest
from test_stills import box, md_file, own, photo

from beampose.core.settings import experiment
from beampose.core.settings.experiment import Boxes
from beampose.formats import detection_table
from beampose.pipelines import cli
from beampose.pipelines.predict import crops_predictor, pose_predictor, prediction_job

FIRST = {"A/IMG_2.png": 1, "A/IMG_4.png": 2, "B/IMG_1.png": 3, "B/IMG_3.png": 4}
# They sort before, between and after those that were there.
NEW = {"A/IMG_1.png": 5, "A/IMG_3.png": 6, "C/IMG_1.png": 7}


@pytest.fixture
def pose(trained, tmp_path):
    return own(trained["pose"], tmp_path)


@pytest.fixture
def crops(trained, tmp_path):
    return own(trained["crops"], tmp_path)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "photos"
    add(place, FIRST)
    return place


def add(place, images):
    for name, seed in images.items():
        photo(place / name, seed)


@pytest.fixture
def seen(monkeypatch):
    """Numbers of the images that a model is shown."""
    found = []
    for predictor in (crops_predictor.Crops, pose_predictor.Keypoints):

        def infer(self, part, *rest, before=predictor.infer):
            found.extend(part.frames)
            return before(self, part, *rest)

        monkeypatch.setattr(predictor, "infer", infer)
    return found


def table(config, summary):
    return pd.read_hdf(f"{config.predictions}/{summary.name}{summary.scorer}.h5")


def test_only_new_images_are_predicted_and_rows_stay_in_order_of_paths(pose, folder, seen):
    (summary,) = prediction_job.run(pose, [str(folder)]).videos
    before = table(pose, summary)
    (folder / "B/IMG_2.png").write_bytes(b"half of an image")
    add(folder, NEW)
    seen.clear()
    done = prediction_job.run(pose, [str(folder)])
    (summary,) = done.videos
    assert seen == [0, 2, 5, 7]
    assert "4 from before" in next(done.lines())
    assert (summary.name, summary.images_from_before, done.frames) == ("photos", 4, 4)
    after = table(pose, summary)
    assert list(after.index) == sorted([*FIRST, *NEW, "B/IMG_2.png"])
    pd.testing.assert_frame_equal(after.loc[before.index], before)
    # What had no result is looked at again, and the others are not.
    photo(folder / "B/IMG_2.png", 8)
    seen.clear()
    (summary,) = prediction_job.run(pose, [str(folder)]).videos
    assert (seen, summary.name) == ([5], "photos")
    (folder.parent / "again").mkdir()
    fresh = own(pose, folder.parent / "again")
    (other,) = prediction_job.run(fresh, [str(folder)]).videos
    pd.testing.assert_frame_equal(table(fresh, other), table(pose, summary))
    assert prediction_job.run(pose, [str(folder)]).kept == 1


def test_an_image_that_changed_keeps_what_was_made_of_it_and_the_others_are_known(
    pose, folder, seen
):
    (first,) = prediction_job.run(pose, [str(folder)]).videos
    before = table(pose, first)
    photo(folder / "A/IMG_4.png", 9)
    add(folder, {"C/IMG_1.png": 5})
    seen.clear()
    (second,) = prediction_job.run(pose, [str(folder)]).videos
    assert second.name.startswith("photos-")
    assert seen == [1, 4]
    pd.testing.assert_frame_equal(table(pose, first), before)
    same = ["A/IMG_2.png", "B/IMG_1.png"]
    pd.testing.assert_frame_equal(table(pose, second).loc[same], before.loc[same])


@pytest.mark.slow
def test_a_grown_folder_is_not_mixed_of_two_settings(pose, folder, seen):
    prediction_job.run(pose, [str(folder)])
    add(folder, NEW)
    changed = experiment.changed(pose, predict={"pcutoff": 0.0, "crop": [0, 90, 0, 60]})
    done = prediction_job.run(changed, [str(folder)])
    assert "with other settings" in done.failures[0][1]
    seen.clear()
    prediction_job.run(changed, [str(folder)], overwrite=True)
    assert len(seen) == 7


def test_boxes_in_another_file_are_compared_image_by_image(crops, folder, seen, tmp_path):
    def with_boxes(name, images, **others):
        entries = [{"file": one, "detections": [box(), box(0.5)]} for one in images]
        path = md_file(tmp_path / name, entries)
        found = Boxes(by="file", path=path, pad=0.0, **others)
        return experiment.changed(crops, boxes=found, predict={"pcutoff": 0.0, "chunk": 3})

    first = with_boxes("may.json", FIRST)
    prediction_job.run(first, [str(folder)])
    (tmp_path / "experiment.yaml").write_text(json.dumps(experiment.to_dict(first)))
    (tmp_path / "dismissed.csv").write_text("video,frame,box\nphotos,1,0\nphotos,3,1\n")
    wanted = ["repeats", str(tmp_path / "experiment.yaml"), "--dismiss"]
    assert cli.main([*wanted, str(tmp_path / "dismissed.csv")]) == 0
    add(folder, NEW)
    seen.clear()
    (summary,) = prediction_job.run(with_boxes("june.json", [*FIRST, *NEW]), [str(folder)]).videos
    assert (seen, summary.name, summary.dismissed) == ([0, 2, 6], "photos", 2)
    found = detection_table.read(f"{crops.predictions}/photos_crops.parquet")
    assert found.frames.tolist() == [n for n in range(7) for _ in range(2)]
    gone = list(zip(found.frames[found.dismissed], found.boxes[found.dismissed], strict=True))
    assert gone == [(3, 0), (5, 1)]
