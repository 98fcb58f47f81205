"""Candidate boxes by motion and from files, and the one cropping rule."""

import json
import os

import numpy as np
import pytest
import scene

from beampose.formats import deepmeerkat
from beampose.formats.box_files import FileBoxes
from beampose.pipelines.predict import candidates
from beampose.preprocess import cut, motion
from beampose.preprocess.cut import Rule
from beampose.preprocess.motion import Detector, Motion
from beampose.preprocess.videos import Video

SETTINGS = Motion(min_size=0.005, merge=10, burn_in=6)
THING = np.full((40, 60, 3), 200, np.uint8)


def slowly_merged(boxes, distance):
    """Joins the first pair that is near, again and again."""
    boxes = [list(b) for b in boxes]
    while True:
        for i, (x, y, w, h) in enumerate(boxes):
            for j in range(i + 1, len(boxes)):
                u, v, p, q = boxes[j]
                dx, dy = max(u - x - w, x - u - p, 0), max(v - y - h, y - v - q, 0)
                if dx**2 + dy**2 < distance**2:
                    low, high = (min(x, u), min(y, v)), (max(x + w, u + p), max(y + h, v + q))
                    boxes[i] = [*low, high[0] - low[0], high[1] - low[1]]
                    del boxes[j]
                    break
            else:
                continue
            break
        else:
            return sorted(map(tuple, boxes))


@pytest.mark.parametrize("distance", [5, 30, 200])
def test_merging_equals_joining_pairs_one_by_one(distance):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        boxes = rng.integers((0, 0, 1, 1), (300, 300, 40, 40), (12, 4))
        found = sorted(map(tuple, motion.merged(boxes, distance).tolist()))
        assert found == slowly_merged(boxes.tolist(), distance)
        assert motion.merged(boxes, 0).tolist() == boxes.tolist()
    assert motion.merged(np.empty((0, 4)), 5).shape == (0, 4)


def test_what_comes_into_a_still_scene_is_one_box_around_it():
    visits = (scene.Visit(THING, 10, 14, 50, 80, 3),)
    detector = Detector(SETTINGS)
    for i in range(20):
        found = detector.boxes(scene.frame(i, scene.background(), visits))
        if 10 <= i <= 14:
            (box,) = found
            assert np.abs(box - visits[0].box(i)).max() <= 8
        elif i < 10:
            assert len(found) == 0


def test_nothing_counts_before_the_background_is_learned():
    visits = (scene.Visit(THING, 3, 20, 50, 80, 3),)
    detector = Detector(SETTINGS)
    found = [len(detector.boxes(scene.frame(i, scene.background(), visits))) for i in range(6)]
    assert found == [0] * 6


def test_a_region_of_interest_and_a_smallest_size_leave_boxes_out_in_pixels_of_the_frame():
    visits = (scene.Visit(THING, 8, 9, 50, 80), scene.Visit(THING, 8, 9, 200, 150))

    def found(settings):
        detector = Detector(settings)
        boxes = [detector.boxes(scene.frame(i, scene.background(), visits)) for i in range(9)]
        return boxes[-1]

    assert len(found(SETTINGS)) == 2
    (box,) = found(SETTINGS._replace(roi=(160, 320, 100, 240)))
    assert np.abs(box - (200, 150, 60, 40)).max() <= 4
    assert len(found(SETTINGS._replace(min_size=0.05))) == 0


def test_a_crop_is_padded_alike_on_all_sides_and_stays_inside():
    box = (40, 20, 20, 10)
    assert Rule(0.0).window(box, 100, 200) == (40, 20, 60, 30)
    assert Rule(0.5).window(box, 100, 200) == (30, 15, 70, 35)
    assert Rule(0.0, True).window(box, 100, 200) == (40, 15, 60, 35)
    assert Rule(1.0).window((0, 0, 20, 10), 100, 200) == (0, 0, 40, 20)
    assert Rule(0.0, True).window((180, 0, 20, 10), 100, 200) == (180, 0, 200, 20)
    assert Rule(0.0, True).window((0, 0, 200, 10), 100, 200) == (0, 0, 200, 100)
    pixels = np.arange(100 * 200 * 3).reshape(100, 200, 3)
    np.testing.assert_array_equal(Rule(0.0).cut(pixels, box), pixels[20:30, 40:60])


def test_the_rule_is_found_beside_crops_and_above_them(tmp_path):
    (tmp_path / "Training").mkdir()
    assert cut.rule_of(str(tmp_path / "Training")) is None
    (tmp_path / "crops.json").write_text('{"pad": 0.25, "square": true, "more": 1}')
    assert cut.rule_of(str(tmp_path / "Training")) == Rule(0.25, True)
    (tmp_path / "crops.json").write_text('{"pad": "wide"}')
    with pytest.raises(ValueError, match=r"crops\.json must give pad"):
        cut.rule_of(str(tmp_path))


def megadetector(tmp_path, images, name="md.json"):
    values = {"detection_categories": {"1": "animal", "2": "person"}, "images": images}
    (tmp_path / name).write_text(json.dumps(values))
    return str(tmp_path / name)


def detection(frame, conf=0.9, category="1", bbox=(0.1, 0.2, 0.3, 0.4)):
    return {"category": category, "conf": conf, "bbox": bbox, "frame_number": frame}


def test_megadetectors_shares_become_pixels_and_weak_or_other_boxes_do_not_count(tmp_path):
    entry = {
        "file": "cam1\\a.mp4",
        "detections": [detection(7, 0.1), detection(7), detection(2, category="2"), detection(5)],
    }
    path = megadetector(tmp_path, [entry])
    found = FileBoxes(path, 0.2, ("animal",)).read("/films/cam1/a.mp4")
    assert found.frames.tolist() == [5, 7]
    places, scores = found.of(7, 100, 200)
    assert places.tolist() == [[20, 20, 60, 40]]
    assert scores.tolist() == [0.9]
    assert len(found.of(6, 100, 200)[0]) == 0
    assert FileBoxes(path, 0.0).read("a.mp4").frames.tolist() == [2, 5, 7, 7]


def test_entries_of_single_frames_belong_to_their_video(tmp_path):
    frames = [
        {"file": f"cam1/a.mp4/frame{i:06d}.jpg", "detections": [detection(None)]} for i in (3, 1)
    ]
    assert FileBoxes(megadetector(tmp_path, frames)).read("a.mp4").frames.tolist() == [1, 3]


def test_a_video_is_found_by_the_end_of_its_path_and_never_guessed(tmp_path):
    entries = [{"file": f"{cam}/a.mp4", "detections": [detection(i)]} for i, cam in enumerate("xy")]
    boxes = FileBoxes(megadetector(tmp_path, entries))
    assert boxes.read("/films/y/a.mp4").frames.tolist() == [1]
    with pytest.raises(ValueError, match="several videos"):
        boxes.read("/films/z/a.mp4")
    with pytest.raises(ValueError, match="no results of a video named b"):
        boxes.read("/films/x/b.mp4")
    failed = [{"file": "x/a.mp4", "failure": "no frames", "detections": None}]
    with pytest.raises(ValueError, match="failed: no frames"):
        FileBoxes(megadetector(tmp_path, failed, "other.json")).read("x/a.mp4")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bbox": [10, 20, 300, 400]}, "fractions of the frame"),
        ({"bbox": [1, 2]}, "cannot be read"),
        ({"frame_number": None}, "it has none, as in an image"),
        ({"conf": float("nan")}, "conf must be a number"),
    ],
)
def test_unusable_detections_name_their_place(tmp_path, wrong, message):
    path = megadetector(tmp_path, [{"file": "a.mp4", "detections": [{**detection(1), **wrong}]}])
    with pytest.raises(ValueError, match=message) as error:
        FileBoxes(path).read("a.mp4")
    assert "images[0]" in str(error.value)


@pytest.mark.parametrize("name", ["a.mp4", "a.mp4/frame000003.jpg"])
def test_a_film_that_is_listed_twice_has_each_box_once_and_that_is_told(tmp_path, caplog, name):
    more = detection(3, bbox=(0.5, 0.5, 0.2, 0.2))
    entries = [[detection(3)], [detection(3, 0.95), more], [detection(3, category="2")]]
    path = megadetector(tmp_path, [{"file": name, "detections": one} for one in entries])
    chosen = candidates.Candidates(file=FileBoxes(path))
    chosen.check(Video("a.mp4", 200, 100, 25.0, 9, ()))
    assert "NOTE a.mp4: has several entries in md.json: the boxes of all are taken" in caplog.text
    assert FileBoxes(path).read("a.mp4").scores.tolist() == [0.9, 0.95, 0.9]


def test_accents_of_a_films_name_may_be_composed_or_not(tmp_path):
    path = megadetector(tmp_path, [{"file": "cafe\u0301.mp4", "detections": [detection(3)]}])
    assert FileBoxes(path).read("/films/caf\xe9.mp4").frames.tolist() == [3]


def test_entries_of_one_frame_each_are_not_several_of_one_film(tmp_path):
    names = [f"a.mp4/frame{i:06d}.jpg" for i in (3, 4)]
    path = megadetector(tmp_path, [{"file": n, "detections": [detection(0)]} for n in names])
    assert FileBoxes(path).read("a.mp4").remark == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bbox": [0.5, 0.5, 0.9, 0.9]}, "x1, y1, x2, y2; bbox must be x, y, width, height"),
        ({"bbox": [0.5, 0.1, 0.2, 0.95]}, "x1, y1, x2, y2; bbox must be"),
        ({"conf": 5}, r"above 1 \(percent\?\); conf must be from 0 to 1"),
    ],
)
def test_boxes_by_another_rule_are_refused_and_not_cut_at_the_frame(tmp_path, wrong, message):
    one = {**detection(1), **wrong}
    path = megadetector(tmp_path, [{"file": "a.mp4", "detections": [detection(1), one]}])
    with pytest.raises(ValueError, match=message) as error:
        FileBoxes(path).read("a.mp4")
    assert "images[0]" in str(error.value)
    # A photograph's box tells the rule of those beside it, which may look right.
    names = ["1.jpg", "2.jpg"]
    both = zip(names, (detection(0), one), strict=True)
    path = megadetector(tmp_path, [{"file": n, "detections": [d]} for n, d in both])
    with pytest.raises(ValueError, match=message):
        FileBoxes(path).of_stills("/photos", "/photos", names)


def test_boxes_a_hair_beyond_the_frame_by_rounding_are_cut_at_it(tmp_path):
    box = detection(1, 1.0, bbox=(0.5, 0.5, 0.505, 0.5001))
    path = megadetector(tmp_path, [{"file": "a.mp4", "detections": [box]}])
    places, _ = FileBoxes(path).read("a.mp4").of(1, 100, 200)
    assert places.tolist() == [[100, 50, 100, 50]]


def test_a_film_without_detections_or_a_failure_is_no_empty_one(tmp_path):
    path = megadetector(tmp_path, [{"file": "a.mp4", "detections": None}])
    with pytest.raises(ValueError, match=r"images\[0\] has neither detections nor a failure"):
        FileBoxes(path).read("a.mp4")


def test_boxes_of_a_film_without_width_or_height_are_told(tmp_path, caplog):
    flat = detection(3, bbox=(0.1, 0.1, 0, 0.2))
    path = megadetector(tmp_path, [{"file": "a.mp4", "detections": [detection(2), flat]}])
    film = Video("a.mp4", 200, 100, 25.0, 9, ())
    candidates.Candidates(file=FileBoxes(path)).check(film)
    assert "NOTE a.mp4: 1 box without width or height is left out" in caplog.text


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (candidates.Candidates(motion=SETTINGS), ("motion (MOG2)", "none: whole photographs")),
        (
            candidates.Candidates(motion=SETTINGS, burst=5.0),
            ("motion (MOG2)", "motion between photographs of a burst"),
        ),
        (candidates.Candidates(file=FileBoxes("a/md.json")), ("md.json", "md.json")),
    ],
)
def test_a_detector_is_named_that_found_the_boxes(chosen, names):
    assert (chosen.detector(), chosen.detector(stills=True)) == names


@pytest.mark.parametrize("number", [5.0, "5", "5.0", " 5 "])
def test_a_frame_number_is_one_however_it_is_spelled(tmp_path, number):
    path = megadetector(tmp_path, [{"file": "a.mp4", "detections": [detection(number)]}])
    assert FileBoxes(path).read("a.mp4").frames.tolist() == [5]


@pytest.mark.parametrize("number", [5.5, "5.5", True, -1, "", "five", float("nan"), None, [5]])
def test_what_is_no_whole_number_is_no_frame(tmp_path, number):
    path = megadetector(tmp_path, [{"file": "a.mp4", "detections": [detection(number)]}])
    with pytest.raises(ValueError, match="frame_number must be a whole number"):
        FileBoxes(path).read("a.mp4")


def test_a_frame_of_very_many_digits_in_a_name_is_told_with_its_place(tmp_path):
    path = megadetector(tmp_path, [{"file": f"a.mp4/frame{'9' * 5000}.jpg", "detections": []}])
    with pytest.raises(ValueError, match=r"images\[0\]: frame_number must be a whole number"):
        FileBoxes(path).read("a.mp4")


def test_photos_and_damaged_entries_of_other_films_do_not_stop_a_film(tmp_path):
    photo = {"file": "day1/a.jpg", "detections": [{**detection(0), "frame_number": None}]}
    broken = {"file": "day1/b.mp4", "detections": [{"bbox": [5, 5, 5, 5]}, "x"]}
    path = megadetector(
        tmp_path, [photo, broken, {"file": "day1/a.mp4", "detections": [detection(3)]}]
    )
    assert FileBoxes(path).read("a.mp4").frames.tolist() == [3]
    with pytest.raises(ValueError, match=r"images\[1\]"):
        FileBoxes(path).read("b.mp4")


def test_boxes_of_one_film_are_not_another_films_of_its_name(tmp_path):
    entries = [{"file": "day1/a.mp4", "detections": [detection(1)]}]
    whole = FileBoxes(megadetector(tmp_path, entries))
    films = ["/films/day1/a.mp4", "/films/day2/a.mp4", "/films/day2/b.mp4"]
    assert whole.unsure(films[:1]) == {} and whole.unsure(films[1:]) == {}
    assert list(whole.unsure(films)) == films[1:2]
    what = f"the boxes of {tmp_path}/md.json: day1/a.mp4 are, or may as well be, of {films[0]}"
    assert whole.unsure(films)[films[1]].startswith(what)


def test_files_of_boxes_in_folders_called_as_the_films_come_first(tmp_path):
    folder = tmp_path / "boxes"
    films = ["/films/day1/a.mp4", "/films/day2/a.mp4"]
    for place in ("", "day2/"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / f"{place}a.csv").write_text(f"{HEADERS[0]}\n1,0:00:00,1,2,3,4,motion,\n")
    boxes = FileBoxes(str(folder))
    assert [boxes.file_of(film) for film in films] == [f"{folder}/a.csv", f"{folder}/day2/a.csv"]
    assert boxes.unsure(films) == {}
    (folder / "day2/a.csv").unlink()
    assert list(boxes.unsure(films)) == films
    assert f"{folder}/a.csv are, or may as well be, of {films[1]}" in boxes.unsure(films)[films[0]]


HEADERS = ("Frame,Clock,x,y,h,w,label,score", "frame,clock,x,y,h,w,label,score")


@pytest.mark.parametrize("header", HEADERS)
def test_deepmeerkats_rows_count_frames_from_1_and_give_height_first(tmp_path, header):
    folder = tmp_path / "a"
    folder.mkdir()
    rows = "12,0:00:01,5,6,30,20,Positive,0.97\n1,0:00:00,1,2,3,4,motion,\n"
    (folder / "annotations.csv").write_text(f"{header}\n{rows}")
    found = FileBoxes(str(tmp_path)).read("/films/a.mp4")
    assert found.frames.tolist() == [0, 11]
    assert found.of(11, 100, 100)[0].tolist() == [[5, 6, 20, 30]]
    assert np.isnan(found.scores[0])
    (folder / "annotations.csv").write_text(f"{header}\n0,0:00:00,1,2,3,4,motion,\n")
    pattern = f"{tmp_path}/{{video}}/annotations.csv"
    with pytest.raises(ValueError, match=r"annotations\.csv:2 .*count from 1"):
        FileBoxes(pattern).read("a.mp4")


@pytest.mark.parametrize("name", ["annotations.csv", "md.json"])
def test_a_file_of_boxes_that_was_edited_is_read_anew(tmp_path, name):
    entry = {"file": "a.mp4", "detections": []}
    values = {"detection_categories": {"1": "animal"}, "images": [entry]}
    file, found = tmp_path / name, []
    candidates_of = FileBoxes(str(file))
    codes = set()
    for frame in (4, 7):
        box = {"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1], "frame_number": frame - 1}
        entry["detections"] = [box]
        rows = f"frame,clock,x,y,h,w,label,score\n{frame},0:00:00,1,2,3,4,animal,0.9\n"
        file.write_text(json.dumps(values) if name == "md.json" else rows)
        os.utime(file, (frame, frame))
        found += candidates_of.read("/films/a.mp4").frames.tolist()
        codes.add(candidates.Candidates(file=candidates_of).digest("/films/a.mp4"))
    assert found == [3, 6]
    assert len(codes) == 2


def test_deepmeerkats_table_may_come_from_a_spreadsheet(tmp_path):
    text = "Frame;Clock;X;Y;H;W;Label;Score\n6,0;0:00:00;64,5;48,0;72;96;Öhr;0,5\n"
    for encoding in ("utf-8", "cp1252", "utf-16"):
        file = tmp_path / f"{encoding}.csv"
        file.write_bytes(text.encode(encoding))
        (row,) = deepmeerkat.read(str(file), 1)
        assert row == (5, 64.5, 48.0, 96.0, 72.0, 0.5, "Öhr")
    (tmp_path / "x.csv").write_text("frame,x,y,h,w\n6,1,2,3\n")
    with pytest.raises(ValueError, match=r"x\.csv .* has 4 cells in line 2 where .* 5"):
        deepmeerkat.read(str(tmp_path / "x.csv"), 1)
    (tmp_path / "y.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match="lacks the columns frame, x, y, h, w.* Received: a,b"):
        deepmeerkat.read(str(tmp_path / "y.csv"), 1)
