"""audit --apply of crops: folders and lists get the classes a person marked, and back."""

import csv
from pathlib import Path

import pytest
from conftest import crops_settings, write_crops

from beampose import formats
from beampose.pipelines import cli

HEAD = "apply,rank,score,kind,image,label,new_label,reason\n"
ONE = "Training/Negative/film_1_0.jpg"


@pytest.fixture
def crops(tmp_path):
    write_crops(tmp_path / "crops", 4)
    # What a name says is another crop than the one of the same name in the other class.
    for i in range(4):
        old = tmp_path / f"crops/Training/Negative/film_{i}_0.jpg"
        old.rename(old.with_name(f"film_{i}_9.jpg"))
    (tmp_path / "crops.yaml").write_text(crops_settings())
    return tmp_path


def apply(place, *rows, file="marked.csv"):
    (place / file).write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return cli.main(["audit", str(place / "crops.yaml"), "--apply", str(place / file)])


def row(image, label="negative", new="positive", mark="yes"):
    return f"{mark},1,0.9,class,{image},{label},{new},because"


def contents(place):
    root = place / "crops"
    return {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*.jpg"))}


def test_marked_crops_are_moved_and_the_undo_moves_them_back(crops, capsys):
    before = contents(crops)
    one, other = "Training/Negative/film_1_9.jpg", "Testing/Positive/film_0_0.jpg"
    (crops / "crops/Testing/Negative/film_0_0.jpg").unlink()
    before.pop("Testing/Negative/film_0_0.jpg")
    rows = [row(one), row(other, "positive", "negative"), row(ONE, mark="no")]
    for _ in "ab":  # Again is no error, and changes nothing.
        assert apply(crops, *rows) == 0
        assert "2 of 2 marked corrections written" in capsys.readouterr().out
    after = contents(crops)
    expected = dict(before)
    expected["Training/Positive/film_1_9.jpg"] = expected.pop(one)
    expected["Testing/Negative/film_0_0.jpg"] = expected.pop(other)
    assert after == expected
    (undo,) = (crops / "out/audit").glob("undo-*.csv")
    assert cli.main(["audit", str(crops / "crops.yaml"), "--apply", str(undo)]) == 0
    assert contents(crops) == before


def test_a_crop_of_the_same_name_in_the_other_class_is_not_overwritten(crops, capsys):
    before = contents(crops)
    assert (
        apply(crops, row("Testing/Negative/film_0_0.jpg"), row("Training/Negative/gone.jpg")) == 1
    )
    out = capsys.readouterr().out
    assert "film_0_0.jpg is another crop of this name: rename one of them" in out
    assert "gone.jpg: the file is gone" in out
    assert contents(crops) == before
    assert not (crops / "out/audit").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("../../etc/a.jpg"), "must stay inside"),
        (row("a.jpg"), "must name the folder"),
        (row(ONE, new="negative"), "another new_label"),
        (row(ONE, mark="maybe"), "must be yes or no"),
    ],
)
def test_a_row_that_cannot_be_used_moves_nothing(crops, capsys, line, message):
    before = contents(crops)
    assert apply(crops, row("Training/Negative/film_1_9.jpg"), line) == 2
    assert message in capsys.readouterr().err
    assert contents(crops) == before


def test_an_unknown_class_is_a_loss_in_words(crops, capsys):
    assert apply(crops, row("Training/Negative/film_1_9.jpg", new="bear")) == 1
    assert "there is no folder of 'bear' beside" in capsys.readouterr().out


def lists(place):
    """DeepMeerkat's lists of the crops, as a spreadsheet on Windows leaves them."""
    for name, split in (("trainingdata.csv", "Training"), ("testingdata.csv", "Testing")):
        found = sorted((place / "crops" / split).rglob("*.jpg"))
        lines = [f"{f.relative_to(place / 'crops')}, {f.parent.name}" for f in found]
        (place / "crops" / name).write_bytes(
            b"\xef\xbb\xbf" + "".join(line.replace("/", "\\") + " \r\n" for line in lines).encode()
        )
    text = crops_settings().replace("format: crops", "format: csv")
    (place / "crops.yaml").write_text(text)


def test_in_lists_one_word_changes_after_a_backup(crops, capsys):
    lists(crops)
    file = crops / "crops/trainingdata.csv"
    before, other = file.read_bytes(), (crops / "crops/testingdata.csv").read_bytes()
    image = "Training/Negative/film_1_9.jpg"
    for _ in "ab":
        assert apply(crops, row(image)) == 0
        assert "1 of 1 marked" in capsys.readouterr().out
    name = image.replace("/", "\\")
    expected = before.replace(f"{name}, Negative ".encode(), f"{name}, Positive ".encode())
    assert expected != before
    assert file.read_bytes() == expected
    assert (crops / "crops/testingdata.csv").read_bytes() == other
    (kept,) = (crops / "out/audit").glob("lists-*/*")
    assert (kept.name, kept.read_bytes()) == (file.name, before)
    read = formats.read("csv", str(crops / "crops"))
    labels = {item.name: read.classes[item.label] for item in read.items}  # pyright: ignore
    assert labels[image] == "positive"


def test_lists_lose_nothing_to_rows_that_do_not_fit(crops, capsys):
    lists(crops)
    before = (crops / "crops/trainingdata.csv").read_bytes()
    image = "Training/Negative/gone.jpg"
    assert apply(crops, row(image), row("Training/Negative/film_2_9.jpg", new="bear")) == 1
    out = capsys.readouterr().out
    assert f"{image}: no list says that it is 'negative'" in out
    assert "no crop belongs to the class 'bear'" in out
    assert (crops / "crops/trainingdata.csv").read_bytes() == before


def test_sources_that_are_only_read_say_what_to_do(crops, capsys):
    import fake_labels

    fake_labels.coco(crops / "set")
    (crops / "crops.yaml").write_text(
        "task: pose\nsource: {format: coco, path: set/labels.json}\noutput: out\n"
    )
    assert apply(crops, row(ONE)) == 2
    err = capsys.readouterr().err
    assert "labels.json" in err and "import-labels" in err


def test_proposals_of_points_are_no_classes(crops, capsys):
    Path(crops, "points.csv").write_text("apply,image,bodypart,x,y,new_x,new_y\n")
    words = ["audit", str(crops / "crops.yaml"), "--apply", str(crops / "points.csv")]
    assert cli.main(words) == 2
    wanted, _, received = capsys.readouterr().err.partition("Received:")
    assert "label, new_label" in wanted and "new_x" in received
    assert next(csv.reader([HEAD]))[0] == "apply"
