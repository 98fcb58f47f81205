"""Real DeepLabCut projects."""

import numpy as np
import pytest
from reach_project import keypoints

from beampose.formats.deeplabcut import project_labels

REAL = {
    "openfield-Pranav-2018-10-30": (116, 4, 0.0),
    "Reaching-Mackenzie-2018-08-30": (55, 5, 0.15),
    "golden_mouse-shaokai-2022-10-19": (5, 27, None),
}


@pytest.mark.parametrize("name", REAL)
def test_real_projects_have_their_known_labels(shared_data, name):
    frames, bodyparts, missing = REAL[name]
    labels = project_labels.read(str(shared_data / name))
    found = keypoints(labels)
    assert found.shape == (frames, bodyparts, 2)
    assert labels.problems == ()
    if missing is not None:
        assert np.isnan(found).mean() == pytest.approx(missing, abs=0.005)


@pytest.mark.parametrize("name", REAL)
def test_csv_and_h5_of_real_projects_say_the_same(shared_data, name, tmp_path):
    root = shared_data / name
    sides = {}
    for suffix in (".csv", ".h5"):
        copy = tmp_path / suffix[1:]
        for file in [root / "config.yaml", *root.glob(f"labeled-data/*/CollectedData_*{suffix}")]:
            place = copy / file.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
        sides[suffix] = project_labels.read(str(copy))
    names = [[item.name for item in labels.items] for labels in sides.values()]
    assert names[0] == names[1]
    np.testing.assert_allclose(keypoints(sides[".csv"]), keypoints(sides[".h5"]), atol=1e-6)


def test_the_first_real_keypoint_is_the_one_clicked(shared_data):
    item = project_labels.read(str(shared_data / "openfield-Pranav-2018-10-30")).items[0]
    assert item.name == "labeled-data/m4s1/img0000.png"
    np.testing.assert_allclose(item.keypoints[0, 0], [21.521, 265.428], atol=1e-3)
