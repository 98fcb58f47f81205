"""Columns that say whether a bodypart can be seen: Lightning Pose's `visible`, and `occluded`."""

import fakes
import numpy as np
import pytest

from beampose import formats
from beampose.formats.deeplabcut import visibility
from beampose.formats.deeplabcut.columns import Column

NAMES = ["labeled-data/cam1/img0.png", "labeled-data/cam1/img1.png"]


def columns(coord="visible"):
    return [Column("Ann", "", part, axis) for part in ("nose", "ear") for axis in ("x", "y", coord)]


def applied(rows, coord="visible"):
    values, said = visibility.apply(columns(coord), np.array(rows, float))
    return values[:, [0, 1, 3, 4]].tolist(), said


def test_of_cocos_numbers_0_is_not_labeled_and_1_is_a_label():
    found, said = applied([[3, 4, 2, 5, 6, 1], [3, 4, 0, 5, 6, 2]])
    np.testing.assert_equal(found, [[3, 4, 5, 6], [np.nan, np.nan, 5, 6]])
    assert said == [
        "1 point has the visibility 0: taken as not labeled",
        "1 point is placed but hidden; used all the same",
    ]


def test_of_yes_and_no_what_is_placed_stays_a_label():
    found, said = applied([[3, 4, 1, 5, 6, 0], [3, 4, 1, 0, 0, 0]])
    np.testing.assert_equal(found, [[3, 4, 5, 6], [3, 4, np.nan, np.nan]])
    assert len(said) == 2


def test_occluded_points_are_labels_and_counted():
    found, said = applied([[3, 4, 1, 5, 6, 0]], "Occluded")
    assert (found, said) == ([[3, 4, 5, 6]], ["1 point is placed but hidden; used all the same"])


def test_other_numbers_and_other_columns_are_told():
    assert "found: 7" in applied([[3, 4, 7, 5, 6, 0]])[1][0]
    assert applied([[3, 4, 0.9, 5, 6, 0.8]], "likelihood")[1] == [
        "has columns 'likelihood', as predictions do: its points are used as labels, "
        "whoever placed them"
    ]


@pytest.mark.parametrize("words", [("0", "1", "2"), ("FALSE", "True", "1")])
def test_a_label_file_with_visibility_is_read(tmp_path, words):
    root = fakes.project(tmp_path, rows=2)
    lines = fakes.csv_text(NAMES, fakes.points(2) + 1).splitlines()
    first, second, third = words
    heads = ["Ann", "nose", "visible"]
    lines[:3] = [f"{line},{head}" for line, head in zip(lines, heads, strict=False)]
    lines[3:] = [f"{lines[3]},{first}", f"{lines[4]},{third}"]
    file = root / f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"
    file.write_text("\n".join(lines) + "\n")
    labels = formats.read("deeplabcut", str(root))
    assert np.isnan(labels.keypoints[0, 0, 0]).all() == (first == "0")
    assert np.isfinite(labels.keypoints[1, 0, 0]).all()
    assert not [p for p in labels.problems if p.level == "error"]
