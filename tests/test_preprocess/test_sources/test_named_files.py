"""Files are found by their paths, and no file is two of them."""

import pytest

from beampose.core import storage
from beampose.formats import named_files

SUFFIXES = (".mp4", ".png")


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def paths(root, told, *, folders=("own", "own/videos", "."), **options):
    places = [str(root / one) if one != "." else str(root) for one in folders]
    found = named_files.locate(told, places, SUFFIXES, **options)
    return [found[one].path and found[one].path.removeprefix(f"{root}/") for one in told]


def why(root, told):
    return named_files.locate(told, [str(root)], SUFFIXES)[told[-1]].why


def test_the_last_parts_of_a_path_decide_before_the_name(tmp_path):
    put(tmp_path, "own/trial.mp4", "day2/trial.mp4", "own/videos/day1/trial.mp4")
    told = ["/lab/day1/trial.mp4", "C:\\lab\\day2\\trial.mp4"]
    assert paths(tmp_path, told) == ["own/videos/day1/trial.mp4", "day2/trial.mp4"]
    assert paths(tmp_path, ["/lab/day9/trial.mp4"]) == ["own/trial.mp4"]


def test_the_name_of_the_folder_of_labels_counts_too(tmp_path):
    put(tmp_path, "day1/trial.mp4")
    told = ["/lab/day1/trial.mp4", "/lab/day2/trial.mp4"]
    assert paths(tmp_path, told, folders=("day1",)) == ["day1/trial.mp4", None]


def test_one_file_serves_no_two_paths(tmp_path):
    put(tmp_path, "trial.mp4")
    told = ["/a/day1/trial.mp4", "/a/day2/trial.mp4"]
    assert paths(tmp_path, told) == [None, None]
    assert "agree in the name alone" in why(tmp_path, told)
    # One path that is written in two ways is one.
    assert paths(tmp_path, ["C:\\a\\trial.mp4", "C:/a/trial.mp4"]) == ["trial.mp4", "trial.mp4"]


def test_a_link_is_the_file_it_leads_to(tmp_path):
    put(tmp_path, "own/trial.mp4")
    (tmp_path / "day2").mkdir()
    (tmp_path / "day2/trial.mp4").symlink_to(tmp_path / "own/trial.mp4")
    told = ["/a/own/trial.mp4", "/a/day2/trial.mp4"]
    assert paths(tmp_path, told) == [None, None]


def test_images_of_two_folders_stay_in_them(tmp_path):
    put(tmp_path, "own/day1/img1.png", "own/day1/img2.png", "own/day2/img1.png")
    told = [f"/x/{one}.png" for one in ("day1/img1", "day2/img1", "day1/img2", "day2/img2")]
    found = paths(tmp_path, told)
    assert found == [*(f"own/{one[3:]}" for one in told[:3]), None]


def test_a_whole_path_counts_only_where_that_is_allowed_and_of_such_files(tmp_path):
    put(tmp_path, "far/trial.mp4", "far/secret.txt", "own/trial.mp4")
    told = [str(tmp_path / "far/trial.mp4")]
    assert paths(tmp_path, told, folders=("own",), anywhere=True) == ["far/trial.mp4"]
    assert paths(tmp_path, told, folders=("own",)) == ["own/trial.mp4"]
    secret = [str(tmp_path / "far/secret.txt")]
    assert paths(tmp_path, secret, folders=("own",), anywhere=True) == [None]


@pytest.mark.parametrize("told", ["../../trial.mp4", "..", "", "/", "a\0b.mp4", "x" * 300 + ".mp4"])
def test_what_leads_out_of_a_folder_is_not_followed(tmp_path, told):
    put(tmp_path, "trial.mp4")
    (tmp_path / "own/videos").mkdir(parents=True)
    assert paths(tmp_path, [told], folders=("own", "own/videos")) == [None]


def test_addresses_are_found_by_the_path_in_them_and_not_fetched(tmp_path):
    put(tmp_path, "images/img0.png")
    told = ["https://example.org/data/local-files/?d=images/img0.png"]
    assert paths(tmp_path, told) == ["images/img0.png"]
    assert paths(tmp_path, ["https://x.org/images/img0.png?token=a.b"]) == ["images/img0.png"]
    assert why(tmp_path, ["https://x.org/other.png"]).startswith("it is an address, which is not")


def test_files_in_a_bucket_are_found(buckets):
    storage.write_bytes("gs://lab/day2/trial.mp4", b"x")
    storage.write_bytes("gs://lab/own/labels.slp", b"x")
    found = named_files.locate(["/a/day2/trial.mp4"], ["gs://lab/own", "gs://lab"], SUFFIXES)
    assert found["/a/day2/trial.mp4"].path == "gs://lab/day2/trial.mp4"
