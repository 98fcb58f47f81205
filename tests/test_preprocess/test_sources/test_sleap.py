"""Points, animals and tracks of SLEAP's files."""

import json
from pathlib import Path

import fake_labels
import fakes
import h5py
import numpy as np
import pytest
from slp_labels import FILM, PREDICTED, USER, A, B, C, spoil, whats, write

from beampose import formats
from beampose.core import files
from beampose.formats.sleap import slp_reader
from beampose.preprocess import images
from beampose.preprocess.labels import ERROR, WARNING


@pytest.fixture
def film(tmp_path):
    return fakes.video(tmp_path / "film.mp4", "libx264", 40)


def test_frames_nodes_and_edges_are_read(film, tmp_path):
    path = write(tmp_path, [(0, 30, [(USER, -1, A)]), (0, 2, [(USER, -1, B)])])
    labels = formats.read("sleap", path)
    assert labels.bodyparts == fakes.BODYPARTS
    assert labels.edges == (("nose", "ear"),)
    assert labels.individuals == ("individual1",)
    np.testing.assert_array_equal([item.keypoints[0] for item in labels.items], [B, A])
    assert [item.name for item in labels.items] == [
        "labeled-data/film/img0002.png",
        "labeled-data/film/img0030.png",
    ]
    assert [fakes.number(images.load(item.image)[0]) for item in labels.items] == [2, 30]
    assert labels.problems == ()


def test_tracks_are_individuals(film, tmp_path):
    animals = [[(USER, 1, A), (USER, 0, B)], [(USER, 1, C)]]
    path = write(tmp_path, [(0, i, own) for i, own in enumerate(animals)], tracks=["she", "he"])
    labels = slp_reader.read(path)
    assert labels.individuals == ("she", "he")
    np.testing.assert_array_equal(labels.items[0].keypoints, [B, A])
    np.testing.assert_array_equal(labels.items[1].keypoints, [np.full((3, 2), np.nan), C])


def test_animals_without_tracks_take_places_in_turn(film, tmp_path):
    path = write(tmp_path, [(0, 0, [(USER, -1, A), (USER, -1, B)]), (0, 1, [(USER, -1, C)])])
    labels = slp_reader.read(path)
    assert labels.individuals == ("individual1", "individual2")
    np.testing.assert_array_equal(labels.items[0].keypoints, [A, B])
    np.testing.assert_array_equal(labels.items[1].keypoints[0], C)


def test_an_untracked_animal_takes_the_place_that_is_free(film, tmp_path):
    path = write(tmp_path, [(0, 0, [(USER, -1, A), (USER, 0, B)])], tracks=["she", "he"])
    labels = slp_reader.read(path)
    assert labels.individuals == ("she", "he")
    np.testing.assert_array_equal(labels.items[0].keypoints, [B, A])


def test_pieces_of_tracks_are_no_individuals(film, tmp_path):
    frames = [(0, i, [(USER, i, A)]) for i in range(5)]
    labels = slp_reader.read(write(tmp_path, frames, tracks=[f"t{i}" for i in range(5)]))
    assert labels.individuals == ("individual1",)
    assert ["5 tracks of at most 1 animals" in what for what in whats(labels)] == [True]


def test_what_a_person_placed_goes_before_predictions(film, tmp_path):
    frames = [(0, 0, [(PREDICTED, -1, A), (USER, -1, B)]), (0, 1, [(PREDICTED, -1, C)])]
    labels = slp_reader.read(write(tmp_path, frames))
    (item,) = labels.items
    np.testing.assert_array_equal(item.keypoints[0], B)


def test_predictions_alone_are_read_with_a_warning(film, tmp_path):
    labels = slp_reader.read(write(tmp_path, [(0, 0, [(PREDICTED, -1, A)])]))
    np.testing.assert_array_equal(labels.items[0].keypoints[0], A)
    assert [(p.level, "predictions only" in p.what) for p in labels.problems] == [(WARNING, True)]


def test_old_files_count_from_the_corner_of_the_first_pixel(film, tmp_path):
    labels = slp_reader.read(write(tmp_path, [(0, 0, [(USER, -1, A)])], version=1.0))
    np.testing.assert_array_equal(labels.items[0].keypoints[0], A - 0.5)


def test_bodyparts_asked_for_choose_and_order(film, tmp_path):
    path = write(tmp_path, [(0, 0, [(USER, -1, A)])])
    labels = formats.read("sleap", path, bodyparts=["tail", "whisker", "nose"])
    found = labels.items[0].keypoints[0]
    np.testing.assert_array_equal(found, [A[2], [np.nan, np.nan], A[0]])
    assert whats(labels) == ["bodypart 'whisker' is not labeled here"]
    with pytest.raises(ValueError, match="none of those asked for"):
        formats.read("sleap", path, bodyparts=["whisker"])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_cut_short_is_refused_with_a_sentence(film, tmp_path, share):
    path = write(tmp_path, [(0, i, [(USER, -1, A)]) for i in range(40)])
    data = (tmp_path / "labels.slp").read_bytes()
    (tmp_path / "labels.slp").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=r"labels.slp cannot be read as h5"):
        slp_reader.read(path)


@pytest.mark.parametrize(
    ("name", "make", "what"),
    [
        ("metadata", lambda f: None, "not a SLEAP file"),
        ("points", lambda f: None, "holds no dataset 'points'"),
        (
            "points",
            lambda f: f.create_dataset("points", (1 << 33,), fake_labels.POINT, chunks=(1024,)),
            "claims .* bytes, above",
        ),
        ("points", lambda f: f.create_dataset("points", data=[1, 2]), "points lacks visible, x, y"),
        ("videos_json", lambda f: f.create_dataset("videos_json", data=[b"{"]), "not JSON"),
        ("points", lambda f: f.__setitem__("points", h5py.SoftLink("/frames")), "is a link"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(film, tmp_path, name, make, what):
    path = write(tmp_path, [(0, 0, [(USER, -1, A)])])
    spoil(path, name, make)
    with pytest.raises(ValueError, match=what):
        slp_reader.read(path)


def test_an_animal_with_points_that_are_not_there_is_a_problem(film, tmp_path):
    path = write(tmp_path, [(0, 3, [(USER, -1, A)]), (0, 5, [(USER, -1, B)])])
    with h5py.File(path, "a") as file:
        table = file["instances"][:]
        table["point_id_end"][1] = 1 << 40
        file["instances"][:] = table
    labels = slp_reader.read(path)
    assert len(labels.items) == 1
    (problem,) = labels.problems
    assert (problem.level, problem.row) == (ERROR, 2)
    assert "an animal of frame 5 is damaged" in problem.what


REAL = {
    "flies-clip-sleap/sleap-original/clip.slp": "flies-clip-sleap/all-frames-labels/all_frames.csv",
    "flies-clip-sleap/sleap-original/../sleap-original/clip.slp": (
        "flies-clip-sleap/labeled-data/clip/CollectedData_sleap.csv"
    ),
    "flies-centeredpair-sleap/sleap-original/centered_pair_predictions.clean.slp": (
        "flies-centeredpair-sleap/labeled-data/centered_pair_low_quality/CollectedData_sleap.csv"
    ),
}


@pytest.mark.parametrize("file", REAL)
def test_real_files_equal_their_conversion(shared_data, file):
    import pandas as pd

    labels = slp_reader.read(str(shared_data / file))
    wanted = pd.read_csv(shared_data / REAL[file], header=[0, 1, 2, 3], index_col=0)
    items = {item.name: item for item in labels.items}
    found = np.stack([items[name].keypoints for name in wanted.index])
    np.testing.assert_array_equal(found.reshape(len(wanted), -1), wanted.to_numpy())
    assert labels.bodyparts == tuple(dict.fromkeys(wanted.columns.get_level_values(2)))


def test_frames_of_a_real_video_are_those_extracted_from_it(shared_data):
    root = shared_data / "flies-centeredpair-sleap"
    file = "sleap-original/centered_pair_predictions.clean.slp"
    items = {item.name: item for item in slp_reader.read(str(root / file)).items}
    extracted = sorted(root.glob("labeled-data/*/img*.png"))
    assert len(extracted) == 40
    for png in extracted[::-13]:
        address = items[png.relative_to(root).as_posix()].image
        np.testing.assert_array_equal(images.load(address)[0], images.load(str(png))[0])


def test_points_of_a_part_of_a_video_lie_in_the_whole_frame(film, tmp_path):
    path = write(tmp_path, [(0, 3, [(USER, -1, A)]), (1, 4, [(USER, -1, B)])], videos=[FILM] * 2)
    with h5py.File(path, "a") as file:
        said = '[{"video":1,"crop":[16,-8,64,40],"fill":0}]'
        file.create_dataset("video_crops", data=np.bytes_(said))
    labels = slp_reader.read(path)
    np.testing.assert_array_equal([item.keypoints[0] for item in labels.items], [A, B + [16, -8]])
    huge = b'[{"video": 1, "crop": [1' + b"0" * 400 + b", 0, 1, 1]}]"
    for said in (np.bytes_("[1]"), np.array([3]), np.bytes_(huge)):
        spoil(path, "video_crops", lambda f, said=said: f.create_dataset("video_crops", data=said))
        with pytest.raises(ValueError, match="the parts of videos that were labeled, cannot be r"):
            slp_reader.read(path)
    spoil(path, "video_crops", lambda f: f.create_dataset("video_crops", data=np.empty(0, "S3")))
    with pytest.raises(ValueError, match="its video_crops is not JSON: it is empty"):
        slp_reader.read(path)


def test_numbers_with_names_beside_them_are_tables(film, tmp_path):
    path = write(tmp_path, [(0, 3, [(USER, -1, A)]), (0, 2, [(USER, -1, B)])])
    before = slp_reader.read(path)
    with h5py.File(path, "a") as file:
        for name in ("frames", "instances", "points", "pred_points"):
            table = file[name][:]
            names = table.dtype.names
            rows = np.array([[float(v) for v in row] for row in table.tolist()])
            del file[name]
            flat = file.create_dataset(name, data=rows.reshape(len(table), len(names)))
            flat.attrs["field_names"] = json.dumps(names)
    labels = slp_reader.read(path)
    assert labels.problems == () and [i.image for i in labels.items] == [
        i.image for i in before.items
    ]
    np.testing.assert_array_equal(labels.keypoints, before.keypoints)
    with h5py.File(path, "a") as file:
        file["points"].attrs["field_names"] = "7"
    with pytest.raises(ValueError, match="points has 4 columns, and names 7"):
        slp_reader.read(path)
    with h5py.File(path, "a") as file:
        file["frames"][0, 2] = 2.5
    with pytest.raises(ValueError, match="frames holds a frame_idx that is no whole number"):
        slp_reader.read(path)


def test_frames_and_animals_that_are_not_used_are_counted(film, tmp_path):
    nothing = np.full_like(A, np.nan)
    frames = [
        (0, 1, [(USER, -1, A), (PREDICTED, -1, B)]),
        (0, 2, [(PREDICTED, -1, B)]),
        (0, 3, [(USER, -1, nothing)]),
        (0, 4, []),
        (0, (1 << 64) - 1, [(USER, -1, C)]),
    ]
    path = write(tmp_path, frames)
    assert whats(slp_reader.read(path)) == [
        "there is no frame -1; it is not used",
        "2 predicted animals are not used: it has animals that a person placed",
        "2 frames have no labeled point of a person; not used",
        "1 frame has no animal; not used. `source.empty: negatives` uses it",
    ]
    labels = slp_reader.read(path, empty=True)
    assert [item.name[-8:-4] for item in labels.items] == ["0001", "0004"]
    with h5py.File(path, "a") as file:
        table = file["frames"][:]
        table["instance_id_end"][0] = 99
        file["frames"][:] = table
    assert whats(slp_reader.read(path))[0] == "frame 1 has animals 0 to 99 of 5; it is not used"


def test_animals_of_several_skeletons_are_told(film, tmp_path):
    path = write(tmp_path, [(0, 1, [(USER, -1, A)]), (0, 2, [(USER, -1, B)])])
    with h5py.File(path, "a") as file:
        told = json.loads(file["metadata"].attrs["json"])
        first = told["skeletons"][0]
        told["nodes"].append({"name": "wing"})
        told["skeletons"].append({"nodes": [{"id": 3}, *first["nodes"][1::-1]], "links": []})
        file["metadata"].attrs["json"] = np.bytes_(json.dumps(told))
        table = file["instances"][:]
        table["skeleton"][1] = 1
        file["instances"][:] = table
    labels = slp_reader.read(path)
    assert labels.bodyparts == ("nose", "ear", "tail", "wing")
    nothing = [np.nan, np.nan]
    np.testing.assert_array_equal(labels.items[1].keypoints[0], [B[2], B[1], nothing, B[0]])
    assert whats(labels) == ["2 skeletons name different nodes: those of one name are one bodypart"]


def test_an_analysis_file_is_called_so(tmp_path):
    with h5py.File(tmp_path / "labels.slp", "w") as file:
        file["node_names"], file["tracks"] = [b"nose"], np.zeros((1, 2, 1, 5))
    with pytest.raises(ValueError, match="is SLEAP's analysis file, of predictions"):
        slp_reader.read(str(tmp_path / "labels.slp"))


def test_a_folder_stands_for_the_one_file_in_it(film, tmp_path):
    path = write(tmp_path, [(0, 1, [(USER, -1, A)])])
    assert formats.guess(str(tmp_path)) == "sleap"
    assert [item.file for item in slp_reader.read(str(tmp_path)).items] == [path]
    (tmp_path / "labels.v002.slp").write_bytes(b"")
    with pytest.raises(ValueError, match=r"Found: labels.slp, labels.v002.slp"):
        slp_reader.read(str(tmp_path))


def test_tracks_without_a_name_are_told_apart_by_their_number(film, tmp_path):
    animals = [(USER, 0, A), (USER, 1, C)]
    labels = slp_reader.read(write(tmp_path, [(0, 1, animals)], tracks=["", ""]))
    assert labels.individuals == ("track_0", "track_1")


def test_frames_with_a_box_alone_or_not_marked_are_no_negatives(film, tmp_path):
    """As sleap-io 0.9 writes boxes, masks and the frames that somebody marked as negative."""
    path = write(tmp_path, [(0, 1, [(USER, -1, A)]), (0, 2, []), (0, 3, []), (0, 4, [])])
    with h5py.File(path, "a") as file:
        file["bboxes/video"], file["bboxes/frame_idx"] = np.int32([0]), np.int64([2])
        file["masks"] = np.array([(0, 3)], [("video", "i4"), ("frame_idx", "i8")])

    def used():
        labels = slp_reader.read(path, empty=True)
        return [files.name(item.name) for item in labels.items], whats(labels)

    assert used()[0] == ["img0001.png", "img0004.png"]
    with h5py.File(path, "a") as file:
        file["negative_frames"] = np.array([(0, 2)], [("video_id", "u4"), ("frame_idx", "u8")])
    names, said = used()
    assert names == ["img0001.png"]
    assert "3 frames have no labeled point of a person; not used" in said


def test_a_format_of_other_tables_is_refused_by_its_number(film, tmp_path):
    with pytest.raises(ValueError, match="is of SLEAP's format 3.1, and those below 3 are read"):
        slp_reader.read(write(tmp_path, [(0, 1, [(USER, -1, A)])], version=3.1))


def test_a_skeleton_with_a_description_and_a_picture_is_read(film, tmp_path):
    path = write(tmp_path, [(0, 5, [(USER, -1, A)])])
    plain = slp_reader.read(path)
    with h5py.File(path, "a") as file:
        told = json.loads(file["metadata"].attrs["json"])
        (graph,) = told["skeletons"]
        # Kinds of links that were spelled out in another skeleton.
        graph["links"] = [
            {**link, "type": {"py/id": i}} for i, link in enumerate(graph["links"], 1)
        ]
        told["skeletons"] = [{"nx_graph": graph, "description": "Fly", "preview_image": None}]
        file["metadata"].attrs["json"] = np.bytes_(json.dumps(told))
    labels = slp_reader.read(path)
    assert (labels.bodyparts, labels.edges) == (plain.bodyparts, plain.edges)
    np.testing.assert_array_equal(labels.keypoints, plain.keypoints)


def test_tables_under_an_older_suffix_are_recognized(film, tmp_path):
    path = write(tmp_path, [(0, 5, [(USER, -1, A)])])
    old = Path(path).rename(tmp_path / "labels.h5")
    assert formats.guess(str(old)) == "sleap"
    (tmp_path / "analysis.h5").write_bytes(b"no")
    assert formats.guess(str(tmp_path / "analysis.h5")) != "sleap"


def test_json_of_sleap_says_to_save_it_anew(tmp_path):
    (tmp_path / "labels.json").write_text("{}")
    with pytest.raises(
        ValueError, match=r"labels.json is not a .slp: open it in SLEAP and save it"
    ):
        slp_reader.read(str(tmp_path / "labels.json"))
