"""Results as files of other programs, read back by what reads them."""

import datetime
import json
import pickle
import shutil

import fake_infos
import fakes
import numpy as np
import pandas as pd
import pytest

import beampose
from beampose.core import artefacts, fingerprints, storage
from beampose.core.infos import PredictionInfo
from beampose.core.names import INFO
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.formats import nwb_writer, simba_csv
from beampose.formats.coco import coco_results
from beampose.formats.deeplabcut import prediction_tables
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines import cli, film_names, still_sets
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


def test_nwb_takes_bodyparts_whose_names_are_no_names_there(tmp_path, caplog):
    pytest.importorskip("ndx_pose")
    import pynwb

    points = (("", "sl/ash"), ("", "sl_ash"), ("", "a:b"))
    slashed = Table("f.h5", "x", points, np.arange(3), np.ones((3, 3, 3)))
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    recording = nwb_writer.Recording("/films/f.mp4", 48, 80, np.arange(3.0), start)
    nwb_writer.write(str(tmp_path / "f.nwb"), slashed, recording)
    with pynwb.NWBHDF5IO(str(tmp_path / "f.nwb"), "r", load_namespaces=True) as stream:
        poses = stream.read().processing["behavior"]["PoseEstimation"]
        assert sorted(poses.pose_estimation_series) == ["a_b", "sl_ash", "sl_ash_"]
        assert list(poses.skeleton.nodes[:]) == ["sl/ash", "sl_ash", "a:b"]
    assert "sl/ash is called sl_ash_" in caplog.text


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


CAMERAS = ("siteA", "siteB")


@pytest.fixture
def cards(tmp_path):
    """The config of an experiment with results of a film of two cameras each, and of their cards,
    on which images are called alike."""
    settings = {
        "task": "pose",
        "source": {"format": "deeplabcut", "path": "x"},
        "output": str(tmp_path / "out"),
    }
    config = experiment.from_dict(Config, settings)
    (tmp_path / "e.yaml").write_text(json.dumps(settings))
    artefacts.write_info(storage.place(config.model, INFO), fake_infos.model(dlc_scorer="DLC_x"))
    for camera in CAMERAS:
        card = tmp_path / camera / "100MEDIA"
        card.mkdir(parents=True)
        for i in range(3):
            (card / f"IMAG{i}.JPG").write_bytes(f"{camera}{i}".encode())
        film = tmp_path / camera / "walk.mp4"
        film.write_bytes(camera.encode())
        rows = np.array([f"IMAG{i}.JPG" for i in range(3)], object)
        result(config, card, table()._replace(rows=rows), images=3)
        result(config, film, table())
    return config


def result(config, path, found, **more):
    code = still_sets.lies_there(str(path)) if more else fingerprints.of_file(str(path))
    root = path if path.is_dir() else path.parent
    name = f"{path.stem}-{code[:8]}" if "siteB" in str(path) else path.stem
    place = f"{config.predictions}/{name}DLC_x"
    prediction_tables.write(found, place)
    more |= {"images_root": str(root)} if more else {}
    told = {"name": name, "video": str(path), "video_fingerprint": code, "scorer": "DLC_x"}
    artefacts.write_info(f"{place}.json", fake_infos.prediction(**told, **more))
    if more:
        lines = [f"{n},,60,40,1,{(root / n).stat().st_size},,c\n" for n in found.rows]
        header = "image,taken,width,height,orientation,bytes,failure,fingerprint\n"
        storage.write_text(f"{place}_images.csv", header + "".join(lines))


def test_photographs_that_nobody_named_are_left_out_where_videos_are_taken(
    cards, tmp_path, capsys, caplog
):
    command = ["export-results", str(tmp_path / "e.yaml"), "--to", str(tmp_path / "to")]
    for words in ([*command, "--for", "simba"], ["filter", str(tmp_path / "e.yaml")]):
        caplog.clear()
        assert cli.main(words) == 0
        assert "FAILED" not in capsys.readouterr().out
        assert "2 sets of photographs are left out, such as " in caplog.text
    assert len([*(tmp_path / "to").glob("walk*.csv")]) == 2
    named = [*command[:2], str(tmp_path / "siteA/100MEDIA"), *command[2:], "--for", "simba"]
    assert cli.main(named) == 1
    assert "is a set of photographs: SimBA takes videos" in capsys.readouterr().out


def test_images_that_are_called_alike_have_their_folders_before_their_names(
    cards, tmp_path, capsys
):
    command = ["export-results", str(tmp_path / "e.yaml"), "--for", "coco", "--to"]
    assert cli.main([*command, str(tmp_path / "to")]) == 0
    assert "4 of 4" in capsys.readouterr().out
    images = json.loads((tmp_path / "to/images.json").read_text())["images"]
    sizes = {one["file_name"]: (one["height"], one["width"]) for one in images}
    assert set(sizes) == {
        f"{camera}/{name}"
        for camera in CAMERAS
        for name in (
            *(f"100MEDIA/IMAG{i}.JPG" for i in range(3)),
            *(f"walk.mp4#frame={i}" for i in (0, 1, 3)),
        )
    }
    assert sizes["siteB/100MEDIA/IMAG1.JPG"] == (40, 60)
    # A file of images that names them so; what it does not list has the id of no other image.
    truth = {"images": [{"id": 7, "file_name": "siteB/100MEDIA/IMAG1.JPG"}]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    words = [*command, str(tmp_path / "own"), "--images", str(tmp_path / "truth.json")]
    cli.main([*words[:2], *(str(tmp_path / f"{one}/100MEDIA") for one in CAMERAS), *words[2:]])
    results = json.loads((tmp_path / "own/results.json").read_text())
    assert [one["image_id"] for one in results] == [7]


def test_a_photograph_that_was_predicted_with_its_folder_too_is_exported_once(
    cards, tmp_path, capsys
):
    one = tmp_path / "siteA/100MEDIA/IMAG0.JPG"
    first = table()._replace(rows=np.array([one.name], object), values=table().values[:1])
    result(cards, one, first, images=1)
    command = ["export-results", str(tmp_path / "e.yaml"), "--for", "coco", "--to"]
    assert cli.main([*command, str(tmp_path / "to")]) == 0
    told = capsys.readouterr().out
    assert f"NOTE: {one} is left out: it has an image called siteA/100MEDIA/IMAG0.JPG" in told
    assert "4 of 5" in told


def test_results_of_photographs_are_found_by_their_path_and_by_their_images(cards, tmp_path):
    opened = beampose.Experiment(tmp_path / "e.yaml")
    card = tmp_path / "siteB/100MEDIA"
    assert opened.load_predictions(card).names == ("IMAG0.JPG", "IMAG1.JPG", "IMAG2.JPG")
    (tmp_path / "siteB/100MEDIA/deeper").mkdir()
    (tmp_path / "siteB/100MEDIA/deeper/other.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"predicted as a part of .*siteB/100MEDIA\. Name that"):
        opened.load_predictions(card / "deeper")
    (tmp_path / "siteB/100MEDIA/deeper/other.png").unlink()
    card.rename(tmp_path / "moved")
    assert len(opened.load_predictions(tmp_path / "moved")) == 3
    (tmp_path / "moved/IMAG3.JPG").write_bytes(b"new")
    with pytest.raises(ValueError, match="moved: has no results. Run `beampose predict`"):
        opened.load_predictions(tmp_path / "moved")


def test_a_copy_of_photographs_beside_them_has_results_of_its_own(cards, tmp_path, caplog):
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "siteA/100MEDIA", copy)
    (one,) = still_sets.write_all(still_sets.expand([str(copy)]).sets, str(tmp_path / "work"))[0]

    def name():
        known = result_names.Predictions(cards.predictions, "DLC_x")
        (film,) = film_names.assign([one], known)
        return film.name

    assert name() == "copy" and not caplog.text
    # The card goes on with other images of the same names: what was copied is what is left.
    (tmp_path / "siteA/100MEDIA/IMAG2.JPG").write_bytes(b"another picture")
    assert name() == "100MEDIA"
    assert "is called so still" in caplog.text


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
