"""Encodings of DeepLabCut's label files, and how numbers are spelled in them."""

import fakes
import numpy as np
import pytest
from reach_project import CSV, edit, keypoints, whats

from beampose.formats.deeplabcut import project_labels
from beampose.preprocess.labels import ERROR


def test_a_csv_written_on_windows_is_read(root):
    text = (root / CSV).read_text()
    (root / CSV).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert [item.row for item in labels.items] == [4, 5, 6]


def german(text: str) -> str:
    """The text as a German spreadsheet program saves it."""
    rows = [row.split(",") for row in text.splitlines()]
    return "\r\n".join(";".join([r[0], *(c.replace(".", ",") for c in r[1:])]) for r in rows)


@pytest.mark.parametrize("cut", [";", "\t"])
def test_decimal_commas_are_read_where_another_separator_stands(root, cut):
    text = german((root / CSV).read_text()).replace(";", cut)
    (root / CSV).write_text(text)
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


@pytest.mark.parametrize("nothing", ["NA", "N/A", "None", "nan", "NULL", "#N/A", "<NA>", " "])
def test_words_for_no_number_are_not_labeled(root, nothing):
    edit(root, ",,", f",{nothing},{nothing}")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


@pytest.mark.parametrize("odd", ["1_0", "0x10", "1e99999", "1.234,5", "infinity"])
def test_what_only_python_or_nobody_takes_for_a_number_is_none(root, odd):
    edit(root, "11.25", f'"{odd}"')
    (problem,) = project_labels.read(str(root)).problems
    assert f"holds {odd!r}, which is not a number" in problem.what


def letters(root, config: str, csv: str):
    edit(root, "ear", "Öhrchen", "config.yaml")
    edit(root, "ear", "Öhrchen")
    for file, encoding in (("config.yaml", config), (CSV, csv)):
        (root / file).write_bytes((root / file).read_text("utf-8").encode(encoding))
    return project_labels.read(str(root))


@pytest.mark.parametrize("csv", ["utf-8", "utf-8-sig", "utf-16"])
def test_letters_are_read_in_every_encoding_that_says_itself(root, csv):
    labels = letters(root, "utf-8", csv)
    assert labels.bodyparts == ("nose", "Öhrchen", "tail")
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


@pytest.mark.parametrize("csv", ["utf-8", "cp1252"])
def test_a_config_of_windows_vouches_for_its_csv_files(root, csv):
    labels = letters(root, "cp1252", csv)
    assert labels.bodyparts == ("nose", "Öhrchen", "tail")
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert whats(labels) == [
        "is not UTF-8: read as Windows-1252, with the csv files of the project"
    ]


def test_a_csv_of_windows_beside_a_config_in_utf_8_is_refused(root):
    labels = letters(root, "utf-8", "cp1252")
    assert labels.items == ()
    (problem,) = labels.problems
    assert problem.level == ERROR
    assert "is not UTF-8 (line 2 has the byte 0xd6)" in problem.what
