"""Crops to be sorted, detections to be dismissed, clips to be kept: without a model."""

import base64
import csv
import errno
import json
import os
import subprocess
import sys

import fakes
import numpy as np
import pytest
import scene
from PIL import Image

from beampose import formats
from beampose.core import storage
from beampose.core.settings.experiment import Keep
from beampose.formats import deepmeerkat, detection_table
from beampose.formats.detection_table import Detections
from beampose.pipelines import cli, manifest
from beampose.pipelines.curation import (
    crop_extraction,
    crop_vectors,
    repeats_page,
    sorting_page,
)
from beampose.pipelines.films import clips
from beampose.pipelines.label.crop_desk import CropDesk
from beampose.pipelines.label.crop_marks import SortedMarks
from beampose.pipelines.predict import crops_predictor
from beampose.pipelines.predict.candidates import Candidates
from beampose.preprocess import images, videos
from beampose.preprocess.cut import Rule
from beampose.preprocess.videos import Frame

THING = np.full((40, 60, 3), 200, np.uint8)
VISITS = (scene.Visit(THING, 12, 16, 50, 80, 3), scene.Visit(THING, 30, 34, 200, 150, 3))
SET = [
    "boxes.min_size=0.005",
    "boxes.merge=10",
    "boxes.burn_in=6",
    "boxes.pad=0.2",
    "predict.chunk=9",
]


def extracted(folder, film, *more):
    words = [w for s in SET for w in ("--set", s)]
    return cli.main(["extract-crops", film, "--to", str(folder), *words, *more])


@pytest.fixture
def film(tmp_path):
    return scene.film(tmp_path / "feeder.mp4", 40, VISITS)


def test_crops_are_named_listed_and_read_with_their_rule(film, tmp_path, capsys):
    folder = tmp_path / "crops"
    assert extracted(folder, film) == 0
    assert "crops in" in capsys.readouterr().out
    rows = list(csv.DictReader((folder / "origin.csv").read_text().splitlines()))
    assert {r["crop"] for r in rows} == {p.name for p in folder.glob("*.jpg")}
    assert {12, 13, 30, 31} <= {int(r["frame"]) for r in rows}
    for row in rows:
        assert row["crop"] == f"feeder_{row['frame']}_{row['box']}.jpg"
        box = tuple(float(row[k]) for k in ("x", "y", "width", "height"))
        x1, y1, x2, y2 = Rule(0.2).window(box, scene.HEIGHT, scene.WIDTH)
        assert images.decode((folder / row["crop"]).read_bytes()).shape == (y2 - y1, x2 - x1, 3)
    (folder / "sorted.csv").write_text(f"{rows[0]['crop']},positive\n{rows[1]['crop']},negative\n")
    labels = formats.read("csv", str(folder / "sorted.csv"), scorer=None, bodyparts=None)
    assert labels.rule == Rule(0.2, False)
    assert {item.video for item in labels.items} == {"feeder"}


def test_a_repeated_run_makes_nothing_again_and_a_killed_one_goes_on(film, tmp_path, monkeypatch):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    assert extracted(calm, film) == 0
    write, calls = crop_extraction._write_rows, []

    def die_at_the_third(file, rows):
        calls.append(file)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(file, rows)

    with monkeypatch.context() as patch:
        patch.setattr(crop_extraction, "_write_rows", die_at_the_third)
        assert extracted(killed, film) == 130
    assert extracted(killed, film) == 0
    for name in ("origin.csv", *[p.name for p in calm.glob("*.jpg")]):
        assert (killed / name).read_bytes() == (calm / name).read_bytes()
    # What a person has sorted stays where it is.
    for crop in calm.glob("*.jpg"):
        crop.unlink()
    assert extracted(calm, film) == 0
    assert not list(calm.glob("*.jpg"))
    assert extracted(calm, film, "--set", "boxes.pad=0.3") == 2


def test_settings_that_extraction_does_not_follow_are_refused(tmp_path, capsys):
    assert extracted(tmp_path / "crops", "film.mp4", "--set", "predict.crop=[0, 9, 0, 9]") == 2
    assert "predict.crop has no effect on extract-crops" in capsys.readouterr().err


def test_extraction_loads_neither_tensorflow_nor_beam(film, tmp_path):
    code = (
        "import sys; from pipelines import cli\n"
        f"cli.main(['extract-crops', {film!r}, '--to', {str(tmp_path / 'c')!r}])\n"
        "print({'tensorflow', 'apache_beam', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_frames_without_crops_are_told(tmp_path, monkeypatch, capsys):
    def lost(parts, lead, depth):
        (part,) = parts
        yield part, (Frame(number, None, "the frame is damaged") for number in part.frames)

    film = fakes.video(tmp_path / "film.mp4", "libx264", 6)
    monkeypatch.setattr(crop_extraction, "split", lost)
    assert extracted(tmp_path / "crops", film) == 1
    assert f"FAILED {film}: 6 frames cannot be decoded" in capsys.readouterr().out


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_crops_that_look_alike_lie_beside_each_other():
    rng = np.random.default_rng(0)
    kinds = np.arange(60) % 3
    features = unit(np.eye(3, 8)[kinds] + rng.normal(0, 0.05, (60, 8)))
    order = sorting_page.chain(features)
    assert sorted(order) == list(range(60))
    assert (np.diff(kinds[order]) != 0).sum() == 2
    assert sorting_page.chain(np.empty((0, 0))) == []


def test_the_sorting_page_holds_all_crops_and_names_cannot_break_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sorting_page, "A_FILE", 4)
    names = [f"</script><b>{i}.jpg" for i in range(6)]
    features = unit(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))
    jpeg = images.encode_jpeg(THING)
    pages = sorting_page.write(tmp_path, names, features, [jpeg] * 6)
    assert [p.name for p in pages] == ["sort.html", "sort-2.html"]
    found = []
    for page in pages:
        text = page.read_text()
        assert "http" not in text
        start = text.index('id="data">') + len('id="data">')
        data = json.loads(text[start : text.index("</script>", start)])
        assert base64.b64decode(data["thumbs"][0]) == jpeg
        assert len(base64.b64decode(data["features"])) == 4 * len(data["names"])
        found += data["names"]
    assert sorted(found) == names


def table(frames, places, scores=None, embedding=None):
    count = len(frames)
    scores = np.tile([0.9, 0.1], (count, 1)) if scores is None else scores
    return Detections(
        ("positive", "negative"),
        np.array(frames, np.int64),
        np.zeros(count, np.int32),
        np.array(places, np.int32).reshape(-1, 4),
        np.full(count, np.nan, np.float32),
        np.array(scores, np.float32),
        np.empty((count, 0), np.float32),
        np.ones((count, 1), np.float32) if embedding is None else np.array(embedding, np.float32),
        np.zeros(count, bool),
    )


def test_a_table_comes_back_from_parquet(tmp_path):
    found = table([3, 9], [[1, 2, 3, 4], [5, 6, 7, 8]], embedding=[[0.6, 0.8], [1, 0]])
    for one in (found, found.only(np.array([], int)), found._replace(spread=found.scores / 2)):
        detection_table.write(tmp_path / "a.parquet", one, {"video": "a.mp4"})
        again = detection_table.read(tmp_path / "a.parquet")
        assert again.classes == one.classes
        for a, b in zip(again[1:], one[1:], strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match="not a table of detections"):
        detection_table.read(tmp_path / "a.parquet")


def test_alike_detections_in_one_place_are_a_group_and_others_are_not():
    branch, bird = [10, 10, 40, 40], [14, 12, 40, 40]
    frames = [0, 1, 2, 3, 10, 11, 12, 13]
    places = [branch, bird, branch, bird, branch, bird, branch, [200, 10, 40, 40]]
    looks = [[1, 0], [0, 1]] * 3 + [[1, 0], [1, 0]]
    found = table(frames, places, embedding=looks)
    made = repeats_page.groups("a", found, np.ones(8, bool), at_least=3)
    assert [g.rows.tolist() for g in made] == [[0, 2, 4, 6], [1, 3, 5]]
    assert repeats_page.groups("a", found, np.ones(8, bool), at_least=5) == []
    # One look for all: the place alone decides.
    alike = found._replace(embedding=np.empty((8, 0), np.float32))
    (group,) = repeats_page.groups("a", alike, np.ones(8, bool), at_least=3)
    assert group.rows.tolist() == list(range(7))


def test_the_saved_csv_dismisses_what_it_names_and_nothing_else(tmp_path):
    found = table([3, 9, 12], [[1, 2, 30, 40]] * 3)
    file = tmp_path / "dismissed.csv"
    file.write_text('video,frame,box\n"a,b",9,0\na,3,0\n')
    chosen = repeats_page.read_dismissed(file)
    assert chosen == {"a,b": {(9, 0)}, "a": {(3, 0)}}
    gone = repeats_page.dismiss(found, chosen["a,b"])
    assert gone.dismissed.tolist() == [False, True, False]
    assert gone.hits(0.5).tolist() == [True, False, True]
    assert not repeats_page.dismiss(gone, set()).dismissed.any()
    with pytest.raises(ValueError, match="no box 1 in frame 3"):
        repeats_page.dismiss(found, {(3, 1)})
    for text, message in (
        ("frame\n", "lacks the columns video, box"),
        ("video,frame,box\na,x,0\n", ":2 must"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            repeats_page.read_dismissed(file)


def test_clips_join_near_hits_have_a_margin_and_drop_short_ones():
    times = np.arange(1000) / 10

    def cut(hits, **more):
        settings = {"gap": 20, "buffer": 1, "shortest": 2, **more}
        return clips.stretches(np.array(hits, int), times, **settings)

    assert cut([]) == []
    assert cut([100, 300]) == [(90, 310)]
    assert cut([100, 301]) == [(90, 110), (291, 311)]
    assert cut([3]) == []
    assert cut([3], shortest=1) == [(0, 13)]
    assert cut([100, 110], gap=0.5) == [(90, 120)]
    assert cut([995], shortest=1.4) == [(985, 999)]


def test_the_frames_that_are_kept_are_of_all_visits():
    scores = [[s, 1 - s] for s in (0.9, 0.99, 0.98, 0.6, 0.7)]
    found = table([5, 6, 7, 20, 21], [[0, 0, 9, 9]] * 5, scores)
    assert crops_predictor.best_frames(found, 2) == [6, 21]
    assert crops_predictor.best_frames(found, 3) == [6, 7, 21]
    assert crops_predictor.best_frames(found, 9) == [5, 6, 7, 20, 21]


def test_a_visit_is_hits_in_a_row_of_the_frames_that_were_looked_at():
    scores = [[s, 1 - s] for s in (0.9, 0.99, 0.98, 0.6, 0.7)]
    found = table([25, 30, 35, 100, 105], [[0, 0, 9, 9]] * 5, scores)
    assert crops_predictor.best_frames(found, 2, np.arange(0, 200, 5)) == [30, 105]


def judge(**kept):
    """A crop model's predictor; the model itself is not asked."""
    keep = Keep(**kept)
    return crops_predictor.Crops(("positive", "negative"), Candidates(), Rule(), 64, 0.5, keep)


def test_clips_are_cut_by_the_times_of_frames_that_come_unevenly(tmp_path):
    times = [100 * i for i in range(10)] + [60_000 + 100 * i for i in range(10)]
    video = videos.index(fakes.video(tmp_path / "film.mp4", "libx264", 20, times=times))
    found = table([8, 9, 10, 11], [[0, 0, 9, 9]] * 4, [[0.9, 0.1]] * 4)
    stem = storage.place(tmp_path, "film_crops")
    keep = judge(clips=True, gap=1.0, buffer=0.2, shortest=0.0)
    # As workers send it on.
    said = keep._keep(stem, video._replace(times=()), found, np.arange(20))
    assert said["clips"] == ["film_6-9.mp4", "film_10-13.mp4"]


def test_frames_of_a_stack_are_kept_from_all_its_pages(tmp_path):
    pages = [Image.fromarray(fakes.numbered(i)) for i in range(12)]
    pages[0].save(tmp_path / "film.tif", save_all=True, append_images=pages[1:])
    video = videos.index(str(tmp_path / "film.tif"))
    found = table([1, 9], [[0, 0, 9, 9]] * 2, [[0.9, 0.1]] * 2)
    stem = storage.place(tmp_path, "film_crops")
    said = judge(frames=5)._keep(stem, videos.window(video, 3, 6), found, np.arange(12))
    assert said["frames_kept"] == 2
    for number in (1, 9):
        kept = (tmp_path / "film" / f"{number + 1}.jpg").read_bytes()
        assert fakes.number(images.decode(kept)) == number


def test_a_crop_that_was_cut_anew_is_looked_at_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(
        crop_vectors, "_network", lambda: lambda batch: batch.reshape(len(batch), -1)[:, :4]
    )
    monkeypatch.setattr(
        crop_vectors, "resized", lambda pixels, side: np.resize(pixels, (side, side, 3))
    )
    looked = []

    def progress(batches, count, what):
        looked.append(sum(map(len, batches)))
        return batches

    for name, gray in (("a", 250), ("b", 90), ("c", 60), ("a", 10)):
        Image.fromarray(np.full((9, 9, 3), gray, np.uint8)).save(tmp_path / f"{name}.png")
        found = crop_vectors.of_folder(str(tmp_path), progress)
    assert looked == [1, 1, 1, 1]
    assert [images.decode(one)[0, 0, 0] // 10 for one in found.thumbs] == [1, 9, 6]


def test_crops_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(
        crop_vectors, "_network", lambda: lambda batch: batch.reshape(len(batch), -1)[:, :4]
    )
    Image.fromarray(np.full((9, 9, 3), 7, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"nonsense")
    for _ in range(2):
        # What is kept of the others does not hide it the second time.
        found = crop_vectors.of_folder(str(tmp_path), lambda batches, *_: batches)
        assert found.names == ["a.png"] and list(found.lost) == ["b.jpg"]
    desk = CropDesk(str(tmp_path), found, SortedMarks(str(tmp_path)), notes=["more"])
    assert desk.notes[0] == "more" and "1 file is an image that cannot be read" in desk.notes[1]
    assert "b.jpg (is not an image of a known format)" in desk.project()["notes"][1]
    desk.close()


def test_crops_of_a_folder_that_cannot_be_written_to_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(
        crop_vectors, "_network", lambda: lambda batch: batch.reshape(len(batch), -1)[:, :4]
    )

    def refused(_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path))

    monkeypatch.setattr(crop_vectors.storage, "replacing", refused)
    Image.fromarray(np.full((9, 9, 3), 7, np.uint8)).save(tmp_path / "a.png")
    assert crop_vectors.of_folder(str(tmp_path), lambda some, *_: some).names == ["a.png"]


def test_the_clock_is_that_of_deepmeerkat():
    assert deepmeerkat.clock(0, 25.0) == "0:00:00"
    assert deepmeerkat.clock(25 * 3725, 25.0) == "1:02:05"
    assert deepmeerkat.clock(7, 0.0) == "0:00:00"


def test_ranges_name_the_chosen_frames_before_them(film):
    video = manifest.index(film)
    parts = [s[0] for s in manifest.stretches("a", video, range(0, 40, 4), 16, lead=3)]
    assert [list(p.frames) for p in parts] == [[0, 4, 8, 12], [16, 20, 24, 28], [32, 36]]
    assert [list(p.before) for p in parts] == [[], [4, 8, 12], [20, 24, 28]]
