"""Folders of videos are never taken in part without a word."""

import logging
import os
import shutil

import fakes
import pytest

from beampose.core import files, storage
from beampose.pipelines import manifest, still_sets
from beampose.preprocess import media_folders, videos
from beampose.preprocess.media_folders import IMAGES, VIDEOS


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def names(paths, root):
    return [path.removeprefix(f"{root}/") for path in paths]


def test_every_suffix_of_a_film_is_taken(tmp_path):
    kinds = [
        "mp4",
        "MTS",
        "ts",
        "m2ts",
        "asf",
        "flv",
        "ogv",
        "h264",
        "3gp",
        "gif",
        "vob",
        "mxf",
        "hevc",
        "mkv",
    ]
    put(tmp_path, *(f"{kind}.{kind}" for kind in kinds), "notes.txt", "trial.csv")
    inside = media_folders.read(str(tmp_path), VIDEOS)
    assert sorted(names(inside.taken, tmp_path)) == sorted(f"{kind}.{kind}" for kind in kinds)
    assert inside.left == ""


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("mpeg2video", "ts"), ("mpeg2video", "m2ts"), ("wmv2", "asf"), ("flv", "flv")]
    + [("libx264", "h264"), ("mpeg4", "3gp"), ("gif", "gif"), ("mpeg2video", "vob")],
)
def test_a_film_of_such_a_suffix_is_read(tmp_path, codec, suffix):
    path = fakes.video(
        tmp_path / f"film.{suffix}", codec, 6, pix_fmt="rgb8" if codec == "gif" else None
    )
    video = videos.index(path)
    assert [fakes.number(frame.pixels) for frame in videos.read(video, 0, video.count)] == [
        *range(6)
    ]


def test_what_is_not_taken_is_told(tmp_path, caplog):
    put(tmp_path, "a.mp4", "._a.mp4", "b.wtv", "day1/c.mp4", "day2/deep/d.TS", ".trash/e.mp4")
    put(tmp_path, "day2/notes.txt")
    caplog.set_level(logging.WARNING)
    assert names(manifest.expand([str(tmp_path)]), tmp_path) == ["a.mp4"]
    assert "1 video taken, not 1 file (b.wtv) of formats that cannot be read" in caplog.text
    assert "1 file (._a.mp4) that macOS wrote" in caplog.text
    assert "2 videos in folders of it (day1, day2/deep)" in caplog.text


def test_films_with_predictions_drawn_into_them_are_left_out_of_a_folder_and_told(tmp_path, caplog):
    drawn = [
        "aDLC_Resnet50_mouseJan1shuffle1_snapshot_050_p60_labeled.mp4",
        "aDLC_beampose-mouseJan1shuffle1_434_labeled.mp4",
        "aDLC_dlcrnetms5_fliesMay2shuffle1_5000_full.mp4",
    ]
    put(tmp_path, "a.mp4", "a_labeled.mp4", "DLC_full_of_mice.mp4", *drawn)
    kept = ["DLC_full_of_mice.mp4", "a.mp4", "a_labeled.mp4"]
    assert names(manifest.expand([str(tmp_path)]), tmp_path) == kept
    assert f"3 videos taken, not 3 files ({', '.join(drawn)}) with predictions" in caplog.text
    put(tmp_path, "photo.png")
    assert names(still_sets.expand([str(tmp_path)]).videos, tmp_path) == kept
    assert manifest.expand([str(tmp_path / drawn[0])])


def test_a_folder_of_folders_says_where_its_videos_are(tmp_path):
    put(tmp_path, "day1/c.mp4")
    with pytest.raises(FileNotFoundError, match=r"1 video in folders of it \(day1\)"):
        manifest.expand([str(tmp_path)])
    shutil.rmtree(tmp_path / "day1")
    with pytest.raises(FileNotFoundError, match="holds no video. Known are .mp4, "):
        manifest.expand([str(tmp_path)])
    put(tmp_path, "a.jpg", "b.jpg")
    with pytest.raises(FileNotFoundError, match="It holds 2 images: make a film of them"):
        manifest.expand([str(tmp_path)])


@pytest.mark.skipif(os.name == "nt", reason="names that Windows does not have")
@pytest.mark.parametrize("name", ["a::b", "lab [old]", "50% #1 *?", "file::c", "~", "{x}"])
def test_a_folder_of_any_name_is_looked_through(tmp_path, name):
    put(tmp_path, f"{name}/a.mp4", f"{name}/b::c/d.mp4")
    inside, left = media_folders.read(str(tmp_path / name), VIDEOS)
    assert names(inside, tmp_path) == [f"{name}/a.mp4"]
    assert left.startswith("1 video in folders of it (b::c)")


def test_images_of_a_folder_are_not_taken_in_part_either(tmp_path):
    put(tmp_path, "a.PNG", "b.heic", "c.webp", "notes.txt", "more/d.jpg")
    inside = media_folders.read(str(tmp_path), IMAGES)
    assert names(inside.taken, tmp_path) == ["a.PNG"]
    assert "2 files (b.heic, c.webp) of formats that cannot be read" in inside.left
    assert "1 image in folders of it (more)" in inside.left


def test_folders_in_a_bucket_are_looked_through(buckets):
    for name in ("a.mp4", "day1/b.mp4"):
        storage.write_bytes(f"gs://lab/films/{name}", b"x")
    inside = media_folders.read("gs://lab/films", VIDEOS)
    assert inside.taken == ["gs://lab/films/a.mp4"]
    assert "1 video in folders of it (day1)" in inside.left


def test_no_more_files_are_looked_through_than_allowed(tmp_path):
    put(tmp_path, *(f"{i}/{j}.mp4" for i in range(4) for j in range(5)))
    assert len(files.below(str(tmp_path), 2, 7)) == 7
    assert len(files.below(str(tmp_path), 2, 100)) == 20
    assert files.below(str(tmp_path), 1, 100) == []


def test_placeholders_of_videos_are_told(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / ".b.mp4.icloud").touch()
    inside = media_folders.read(str(tmp_path), media_folders.VIDEOS)
    assert [path[-5:] for path in inside.taken] == ["a.mp4"]
    assert "1 file (.b.mp4.icloud) that are placeholders: iCloud has not" in inside.left


def test_hidden_films_and_those_in_folders_of_the_system_are_not_taken_from_a_folder(
    tmp_path, caplog
):
    put(tmp_path, "a.mp4", ".b.mp4", "@eaDir/c.mp4", "#Recycle/d.mp4")
    assert names(manifest.expand([str(tmp_path)]), tmp_path) == ["a.mp4"]
    assert "1 video taken, not 1 file (.b.mp4) whose names begin with a dot" in caplog.text
    assert "Recycle" not in caplog.text
    assert manifest.expand([str(tmp_path / ".b.mp4")])


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes among files")
def test_a_pipe_is_passed_over_in_a_folder_and_an_error_by_itself(tmp_path, caplog):
    put(tmp_path, "a.mp4")
    for name in ("x.mp4", "y.tif"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ValueError, match=f"{name} is a pipe or a device"):
            manifest.index(str(tmp_path / name))
    assert manifest.expand([str(tmp_path)]) == [str(tmp_path / "a.mp4")]
    assert "not 2 files (x.mp4, y.tif) that are pipes or devices" in caplog.text
    put(tmp_path, "b.jpg")
    os.mkfifo(tmp_path / "c.jpg")
    (pictures,) = still_sets.expand([str(tmp_path)]).sets
    assert list(pictures.sizes) == ["b.jpg"]
    assert f"NOTE {tmp_path}/c.jpg: not taken, for it is a pipe or a device" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="a backslash parts folders there")
def test_a_backslash_in_the_name_of_a_film_is_a_letter_of_it(tmp_path):
    put(tmp_path, "a\\b.mp4", "b.mp4")
    assert manifest.expand([str(tmp_path)]) == [f"{tmp_path}/a\\b.mp4", f"{tmp_path}/b.mp4"]
    assert files.children(str(tmp_path)) == [f"{tmp_path}/a\\b.mp4", f"{tmp_path}/b.mp4"]
