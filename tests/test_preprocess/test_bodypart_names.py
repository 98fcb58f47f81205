"""Labels come into a project whose bodyparts have other names, another order, or are more."""

import fakes
import numpy as np
import pandas as pd
import pytest

from beampose import formats
from beampose.pipelines import cli
from beampose.preprocess import bodypart_names


@pytest.fixture
def labels(tmp_path):
    return formats.read("deeplabcut", str(fakes.project(tmp_path / "lab")))


def test_renamed_bodyparts_keep_their_points_and_edges(labels):
    found = bodypart_names.renamed(labels, {"nose": "snout"})
    assert found.bodyparts == ("snout", "ear", "tail") and found.edges == (("snout", "ear"),)
    np.testing.assert_equal(found.keypoints, labels.keypoints)


def test_two_bodyparts_become_one_only_where_no_image_has_both(labels):
    with pytest.raises(ValueError, match="two points that would be 'nose'"):
        bodypart_names.renamed(labels, {"ear": "nose"})
    apart = labels.items[1:2]
    apart[0].keypoints[0, 2] = np.nan
    object.__setattr__(labels, "items", apart)
    found = bodypart_names.renamed(labels, {"tail": "ear", "ear": "nose"})
    assert found.bodyparts == ("nose", "ear")
    with pytest.raises(ValueError, match="no bodypart 'leg'"):
        bodypart_names.renamed(labels, {"leg": "foot"})


def test_labels_come_into_a_project_of_more_bodyparts_in_its_order(tmp_path, capsys):
    config = {"bodyparts": ["tail", "snout", "ear", "paw"], "skeleton": []}
    to = fakes.project(tmp_path / "to", video="cam9", rows=1, config=config)
    (to / "labeled-data/cam9").rename(tmp_path / "gone")
    source = fakes.project(tmp_path / "lab")
    words = ["import-labels", str(source), "--to", str(to)]
    assert cli.main(words) == 2
    assert "--rename OLD=NEW" in capsys.readouterr().err
    assert cli.main([*words, "--rename", "nose=snout"]) == 0
    assert "'paw' is not labeled here" in capsys.readouterr().out
    table = pd.read_hdf(to / f"labeled-data/cam1/CollectedData_{fakes.SCORER}.h5")
    assert [*dict.fromkeys(table.columns.get_level_values(1))] == config["bodyparts"]
    np.testing.assert_equal(table.to_numpy()[:, 2:4], fakes.points()[:, 0])
    assert np.isnan(table.to_numpy()[:, 6:]).all()


@pytest.mark.parametrize("word", ["nose", "nose=", "=a", "a=b=c", "a=b,a=c"])
def test_what_names_no_two_names_is_refused(word, capsys):
    with pytest.raises(SystemExit):
        cli.main(["import-labels", "x", "--to", "y", "--rename", word])
    assert "OLD=NEW" in capsys.readouterr().err
