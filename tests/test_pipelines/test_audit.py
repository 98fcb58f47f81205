"""check --html, audit and audit --apply, from the command line."""

import csv
from pathlib import Path

import numpy as np
import pytest

from beampose.formats.deeplabcut import project_labels
from beampose.pipelines import cli
from beampose.pipelines.report import label_overview


@pytest.fixture
def audited(trained, tmp_path):
    """An experiment file whose labels may be changed, with features from the trained one."""
    import shutil

    folder = Path(trained["pose"].output).parent
    shutil.copytree(folder / "project", tmp_path / "project")
    file = tmp_path / "pose.yaml"
    text = (folder / "pose.yaml").read_text().replace("output: pose", "output: out")
    file.write_text(f"{text}store: {trained['pose'].store}\n")
    return file


def corrections(file):
    with (file.parent / "out/audit/corrections.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def keypoints(file, image):
    labels = project_labels.read(str(file.parent / "project"))
    return {frame.name: frame.keypoints[0] for frame in labels.items}[image]


def test_an_audit_ranks_labels_and_embeds_nothing_and_a_marked_row_is_applied(audited, capsys):
    assert cli.main(["features", str(audited)]) == 0
    assert "0 embedded" in capsys.readouterr().out
    assert cli.main(["audit", str(audited), "--folds", "2", "--top", "5"]) == 0
    out = capsys.readouterr().out
    assert "labels are suspicious" in out
    page = (audited.parent / "out/audit/audit.html").read_text()
    rows = corrections(audited)
    assert page.count("<figure") == min(len(rows), 5) > 0
    assert "http" not in page[page.index("<main>") :]
    assert [float(row["score"]) for row in rows] == sorted(
        (float(row["score"]) for row in rows), reverse=True
    )
    # Heads of 30 steps are sure of nothing: a person marks.
    chosen = next(row for row in rows if row["kind"] == "far")
    for row in rows:
        row["apply"] = "Yes" if row is chosen else "no"
    chosen["new_x"], chosen["new_y"] = "7.5", "8.25"
    marked = audited.parent / "marked.csv"
    with marked.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(chosen))
        writer.writeheader()
        writer.writerows(rows)
    before = {image: keypoints(audited, image) for image in {row["image"] for row in rows}}
    assert cli.main(["audit", str(audited), "--apply", str(marked)]) == 0
    assert "1 of 1 marked corrections written" in capsys.readouterr().out
    part = ("nose", "left", "tail").index(chosen["bodypart"])
    for image, points in before.items():
        after = keypoints(audited, image)
        if image == chosen["image"]:
            assert after[part].tolist() == [7.5, 8.25]
            after[part] = points[part]
        np.testing.assert_array_equal(after, points)
    video = chosen["image"].split("/")[1]
    kept = list((audited.parent / "project/labeled-data-backups").glob("*/*/*"))
    assert [file.parent.name for file in kept] == [video]
    text = kept[0].read_text()
    assert f"{float(chosen['x']):.3f}" in text and ",8.25" not in text


def test_a_label_that_changed_since_the_audit_is_left_alone(pose_file, capsys):
    marked = pose_file.parent / "marked.csv"
    head = "apply,image,bodypart,x,y,new_x,new_y\n"
    marked.write_text(head + "yes,labeled-data/a/img00.png,nose,1,2,3,4\n")
    before = keypoints(pose_file, "labeled-data/a/img00.png")
    assert cli.main(["audit", str(pose_file), "--apply", str(marked)]) == 1
    assert "changed since the audit" in capsys.readouterr().out
    np.testing.assert_array_equal(keypoints(pose_file, "labeled-data/a/img00.png"), before)
    assert not (pose_file.parent / "project/labeled-data-backups").exists()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("yes,../../etc/img.png,nose,1,2,3,4", "must stay inside"),
        ("yes,img.png,nose,1,2,3,4", "must name its video"),
        ("yes,a/img.png,nose,1,2,x,4", "new_x must be a number"),
        ("yes,a/img.png,nose,1,2,-3,4", "point in the image"),
        ("yes,a/img.png,nose,1,2,3,", "point in the image"),
        ("maybe,a/img.png,nose,1,2,3,4", "must be yes or no"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_nothing_changes(pose_file, capsys, row, message):
    marked = pose_file.parent / "marked.csv"
    marked.write_text(f"apply,image,bodypart,x,y,new_x,new_y\n{row}\n")
    assert cli.main(["audit", str(pose_file), "--apply", str(marked)]) == 2
    err = capsys.readouterr().err
    assert "row 2" in err and message in err


def test_marked_rows_are_written_after_a_backup(pose_file, capsys):
    image = "labeled-data/a/img00.png"
    before = keypoints(pose_file, image)
    x, y = before[0]
    marked = pose_file.parent / "marked.csv"
    head = "apply,image,bodypart,x,y,new_x,new_y\n"
    marked.write_text(f"{head}yes,{image},nose,{x:.3f},{y:.3f},7.5,8.25\nno,{image},tail,1,2,3,4\n")
    for _ in "ab":  # Again is no error, and changes nothing.
        assert cli.main(["audit", str(pose_file), "--apply", str(marked)]) == 0
        assert "1 of 1 marked corrections written" in capsys.readouterr().out
    after = keypoints(pose_file, image)
    assert after[0].tolist() == [7.5, 8.25]
    np.testing.assert_array_equal(after[1:], before[1:])
    (kept,) = (pose_file.parent / "project/labeled-data-backups").glob("*/a/*")
    assert f"{x:.3f}" in kept.read_text()


def test_crops_get_another_class_proposed(trained, capsys):
    file = Path(trained["crops"].output).parent / "crops.yaml"
    assert cli.main(["audit", str(file), "--folds", "2"]) == 0
    page = (Path(trained["crops"].output) / "audit/audit.html").read_text()
    assert "A head that never saw it says" in page or "Nothing speaks against" in page
    assert cli.main(["audit", str(file), "--apply", "x.csv"]) == 2
    assert "No file x.csv" in capsys.readouterr().err


def test_an_audit_needs_features(pose_file, capsys):
    assert cli.main(["audit", str(pose_file)]) == 2
    assert "Run `beampose features` first" in capsys.readouterr().err


def test_check_draws_every_label_and_pages_long_sheets(pose_file, capsys, monkeypatch):
    monkeypatch.setattr(label_overview, "PAGE", 5)
    assert cli.main(["check", str(pose_file), "--html"]) == 0
    page = (pose_file.parent / "out/labels.html").read_text()
    # The first page stands twice: in sight, and inert for the way back.
    assert page.count("<figure") == 12 + 5
    assert page.count("<template>") == 3
    assert "http" not in page[page.index("<main>") :]
    for words in ("nose", "labeled-data/b/img05.png", "17 %"):
        assert words in page


def test_check_shows_what_is_odd_first_and_what_is_wrong(pose_file, capsys, tmp_path):
    file = pose_file.parent / "project/labeled-data/a/CollectedData_me.csv"
    file.write_text(file.read_text() + "labeled-data/a/gone<b>.png,1,2,3,4,5,6\n")
    target = tmp_path / "sheet.html"
    assert cli.main(["check", str(pose_file), "--html", str(target)]) == 1
    page = target.read_text()
    assert "image missing" in page and "gone&lt;b&gt;.png" in page
    assert page.count("<figure") == 12


def test_an_odd_frame_comes_first(pose_file, monkeypatch):
    from beampose.preprocess import anatomy

    found = []
    monkeypatch.setattr(
        anatomy,
        "oddities",
        lambda keypoints: [
            anatomy.Oddity(2, 9.0, 0, 80.0, 40.0) if i == 7 else None for i in range(len(keypoints))
        ],
    )
    assert cli.main(["check", str(pose_file), "--html"]) == 0
    page = (pose_file.parent / "out/labels.html").read_text()
    found = page[page.index('<figure class="odd"') :]
    assert "tail lies 80 px from nose, usually 40 px" in found[: found.index("</figure>")]
    assert "labeled-data/b/img01.png" in found[: found.index("</figure>")]
