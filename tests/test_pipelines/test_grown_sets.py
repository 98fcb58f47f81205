"""A folder of photographs that grew: only new ones are predicted, rows stay in order of paths."""

import json

import pandas as pd
import pytest
from test_stills import box, md_file, own, photo

from beampose.core.settings import experiment
from beampose.core.settings.experiment import Boxes
from beampose.formats import detection_table
from beampose.pipelines import cli
from beampose.pipelines.predict import (
    crops_predictor,
    earlier_bursts,
    pose_predictor,
    prediction_job,
    still_ranges,
)
from beampose.preprocess.stills import Still

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


def test_an_image_whose_burst_grew_is_predicted_again(crops, folder, seen, monkeypatch):
    monkeypatch.setattr(prediction_job, "beam_is_there", lambda: False)
    bursts = experiment.changed(crops, boxes=Boxes(burst=5.0, min_area=20))

    def shot(name, second):
        photo(folder / name, second, taken=f"2026:05:01 06:30:{second:02d}")

    for name, second in {"C/1.png": 0, "C/2.png": 1, "C/3.png": 40, "D/1.png": 2}.items():
        shot(name, second)
    (first,) = prediction_job.run(bursts, [str(folder)]).videos
    shot("C/4.png", 41)
    seen.clear()
    done = prediction_job.run(bursts, [str(folder)])
    (second,) = done.videos
    assert "predict: 9 photographs (7 from before)" in [*done.lines()][-1]
    # Two of C are known to have been taken long before.
    assert (sorted(seen), second.name) == ([6, 7], first.name)
    again = prediction_job.run(bursts, [str(folder), str(folder / "D")])
    assert "10 photographs of 2 sets (9 from before)" in [*again.lines()][-1]
    (folder.parent / "again").mkdir()
    fresh = own(bursts, folder.parent / "again")
    prediction_job.run(fresh, [str(folder)])
    tables = [
        detection_table.read(f"{c.predictions}/photos_crops.parquet") for c in (bursts, fresh)
    ]
    assert tables[0].frames.tolist() == tables[1].frames.tolist()
    assert tables[0].places.tolist() == tables[1].places.tolist()


def row(name, second, code="", failure=""):
    taken = "" if second is None else f"2026-05-01T06:{second // 60:02d}:{second % 60:02d}"
    return still_ranges.Image(name, taken, 8, 6, 1, failure, code or name)


@pytest.mark.parametrize(
    ("former", "names", "expected"),
    [
        # What is between images that were a burst may part it, and an image may be gone.
        ({"1": 0, "2": 1, "4": 2, "5": 9}, "12345", [4]),
        ({"1": 0, "2": 1, "3": 2, "5": 9}, "125", [2]),
        # Images without a time, as those in other folders, stand for themselves.
        ({"1": None, "2": 1, "B/1": 1, "B/2": 2}, ["1", "2", "B/1", "B/2", "B/3"], [0, 1]),
        ({"1": None, "2": None}, "12", [0, 1]),
    ],
)
def test_bursts_are_compared_by_their_images(former, names, expected):
    rows = [row(name, second) for name, second in former.items()]
    images = [Still(name, 1, code=name) for name in names]
    assert sorted(earlier_bursts.unchanged(rows, images, 2.0)) == expected


def test_parts_of_a_long_burst_stay_only_where_they_were():
    rows = [row(f"{i:02d}", i) for i in range(25)]
    images = [Still(one.name, 1, code=one.name) for one in rows]
    assert len(earlier_bursts.unchanged(rows, images, 2.0)) == 25
    moved = [Still("A/1", 1, code="new"), *images]
    assert not earlier_bursts.unchanged(rows, moved, 2.0)
    assert len(earlier_bursts.unchanged(rows[:20], [moved[0], *images[:20]], 2.0)) == 20
    rows[9] = row("09", 9, failure="is cut short")
    assert not earlier_bursts.unchanged(rows, images, 2.0)
