"""Label formats that other packages add."""

import sys

import numpy as np
import pytest
from PIL import Image

from beampose import formats
from beampose.core import format_names, task_kinds
from beampose.pipelines import cli

WINGS = """
import json
from pathlib import Path

import numpy as np

from beampose.formats import Exported, LabelFormat
from beampose.preprocess.labels import LabeledFrame, Labels


def read(path):
    told = json.loads(Path(path).read_text())
    items = tuple(
        LabeledFrame(
            name=name, image=str(Path(path).parent / name), video="v", file=path, row=i,
            keypoints=np.array([points], float),
        )
        for i, (name, points) in enumerate(told.items())
    )
    return Labels(items=items, bodyparts=("nose", "tail"), individuals=("individual1",))


def write(labels, splits, to, *, scorer, overwrite, progress):
    told = {item.name: split for item, split in zip(labels.items, splits)}
    Path(to).mkdir(parents=True)
    Path(to, "splits.json").write_text(json.dumps(told))
    return Exported(len(told), 1, [])


FORMAT = LabelFormat(
    name="wings", read=read, recognizes=lambda path: path.endswith(".wings"), write=write
)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package `wing-labels` whose module has this code and adds the format `wings`."""

    def installed(code, place="wing_labels:FORMAT"):
        site = tmp_path / "site"
        about = site / "wing_labels-1.0.dist-info"
        about.mkdir(parents=True)
        (site / "wing_labels.py").write_text(code)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: wing-labels\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[beampose.formats]\nwings = {place}\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "wing_labels", raising=False)

    yield installed
    sys.modules.pop("wing_labels", None)


@pytest.fixture
def experiment_file(tmp_path):
    """An experiment on 10 images labeled in the format `wings`."""
    points = [[4, 5], [float("nan"), float("nan")]]
    for i in range(10):
        noise = np.random.default_rng(i).integers(0, 255, (40, 60, 3)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
    lines = ", ".join(f'"{i}.png": {points}'.replace("nan", "NaN") for i in range(10))
    (tmp_path / "a.wings").write_text(f"{{{lines}}}")
    file = tmp_path / "pose.yaml"
    file.write_text("task: pose\nsource: {format: wings, path: a.wings}\noutput: out\n")
    return file


def test_a_config_names_a_format_of_another_package(install, experiment_file, capsys):
    install(WINGS)
    assert cli.main(["check", str(experiment_file)]) == 0
    assert "10 labeled images" in capsys.readouterr().out


def test_bodyparts_are_chosen_for_a_format_that_does_not_choose(install, experiment_file):
    install(WINGS)
    labels = formats.read("wings", str(experiment_file.parent / "a.wings"), bodyparts=["tail"])
    assert labels.bodyparts == ("tail",)
    assert labels.items[0].keypoints.shape == (1, 1, 2)


def test_an_option_that_a_format_does_not_take_is_refused(install, experiment_file, capsys):
    install(WINGS)
    assert cli.main(["check", str(experiment_file), "--set", "source.scorer=Ann"]) == 2
    assert "source.scorer does not apply to format 'wings'" in capsys.readouterr().err


def test_a_format_for_another_task_is_refused(install, experiment_file, capsys):
    install(WINGS)
    assert cli.main(["check", str(experiment_file), "--set", "task=crops"]) == 2
    assert "'wings' does not hold labels for task 'crops'" in capsys.readouterr().err


def test_labels_of_another_package_are_recognized_and_imported(install, experiment_file, tmp_path):
    install(WINGS)
    source = str(experiment_file.parent / "a.wings")
    assert cli.main(["import-labels", source, "--to", str(tmp_path / "p")]) == 0
    assert len(formats.read("deeplabcut", str(tmp_path / "p")).items) == 10


def test_labels_are_exported_by_another_package(install, experiment_file, tmp_path):
    install(WINGS)
    words = [
        "export-labels",
        str(experiment_file),
        "--format",
        "wings",
        "--to",
        str(tmp_path / "w"),
    ]
    assert cli.main(words) == 0
    assert (tmp_path / "w/splits.json").is_file()


def test_a_format_that_is_only_read_cannot_be_written(experiment_file, tmp_path, capsys):
    words = ["export-labels", str(experiment_file), "--format", "sleap", "--to", str(tmp_path)]
    assert cli.main(words) == 2
    assert "'sleap' are only read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import a_module_that_is_not_there", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("", "AttributeError"),
        ("FORMAT = 3", "must be a beampose.formats.LabelFormat. Received: int"),
    ],
)
def test_a_broken_package_is_named(install, experiment_file, capsys, code, why):
    install(code)
    assert cli.main(["check", str(experiment_file)]) == 2
    said = capsys.readouterr().err
    assert "'wings' of the package wing-labels" in said
    assert why in said


def test_a_broken_package_does_not_keep_others_from_being_recognized(install, tmp_path):
    install("1 / 0")
    (tmp_path / "a").mkdir()
    assert formats.guess(str(tmp_path / "a")) == "imagej"


def test_an_unknown_format_is_told_all_names(install):
    install(WINGS)
    with pytest.raises(ValueError, match="one of deeplabcut, .*csv, wings. Received: 'xml'"):
        formats.read("xml", "anywhere")


def test_the_formats_of_this_package_are_those_of_the_settings():
    for kind in (task_kinds.POSE, task_kinds.CROPS):
        for name in kind.formats:
            assert (formats.find(name).name, formats.find(name).task) == (name, kind.setting)
    assert format_names.known() == (*task_kinds.POSE.formats, *task_kinds.CROPS.formats)
