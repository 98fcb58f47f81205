"""Results as files of other programs, read back by what reads them."""

import json
import pickle

import fakes
import numpy as np
import pandas as pd
import pytest

from beampose.core.infos import PredictionInfo
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.formats import simba_csv
from beampose.formats.coco import coco_results
from beampose.formats.deeplabcut import prediction_tables
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines import cli, still_sets
from beampose.pipelines.results import program_export, result_names

PARTS = ("nose", "ear", "tail")


def table(several=False, rows=(0, 1, 3), file=""):
    animals = ("ann", "bob") if several else ("",)
    points = tuple((animal, part) for animal in animals for part in PARTS)
    values = np.random.default_rng(0).uniform(1, 40, (len(rows), len(points), 3))
    values[..., 2] /= 40
    values[1, 0] = np.nan
    values[2, -3:] = np.nan
    return Table(file, "DLC_x", points, np.array(rows), values)


@pytest.fixture
def named(tmp_path):
    """A command, and a file of predictions of two animals, whose film is 20 frames a second."""
    prediction_tables.write(table(True), tmp_path / "film")
    settings = {"task": "pose", "source": {"format": "deeplabcut", "path": "x"}, "output": "out"}
    (tmp_path / "e.yaml").write_text(json.dumps(settings))
    return ["export-results", str(tmp_path / "e.yaml"), str(tmp_path / "film.h5"), "--to"]


def test_coco_results_load_onto_their_images(named, tmp_path, capsys):
    from pycocotools.coco import COCO

    assert cli.main([*named, str(tmp_path / "to"), "--for", "coco"]) == 0
    truth = COCO(str(tmp_path / "to/images.json"))
    found = truth.loadRes(str(tmp_path / "to/results.json"))
    assert [one["file_name"] for one in truth.dataset["images"]] == [
        f"film.h5#frame={n}" for n in (0, 1, 3)
    ]
    # Bob is not in the last of three frames.
    assert len(found.anns) == 5
    first = found.anns[1]
    expected = table(True).values[0, :3]
    np.testing.assert_allclose(first["keypoints"], expected.ravel(), atol=1e-3)
    assert first["score"] == pytest.approx(expected[:, 2].mean(), abs=1e-4)
    assert truth.cats[1]["keypoints"] == list(PARTS)


def test_coco_results_take_the_ids_of_a_file(named, tmp_path, capsys):
    images = [{"id": 70, "file_name": "a/film.h5#frame=3"}, {"id": "x", "file_name": "other.png"}]
    (tmp_path / "truth.json").write_text(json.dumps({"images": images}))
    wanted = [*named, str(tmp_path / "to"), "--for", "coco", "--images"]
    assert cli.main([*wanted, str(tmp_path / "truth.json")]) == 0
    assert "2 images are not listed" in capsys.readouterr().out
    results = json.loads((tmp_path / "to/results.json").read_text())
    assert [one["image_id"] for one in results] == [70]
    assert not (tmp_path / "to/images.json").exists()
    twice = coco_results.Ids({"images": [*images, {"id": 1, "file_name": "b/film.h5#frame=3"}]})
    with pytest.raises(ValueError, match="may be several"):
        twice.of("film.h5#frame=3")
    (tmp_path / "truth.json").write_text("[]")
    assert cli.main([*wanted, str(tmp_path / "truth.json")]) == 2
    assert "is not COCO" in capsys.readouterr().err


def test_simba_gets_a_row_for_every_frame_and_its_list_of_bodyparts(tmp_path):
    one = table(True)
    simba_csv.write(tmp_path / "film.csv", one)
    found = pd.read_csv(tmp_path / "film.csv", index_col=0)
    assert list(found.columns[:4]) == ["nose_1_x", "nose_1_y", "nose_1_p", "ear_1_x"]
    assert found.columns[-1] == "tail_2_p" and list(found.index) == [0, 1, 2, 3]
    np.testing.assert_allclose(found.loc[0], one.values[0].ravel())
    assert (found.loc[2] == 0).all() and (found.loc[1, ["nose_1_x", "nose_1_p"]] == 0).all()
    simba_csv.write_names(tmp_path / "names.csv", one)
    assert (tmp_path / "names.csv").read_text().split() == list(simba_csv.names(one))
    assert simba_csv.names(table()) == list(PARTS)


def test_what_an_export_finds_in_its_folder_is_not_replaced_in_silence(named, tmp_path, capsys):
    for program in ("simba", "coco"):
        words = [*named, str(tmp_path / program), "--for", program]
        assert cli.main(words) == 0
        assert "replaced" not in capsys.readouterr().out
        assert cli.main(words) == 0
        assert "of before replaced, such as" in capsys.readouterr().out
    (tmp_path / "simba/project_bp_names.csv").write_text("thorax\n")
    before = {one: one.read_bytes() for one in (tmp_path / "simba").iterdir()}
    assert cli.main([*named, str(tmp_path / "simba"), "--for", "simba"]) == 1
    assert "has other bodyparts than" in capsys.readouterr().out
    assert before == {one: one.read_bytes() for one in (tmp_path / "simba").iterdir()}


def test_nwb_holds_the_poses_of_each_animal_with_their_times(tmp_path, monkeypatch):
    pytest.importorskip("ndx_pose")
    import pynwb

    source = program_export._Source("/films/film.mp4", "film", "x", table(True), 20.0, 48, 80)
    monkeypatch.setattr(program_export, "_edges", lambda _: (("nose", "ear"), ("ear", "tail")))
    settings = {"task": "pose", "source": {"format": "deeplabcut", "path": "x"}, "output": "out"}
    (tmp_path / "e.yaml").write_text(json.dumps(settings))
    config = experiment.load(str(tmp_path / "e.yaml"))
    (file,) = program_export._nwb(source, str(tmp_path), config)
    with pynwb.NWBHDF5IO(file, "r", load_namespaces=True) as stream:
        held = stream.read().processing["behavior"]
        poses = held["bob"]
        assert sorted(poses.pose_estimation_series) == sorted(PARTS)
        series = poses["ear"]
        np.testing.assert_allclose(series.data[:], table(True).values[:, 4, :2])
        np.testing.assert_allclose(series.timestamps[:], [0, 0.05, 0.15])
        assert series.confidence[2] == 0
        assert poses.dimensions[:].tolist() == [[48, 80]]
        assert poses.skeleton.edges[:].tolist() == [[0, 1], [1, 2]]
    with pytest.raises(ValueError, match="no frame rate"):
        program_export._nwb(source._replace(fps=0.0), str(tmp_path), config)


@pytest.mark.parametrize("program", ["coco", "simba"])
def test_results_of_one_name_do_not_replace_each_other(named, tmp_path, capsys, program):
    (tmp_path / "other").mkdir()
    prediction_tables.write(table(True), tmp_path / "other/film")
    wanted = [*named, str(tmp_path / "to"), "--for", program]
    assert cli.main([*wanted[:3], str(tmp_path / "other/film.h5"), *wanted[3:]]) == 1
    told = capsys.readouterr().out
    assert f"FAILED {tmp_path / 'other/film.h5'}: " in told
    assert "export it into another folder" in told and "1 of 2" in told
    assert cli.main(wanted) == 0


def test_of_photographs_that_changed_the_results_of_those_that_lie_there_count(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / "photos").mkdir()
    image, codes = tmp_path / "photos/1.png", []
    for content in (b"one", b"two", b"three"):
        image.write_bytes(content)
        codes.append(still_sets.lies_there(str(tmp_path / "photos")))
    made = [
        PredictionInfo.model_construct(
            name=name, video=str(tmp_path / "photos"), video_fingerprint=code, finished=time
        )
        for name, code, time in zip(("b", "c", "a"), codes, "123", strict=True)
    ]
    monkeypatch.setattr(result_names, "predicted_stills", lambda config: made)
    config = Config.model_construct(output=str(tmp_path / "out"))
    for content, name in ((b"two", "c"), (b"three", "a"), (b"one", "b"), (b"four", "a")):
        assert "changed" not in caplog.text
        image.write_bytes(content)
        (found,) = result_names.present_stills(config).values()
        assert found.name == name
    assert "the last results of it, a, are taken" in caplog.text


def test_results_of_other_programs_are_filtered_without_any_labels(tmp_path, capsys):
    many = table(rows=tuple(range(30)))
    prediction_tables.write(many, tmp_path / "filmDLC_resnet50_reachJan1shuffle1_100")
    (tmp_path / "e.yaml").write_text("task: pose\noutput: out\n")
    file = str(tmp_path / "filmDLC_resnet50_reachJan1shuffle1_100.h5")
    assert cli.main(["filter", str(tmp_path / "e.yaml"), file]) == 0
    found = prediction_tables.read(file.replace(".h5", "_filtered.h5"))
    assert found.values.shape == many.values.shape
    assert cli.main(["check", str(tmp_path / "e.yaml")]) == 2
    assert "'source' is missing" in capsys.readouterr().err


def test_what_deeplabcut_left_beside_a_film_is_exported_in_pixels_of_the_film(tmp_path):
    fakes.video(tmp_path / "film.mp4", "libx264", 4)
    stem = tmp_path / "filmDLC_resnet50_reachJan1shuffle1_100"
    prediction_tables.write(table(), stem)
    data = {"cropping": True, "cropping_parameters": [30, 70, 10, 40]}
    (tmp_path / f"{stem.name}_meta.pickle").write_bytes(pickle.dumps({"data": data}))
    (tmp_path / "e.yaml").write_text("task: pose\noutput: out\n")
    command = ["export-results", str(tmp_path / "e.yaml"), str(tmp_path / "film.mp4")]
    assert cli.main([*command, "--for", "coco", "--to", str(tmp_path / "to")]) == 0

    images = json.loads((tmp_path / "to/images.json").read_text())["images"]
    assert {(one["height"], one["width"]) for one in images} == {
        (fakes.VIDEO_HEIGHT, fakes.VIDEO_WIDTH)
    }
    (first, *_) = json.loads((tmp_path / "to/results.json").read_text())
    expected = table().values[0] + [30, 10, 0]
    np.testing.assert_allclose(np.reshape(first["keypoints"], (3, 3)), expected, atol=1e-3)
