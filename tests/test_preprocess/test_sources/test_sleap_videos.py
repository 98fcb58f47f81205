"""Videos, stacks and packages that SLEAP's labels are of."""

from pathlib import Path

import fake_labels
import fakes
import numpy as np
import pytest
from PIL import Image
from slp_labels import FILM, PREDICTED, USER, A, B, C, spoil, whats, write

from beampose.formats.sleap import slp_reader
from beampose.preprocess import images, validate
from beampose.preprocess.labels import ERROR


@pytest.fixture
def film(tmp_path):
    return fakes.video(tmp_path / "film.mp4", "libx264", 40)


@pytest.mark.parametrize("place", [".", "videos", "../videos", ".."])
def test_a_video_that_moved_is_found_near_the_labels(tmp_path, place):
    own = tmp_path / "own"
    (own / place).mkdir(parents=True, exist_ok=True)
    own.mkdir(exist_ok=True)
    fakes.video((own / place).resolve() / "film.mp4", "mpeg4", 5)
    labels = slp_reader.read(write(own, [(0, 4, [(USER, -1, A)])]))
    assert fakes.number(images.load(labels.items[0].image)[0]) == 4


def test_a_missing_video_costs_its_own_frames_and_says_what_was_tried(film, tmp_path):
    videos = [FILM, {"filename": "C:\\lab\\gone.avi"}]
    frames = [(0, 1, [(USER, -1, A)]), (1, 1, [(USER, -1, B)]), (1, 2, [(USER, -1, C)])]
    labels = slp_reader.read(write(tmp_path, frames, videos=videos))
    assert len(labels.items) == 1
    (problem,) = labels.problems
    assert problem.level == ERROR
    said = f"video C:\\lab\\gone.avi not found: looked in {tmp_path}, {tmp_path}/videos, "
    assert problem.what.startswith(said)
    assert problem.what.endswith("2 labels are not used")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret.mp4", "..", ""])
def test_paths_in_the_file_lead_nowhere_else(tmp_path, name):
    videos = [{"backend": {"filename": name}}]
    labels = slp_reader.read(write(tmp_path, [(0, 0, [(USER, -1, A)])], videos=videos))
    assert labels.items == ()
    assert "not found" in whats(labels)[0]


def test_a_list_of_images_is_a_video(tmp_path):
    (tmp_path / "stack").mkdir()
    for i in range(3):
        (tmp_path / "stack" / f"{i}.png").write_bytes(fakes.encode(fakes.pixels(i)))
    videos = [{"backend": {"filenames": [f"/lab/stack/{i}.png" for i in range(3)]}}]
    labels = slp_reader.read(write(tmp_path, [(0, 2, [(USER, -1, A)])], videos=videos))
    np.testing.assert_array_equal(images.load(labels.items[0].image)[0], fakes.pixels(2))
    assert labels.items[0].name == "labeled-data/stack/img0002.png"


@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
def test_pages_of_a_stack_are_frames(tmp_path, mode):
    pages = [Image.fromarray(fakes.pixels(i)).convert("L") for i in range(4)]
    if mode == "RGB":
        pages = [Image.fromarray(fakes.pixels(i)) for i in range(4)]
    elif mode == "I;16":
        pages = [Image.fromarray(np.asarray(one, np.uint16) << 8) for one in pages]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    videos = [{"filename": "/lab/stack.tif", "backend": {"type": "TiffVideo"}}]
    frames = [(0, i, [(USER, -1, A)]) for i in (3, 1, 4)]
    labels = slp_reader.read(write(tmp_path, frames, videos=videos))
    expected = [fakes.pixels(i) for i in (1, 3)]
    if mode != "RGB":
        gray = [np.asarray(Image.fromarray(one).convert("L")) for one in expected]
        expected = [np.repeat(one[..., None], 3, axis=-1) for one in gray]
    for item, pixels in zip(labels.items, expected, strict=False):
        np.testing.assert_array_equal(images.load(item.image)[0], pixels)
    with pytest.raises(ValueError, match=r"page 4 of stack.tif: it has 4 pages"):
        images.load(labels.items[2].image)
    assert images.readers([item.image for item in labels.items], 8) == 8


def test_a_package_holds_its_own_images(tmp_path):
    videos = [{"backend": {"filename": ".", "dataset": "video0/video"}}]
    frames = [(0, 9, [(USER, -1, A)]), (0, 11, [(USER, -1, C)])]
    path = write(tmp_path, frames, videos=videos)
    fake_labels.embed(path, [fakes.encode(fakes.pixels(i)) for i in (1, 2)], [4, 9], "RGB")
    labels = slp_reader.read(path)
    (item,) = labels.items
    np.testing.assert_array_equal(images.load(item.image)[0], fakes.pixels(2))
    assert item.name == "labeled-data/film/img0009.png"
    assert whats(labels) == ["frame 11 of video0/video is labeled, but its image is not embedded"]


def test_two_videos_of_one_name_stay_apart(film, tmp_path):
    (tmp_path / "other").mkdir()
    fakes.video(tmp_path / "other/film.mp4", "mpeg4", 5)
    labels = slp_reader.read(
        write(
            tmp_path,
            [(0, 0, [(USER, -1, A)]), (1, 0, [(USER, -1, B)])],
            videos=[FILM, {"filename": "other/film.mp4"}],
        )
    )
    assert [item.video for item in labels.items] == ["film", "film_2"]
    places = [f"{tmp_path}/film.mp4#frame=0", f"{tmp_path}/other/film.mp4#frame=0"]
    assert [item.image for item in labels.items] == places


def test_one_film_is_not_two_videos_of_its_name(film, tmp_path):
    frames = [(0, 0, [(USER, -1, A)]), (1, 0, [(USER, -1, B)])]
    videos = [{"filename": f"C:\\lab\\day{i}\\film.mp4"} for i in (1, 2)]
    labels = slp_reader.read(write(tmp_path, frames, videos=videos))
    assert not labels.items and len(labels.problems) == 2
    assert "may be it or C:\\lab\\day2\\film.mp4" in whats(labels)[0]
    # The folder of the labels tells which of them it is.
    videos[1]["filename"] = f"C:\\lab\\{tmp_path.name}\\film.mp4"
    labels = slp_reader.read(write(tmp_path, frames, videos=videos))
    np.testing.assert_array_equal(labels.items[0].keypoints[0], B)
    assert whats(labels) == [
        f"video C:\\lab\\day1\\film.mp4 not found: {film} is {videos[1]['filename']}. 1 label "
        "is not used"
    ]


def test_a_video_is_found_by_its_whole_path(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "far/films").mkdir(parents=True)
    path = fakes.video(tmp_path / "far/films/film.mp4", "mpeg4", 5)
    videos = [{"filename": path}]
    labels = slp_reader.read(write(tmp_path / "labels", [(0, 4, [(USER, -1, A)])], videos=videos))
    assert labels.items[0].image == f"{path}#frame=4"
    assert labels.problems == ()


def test_a_list_of_images_of_two_folders_keeps_them_apart(tmp_path):
    names = ["day1/0.png", "day2/0.png", "day2/1.png", "day1/1.png"]
    for i, name in enumerate(names[:3]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(fakes.encode(fakes.pixels(i)))
    videos = [{"backend": {"filenames": [f"/lab/{name}" for name in names]}}]
    frames = [(0, i, [(USER, -1, A)]) for i in range(4)]
    labels = slp_reader.read(write(tmp_path, frames, videos=videos))
    assert [item.image for item in labels.items] == [f"{tmp_path}/{name}" for name in names[:3]]
    (what,) = whats(labels)
    assert what.startswith("image /lab/day1/1.png not found: looked in")
    assert what.endswith("1 label is not used")


def package(tmp_path, numbers, labeled):
    """Embedded images of videos, and frames that name their videos by numbers.

    Args:
      numbers: of the datasets, in the order of the list of videos, with the frames they hold.
      labeled: (number, frame), whose points are A and as much on as the number says.
    """
    videos = [{"backend": {"filename": ".", "dataset": f"video{n}/video"}} for n in numbers]
    frames = [(n, i, [(USER, -1, A + n)]) for n, i in labeled]
    path = write(tmp_path, frames, videos=videos)
    for n, held in numbers.items():
        pixels = [fakes.encode(fakes.pixels(100 * n + i)) for i in held]
        fake_labels.embed(path, pixels, held, "RGB", video=n)
    return path


@pytest.mark.parametrize(
    ("numbers", "labeled"),
    [
        ({0: [3], 2: [4]}, [(0, 3), (2, 4)]),
        ({2: [4], 1: [3], 0: [5]}, [(1, 3), (2, 4)]),
        ({1: [4], 0: [3]}, [(1, 4), (0, 3)]),
    ],
)
def test_frames_name_the_videos_of_a_package_by_the_numbers_of_its_images(
    tmp_path, numbers, labeled
):
    labels = slp_reader.read(package(tmp_path, numbers, labeled))
    assert len(labels.items) == len(labeled) and labels.problems == ()
    for item in labels.items:
        shift = item.keypoints[0, 0, 0] - A[0, 0]
        frame = dict(labeled)[int(shift)]
        expected = fakes.pixels(100 * int(shift) + frame)
        np.testing.assert_array_equal(images.load(item.image)[0], expected)


def test_a_film_of_another_length_is_told_once(tmp_path):
    film = fakes.video(tmp_path / "film.mp4", "mpeg4", 12)
    path = write(tmp_path, [(0, 3, [(USER, -1, A)]), (0, 4, [(USER, -1, A)])])
    (what,) = whats(slp_reader.read(path))
    assert what.startswith(f"{film} has 12 frames where the labels say 40: if it is another film")


def test_a_frame_of_a_video_that_is_not_listed_costs_no_other_frame(tmp_path):
    labels = slp_reader.read(package(tmp_path, {0: [3]}, [(0, 3), (2, 3)]))
    assert len(labels.items) == 1
    assert [one.what for one in labels.problems] == [
        "1 frame belongs to video 2, of 1 that it lists, counted from 0; not used"
    ]


def test_videos_that_may_be_either_are_none(tmp_path):
    with pytest.raises(ValueError, match=r"belong to videos 0, .*which is which is not known"):
        slp_reader.read(package(tmp_path, {1: [3], 0: [3]}, [(0, 3), (1, 3)]))


def test_a_film_of_another_size_than_the_labels_say_is_told_once(film, tmp_path):
    videos = [{"backend": {"filename": "film.mp4", "shape": [40, 96, 160, 1]}}]
    labels = slp_reader.read(
        write(tmp_path, [(0, i, [(USER, -1, A)]) for i in (1, 2)], videos=videos)
    )
    found = validate.report(labels, ["train"] * 2).problems
    said = "has another size than the labels say, 80x48 for 160x96"
    assert [said in problem.what for problem in found if "size" in problem.what] == [True]
    labels = slp_reader.read(write(tmp_path, [(0, 1, [(USER, -1, A)])], videos=[FILM]))
    assert validate.report(labels, ["train"]).problems == []


def test_images_without_the_numbers_of_their_frames_are_told(tmp_path):
    path = package(tmp_path, {0: [0, 1]}, [(0, 1)])
    spoil(path, "video0/frame_numbers", lambda f: None)
    (what,) = whats(slp_reader.read(path))
    assert "does not say which frames the images of video0/video are" in what


@pytest.mark.parametrize("name", ["FILM.mp4", "film.avi"])
def test_a_film_that_is_called_otherwise_is_named(tmp_path, name):
    path = write(tmp_path, [(0, 1, [(USER, -1, A)])])
    (tmp_path / name).write_bytes(b"")
    if (tmp_path / "film.mp4").exists():
        pytest.skip("this disk does not tell capitals from other letters")
    (what,) = whats(slp_reader.read(path))
    assert f"; there is {tmp_path}/{name}, which is called otherwise" in what


def test_labels_that_are_called_like_their_film_are_not_offered_for_it(tmp_path):
    path = Path(write(tmp_path, [(0, 1, [(USER, -1, A)])])).rename(tmp_path / "film.slp")
    (tmp_path / "film.h5").write_bytes(b"")
    (what,) = whats(slp_reader.read(str(path)))
    assert "film.mp4 not found: looked in" in what and "there is" not in what
    (tmp_path / "film.avi").write_bytes(b"")
    (what,) = whats(slp_reader.read(str(path)))
    assert f"; there is {tmp_path}/film.avi, which is called otherwise" in what


def test_labels_of_a_package_take_the_images_of_their_frames(tmp_path):
    package = write(tmp_path, [], videos=[{"backend": {"filename": "."}}])
    Path(package).rename(tmp_path / "train.pkg.slp")
    made = [fakes.encode(fakes.pixels(i)) for i in range(3)]
    fake_labels.embed(tmp_path / "train.pkg.slp", made, [4, 0, 1], "RGB")
    told = {"backend": {"filename": "train.pkg.slp", "dataset": "video0/video"}}
    told["source_video"] = {"filename": "C:\\lab\\film.mp4"}
    frames = [(0, i, [(PREDICTED, -1, A)]) for i in (1, 2, 4)]
    labels = slp_reader.read(write(tmp_path, frames, videos=[told]))
    for item, number in zip(labels.items, (2, 0), strict=True):
        np.testing.assert_array_equal(images.load(item.image)[0], fakes.pixels(number))
    assert [item.video for item in labels.items] == ["film", "film"]
    assert whats(labels)[1].startswith(f"frame 2 of {tmp_path}/train.pkg.slp, video0/video is lab")
    (tmp_path / "train.pkg.slp").unlink()
    said = whats(slp_reader.read(write(tmp_path, frames, videos=[told])))
    assert said[1].startswith("package train.pkg.slp not found: looked in ")


def test_frames_name_the_videos_of_another_package_by_the_numbers_of_its_images(tmp_path):
    package = write(tmp_path, [], videos=[{"backend": {"filename": "."}}])
    Path(package).rename(tmp_path / "both.pkg.slp")
    for video, rows in ((0, [3, 12]), (1, [2, 7])):
        made = [fakes.encode(fakes.pixels(10 * video + i)) for i in range(2)]
        fake_labels.embed(tmp_path / "both.pkg.slp", made, rows, "RGB", video=video)
    told = [
        {"backend": {"filename": "both.pkg.slp", "dataset": f"video{i}/video"}} for i in range(2)
    ]
    for videos in (told[1:], told[::-1]):
        labels = slp_reader.read(write(tmp_path, [(1, 7, [(PREDICTED, -1, A)])], videos=videos))
        (item,) = labels.items
        np.testing.assert_array_equal(images.load(item.image)[0], fakes.pixels(11))


@pytest.mark.parametrize(
    "told", ["raw/day1/film.mp4", "D:\\old\\project\\raw\\day1\\film.mp4", "../raw/day1/film.mp4"]
)
def test_a_video_of_a_project_that_moved_is_found_below_its_folder(tmp_path, told):
    (tmp_path / "project/raw/day1").mkdir(parents=True)
    (tmp_path / "project/runs/one").mkdir(parents=True)
    (tmp_path / "film.mp4").write_bytes(b"another")
    path = fakes.video(tmp_path / "project/raw/day1/film.mp4", "mpeg4", 5)
    frames = [(0, 4, [(USER, -1, A)])]
    labels = slp_reader.read(
        write(tmp_path / "project/runs/one", frames, videos=[{"filename": told}])
    )
    assert [item.image for item in labels.items] == [f"{path}#frame=4"]


def test_a_film_of_the_name_in_a_folder_far_above_is_another(tmp_path):
    (tmp_path / "project/runs/one").mkdir(parents=True)
    fakes.video(tmp_path / "film.mp4", "mpeg4", 5)
    videos = [{"filename": name} for name in ("film.mp4", "D:\\lab\\film.mp4")]
    frames = [(i, 4, [(USER, -1, A)]) for i in range(2)]
    assert not slp_reader.read(write(tmp_path / "project/runs/one", frames, videos=videos)).items
