"""Odd input to the verbs around training: a sentence that names the file and says what to do."""

import os
import shutil
from pathlib import Path

import fakes
import numpy as np
import pytest

from beampose.core import artefacts, storage
from beampose.formats.deeplabcut import prediction_writer
from beampose.pipelines import cli

SCORER = "DLC_resnet50_spotsJan1shuffle1_30"
PARTS = fakes.BODYPARTS
LABELS = f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"
AUDITED = (
    "apply,image,bodypart,x,y,new_x,new_y\nyes,labeled-data/cam1/img0.png,nose,10.25,5.5,11,6\n"
)


def experiment(folder: Path, root: Path | None = None) -> Path:
    """A config, a project with three labeled frames, a film and its predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    root = root or folder
    fakes.project(folder / "project")
    film = folder / "film.mp4"
    fakes.video(film, "libx264", 12)
    values = np.full((12, len(PARTS), 3), 0.9)
    values[..., :2] = np.arange(12)[:, None, None] + 5.0
    values[6, 0, 0] += 30
    stem = folder / f"out/predictions/film{SCORER}"
    prediction_writer.write(prediction_writer.table(values, SCORER, PARTS), stem)
    (folder / "my.yaml").write_text(
        f"task: pose\nsource: {{format: deeplabcut, path: project}}\n"
        f"predict: {{videos: ['{film}']}}\noutput: out\noutliers: {{count: 2, epsilon: 5}}\n"
    )
    (folder / "marked.csv").write_text(AUDITED)
    return folder


def words(verb: str, at: Path, to: Path) -> list[str]:
    """The command of a verb; what it makes goes to `to`."""
    config, film = str(at / "my.yaml"), str(at / "film.mp4")
    return {
        "extract-frames": ["extract-frames", film, "--to", str(to), "--count", "2"],
        "import-labels": ["import-labels", str(at / "project"), "--to", str(to)],
        "export-labels": ["export-labels", config, "--to", str(to), "--format", "coco"],
        "export-dlc": ["export-labels", config, "--to", str(to), "--format", "deeplabcut"],
        "check": ["check", config, "--html"],
        "audit": ["audit", config],
        "apply": ["audit", config, "--apply", str(at / "marked.csv")],
        "filter": ["filter", config],
        "plot": ["plot", config],
        "render": ["render", config],
        "outliers": ["outliers", config, "--to", str(to)],
    }[verb]


def said(capsys) -> str:
    told = capsys.readouterr()
    text = told.out + told.err
    assert "Traceback" not in text and "--debug shows" not in text, text
    return text


def emptied(at):
    (at / "project" / LABELS).write_text("")


def without_labels(at):
    shutil.rmtree(at / "project/labeled-data")


def missing_images(at):
    for file in at.glob("project/labeled-data/cam1/img*.png"):
        file.unlink()


def one_missing(at):
    (at / "project/labeled-data/cam1/img1.png").unlink()


def other_scorer(at):
    (at / "project" / LABELS).rename(at / "project/labeled-data/cam1/CollectedData_Bob.csv")


def without_videos(at):
    text = (at / "my.yaml").read_text()
    (at / "my.yaml").write_text("".join(x for x in text.splitlines(True) if "videos" not in x))


def nothing_in_video_sets(at):
    fakes.project(at / "project", config={"video_sets": None})


def empty_film(at):
    (at / "film.mp4").write_bytes(b"")


def empty_predictions(at):
    for file in at.glob("out/predictions/*"):
        file.write_bytes(b"")


def nothing(at):
    pass


# What is odd, the verb, its exit code, and what its words must have.
ODD = [
    *[(emptied, v, c, ("CollectedData_Ann.csv", "scorer, bodyparts, coords"))
      for v, c in (("import-labels", 2), ("export-labels", 2), ("check", 1), ("apply", 2))],
    *[(without_labels, v, c, ("labeled-data", "extract-frames"))
      for v, c in (("import-labels", 2), ("export-labels", 2), ("check", 2), ("apply", 2))],
    *[(missing_images, v, c, ("img0.png", "image missing"))
      for v, c in (("import-labels", 2), ("export-labels", 2), ("export-dlc", 2), ("check", 1))],
    *[(one_missing, v, c, ("img1.png", "image missing"))
      for v, c in (("import-labels", 1), ("export-labels", 1), ("export-dlc", 1), ("check", 1))],
    *[(other_scorer, v, c, ("scorer mismatch", "'Ann'", "Bob", "source.scorer"))
      for v, c in (("import-labels", 2), ("export-labels", 2), ("check", 1), ("apply", 2))],
    *[(without_videos, v, 2, ("No videos", "predict.videos"))
      for v in ("filter", "plot", "render", "outliers")],
    *[(empty_film, v, 1, ("film.mp4", "cannot be read as a video"))
      for v in ("extract-frames", "outliers")],
    (empty_film, "render", 1, ("film.mp4",)),
    *[(empty_predictions, v, 1, ("film", "no predictions in DeepLabCut's layout"))
      for v in ("filter", "plot", "render", "outliers")],
    *[(nothing_in_video_sets, v, 0, ())
      for v in ("extract-frames", "import-labels", "export-dlc", "check", "outliers")],
    (nothing, "audit", 2, ("dataset", "beampose features")),
]  # fmt: skip


@pytest.mark.parametrize(("change", "verb", "code", "parts"), ODD)
def test_odd_input_ends_in_a_sentence(tmp_path, capsys, change, verb, code, parts):
    at = experiment(tmp_path)
    change(at)
    to = at / ("project" if verb in ("extract-frames", "outliers") else "made")
    assert cli.main(words(verb, at, to)) == code, said(capsys)
    text = said(capsys)
    for part in parts:
        assert part in text, text


# Where each verb writes.
WRITING = {
    "extract-frames": "project", "import-labels": "made", "export-labels": "made",
    "export-dlc": "made", "check": "out", "apply": "project", "filter": "out", "plot": "out",
    "render": "out", "outliers": "project",
}  # fmt: skip


@pytest.mark.parametrize("verb", WRITING)
def test_names_with_spaces_and_letters_of_any_language_are_names(tmp_path, capsys, verb):
    at = experiment(tmp_path / "Łąka i mysz 鼠" / "über alles, 2 & co")
    to = at / ("project" if verb in ("extract-frames", "outliers") else "wo es hin soll ñ")
    assert cli.main(words(verb, at, to)) == 0, said(capsys)
    said(capsys)


@pytest.mark.parametrize("verb", WRITING)
def test_a_folder_that_may_not_be_written_is_named(tmp_path, capsys, verb, monkeypatch):
    """As root every folder may be written, so opening a file is refused here as by the system."""
    at = experiment(tmp_path)
    to = at / WRITING[verb]
    locked = str(at / WRITING[verb])

    def refuse(path):
        if str(path).startswith(locked):
            raise PermissionError(13, "Permission denied", str(path))

    replacing, begin = storage.replacing, artefacts.begin
    monkeypatch.setattr(storage, "replacing", lambda p, *a, **k: refuse(p) or replacing(p, *a, **k))
    monkeypatch.setattr(artefacts, "begin", lambda p: refuse(p) or begin(p))
    mkdir = Path.mkdir
    monkeypatch.setattr(Path, "mkdir", lambda p, *a, **k: refuse(p) or mkdir(p, *a, **k))
    before = {f: f.read_bytes() for f in sorted((at / "project").rglob("*")) if f.is_file()}
    assert cli.main(words(verb, at, to)) in (1, 2)
    text = said(capsys)
    assert locked in text and "Permission denied" in text, text
    assert "choose a writable folder" in text, text
    assert before == {f: f.read_bytes() for f in sorted((at / "project").rglob("*")) if f.is_file()}


@pytest.mark.parametrize("verb", ["extract-frames", "import-labels", "export-labels", "outliers"])
def test_a_place_below_a_file_is_no_place(tmp_path, capsys, verb):
    at = experiment(tmp_path)
    (at / "file").write_text("not a folder")
    command = words(verb, at, at / "file/below")
    if verb == "extract-frames":
        command += ["--bodyparts", "a", "--scorer", "me"]
    assert cli.main(command) == 2
    assert str(at / "file") in said(capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_project_is_left_as_it_is(tmp_path, capsys):
    at = experiment(tmp_path)
    (at / "project/labeled-data").chmod(0o500)
    try:
        assert cli.main(words("extract-frames", at, at / "project")) == 1
        assert "choose a writable folder" in said(capsys)
    finally:
        (at / "project/labeled-data").chmod(0o700)


def test_a_real_label_file_that_names_missing_images(shared_data, tmp_path, capsys):
    """golden_mouse: 20 rows, of whose images 5 are there."""
    source = shared_data / "golden_mouse-shaokai-2022-10-19"
    root = tmp_path / "golden"
    (root / "labeled-data").mkdir(parents=True)
    shutil.copy(source / "config.yaml", root)
    shutil.copytree(source / "labeled-data/golden_mouse", root / "labeled-data/golden_mouse")
    for file in (source / "original-labels-20-rows").iterdir():
        shutil.copy(file, root / "labeled-data/golden_mouse")
    config = tmp_path / "my.yaml"
    config.write_text(f"task: pose\nsource: {{format: deeplabcut, path: {root}}}\noutput: out\n")
    assert cli.main(["check", str(config), "--html"]) == 1
    text = said(capsys)
    assert text.count("image missing") == 1 and "(15 of 20 labeled images)" in text
    assert "5 of 20 labeled images can be used" in text
    assert cli.main(["import-labels", str(root), "--to", str(tmp_path / "made")]) == 1
    text = said(capsys)
    assert "(15 of 20 labeled images)" in text and "5 of 20 labeled images" in text
    assert (tmp_path / "made/rejects.jsonl").read_text().count("image missing") == 15


def test_check_tells_every_problem_of_labels_that_cannot_be_split(tmp_path, capsys):
    at = experiment(tmp_path)
    file = at / "project" / LABELS
    file.write_text(file.read_text().replace("11.25", "inf").replace("12.25", "0x10"))
    assert cli.main(words("check", at, at)) == 1
    text = said(capsys)
    assert "holds 'inf', which is not a number" in text and "holds '0x10'" in text
    assert "Only one image is labeled" in text and "Set split.test: 0" in text
    assert cli.main(["features", str(at / "my.yaml")]) == 2
    assert "The labels have 2 problems, too: `beampose check` lists them" in said(capsys)
