"""Names from inside files become one part of a path, whoever chose them."""

from pathlib import Path, PureWindowsPath

import fake_infos
import fakes
import pytest

from beampose.core import files, name_parts
from beampose.core.infos import ModelInfo
from beampose.formats.deeplabcut import project_labels, projects
from beampose.trainer import model_records

EVIL = [
    "../../outside",
    "..",
    ".",
    "",
    "/etc/passwd",
    "..\\..\\outside",
    "C:\\Windows\\x",
    "C:x",
    "\\\\server\\share",
    "a\0b",
    "a\nb",
    "nul",
    "COM1.txt",
    "x.",
    "x ",
    ".hidden",
    "~root",
    "a::b",
    "file://x",
    "a|b",
    "*",
    "?",
    "x" * 500,
    "é" * 200,
    "\u202egnp.exe",
    "\ud800",
    "a" * 119 + "/é",
]


@pytest.mark.parametrize("name", EVIL, ids=ascii)
def test_any_name_becomes_one_part_that_every_system_takes(name, tmp_path):
    part = name_parts.safe(name)
    assert Path(part).name == PureWindowsPath(part).name == part
    assert files.parts(part) == (part,)
    assert len(part.encode()) <= 120
    (tmp_path / part).write_text("")
    assert [file.name for file in tmp_path.iterdir()] == [part]
    assert name_parts.safe(part) == part


@pytest.mark.parametrize(
    "name", ["reach", "Ann Lee", "Öhrchen", "尾", "cam [1]", "100%", "a'b", "-x", "a,b=(c)+d@e#f"]
)
def test_names_that_harm_nobody_stay(name):
    assert name_parts.safe(name) == name


def test_different_names_stay_different():
    assert len({name_parts.safe(name) for name in EVIL}) == len(EVIL)


def test_the_suffix_of_a_file_stays():
    assert name_parts.safe_file("a:b.png").endswith(".png")
    assert name_parts.safe_file("img[1].png") == "img[1].png"
    assert name_parts.safe_file("a./../b") == name_parts.safe("a./../b")


@pytest.mark.parametrize("key", ["Task", "date", "scorer"])
@pytest.mark.parametrize("evil", ["../../outside", "/tmp/outside", "a\nb", 7, None])
def test_labels_imported_into_a_project_of_evil_names_stay_in_it(tmp_path, key, evil):
    labels = project_labels.read(str(fakes.project(tmp_path / "own")))
    there = fakes.project(tmp_path / "lab" / "project", video="other", config={key: evil})
    before = {file for file in tmp_path.rglob("*") if there not in file.parents}
    projects.write(labels, ["train", "train", "test"], there)
    assert {file for file in tmp_path.rglob("*") if there not in file.parents} == before
    assert list(there.rglob("Documentation_data-*.pickle"))


def test_the_names_of_a_model_from_elsewhere_are_parts_of_paths():
    plain = {**fake_infos.model().plain(), "dlc_scorer": "DLC_../../x", "store": "/etc"}
    info = ModelInfo.model_validate(plain)
    assert info.dlc_scorer == name_parts.safe("DLC_../../x")
    assert info.store == name_parts.safe("/etc")


def test_the_scorer_of_a_model_holds_no_path():
    info = fake_infos.dataset().replace(project="../../reach/Jan1")
    assert "/" not in model_records.scorer(info, "resnet50", 100)
    assert model_records.scorer(info.replace(project="reachJan1"), "resnet50", 100) == (
        "DLC_beampose-resnet50_reachJan1shuffle1_100"
    )


@pytest.mark.parametrize("name", ["a.mp4#frame=3", "x.slp#image=video0/video/1", "a#frame=x.png"])
def test_a_table_of_labels_names_no_image_inside_another_file(name):
    with pytest.raises(ValueError, match="not one inside another file"):
        files.parts(f"labeled-data/cam1/{name}")
