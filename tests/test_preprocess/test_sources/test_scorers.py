import fakes
import numpy as np
import pytest

from beampose import formats
from beampose.preprocess.labels import WARNING

NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]


@pytest.fixture
def root(tmp_path):
    """Ann labeled three frames; Bob two of them, 3 and 4 px away, and an ear she did not."""
    root = fakes.project(tmp_path / "reach-Ann")
    moved = fakes.points()[:2] + [3, 4]
    moved[1, 1] = [7, 8]
    moved[0, 2] = np.nan
    text = fakes.csv_text(NAMES[:2], moved, scorer="Bob")
    (root / "labeled-data/cam1/CollectedData_Bob.csv").write_text(text)
    return root


def test_the_mean_of_those_who_labeled_a_point_counts(root):
    labels = formats.read("deeplabcut", str(root), scorer=["Ann", "Bob"])
    own = fakes.points()
    wanted = own.copy()
    wanted[:2] += [1.5, 2]
    wanted[0, 2] = own[0, 2]
    wanted[1, 1] = [7, 8]
    np.testing.assert_allclose([item.keypoints[0] for item in labels.items], wanted)
    assert labels.scorer == "Ann-Bob"


@pytest.mark.parametrize(("order", "shift"), [(["Ann", "Bob"], 0), (["Bob", "Ann"], 1)])
def test_the_first_who_labeled_a_point_counts(root, order, shift):
    labels = formats.read("deeplabcut", str(root), scorer=order, combine="first")
    items = {item.name: item.keypoints[0] for item in labels.items}
    np.testing.assert_array_equal(
        items[NAMES[0]][0], fakes.points()[0, 0] + np.array([3, 4]) * shift
    )
    np.testing.assert_array_equal(items[NAMES[0]][2], fakes.points()[0, 2])
    np.testing.assert_array_equal(items[NAMES[1]][1], [7, 8])
    assert len(items) == 3


def test_how_far_they_differ_is_told(root):
    labels = formats.read("deeplabcut", str(root), scorer=["Ann", "Bob"])
    (problem,) = labels.problems
    assert problem.level == WARNING
    assert problem.what.startswith("Ann, Bob labeled 4 points twice: they differ by 5.00 px")


def test_a_folder_only_one_of_them_labeled_is_no_error(root):
    fakes.project(root, video="cam2")
    (root / "labeled-data/cam2/CollectedData_Ann.csv").rename(
        root / "labeled-data/cam2/CollectedData_Bob.csv"
    )
    labels = formats.read("deeplabcut", str(root), scorer=["Ann", "Bob"])
    assert {item.video for item in labels.items} == {"cam1", "cam2"}
    assert {problem.level for problem in labels.problems} == {WARNING}


def test_who_labeled_nothing_at_all_is_told(root):
    labels = formats.read("deeplabcut", str(root), scorer=["Ann"])
    assert "no point was labeled by two of Ann" in labels.problems[-1].what


def test_a_scorer_named_twice_is_refused(root):
    with pytest.raises(ValueError, match="must be different names"):
        formats.read("deeplabcut", str(root), scorer=["Ann", "Ann"])


def test_other_formats_have_no_scorers(tmp_path):
    with pytest.raises(ValueError, match="source.scorer does not apply"):
        formats.read("coco", str(tmp_path), scorer="Ann")
