"""DeepLabCut projects of several animals, made up and real."""

import fakes
import numpy as np
import pytest
import yaml

from beampose.formats.deeplabcut import project_labels
from beampose.preprocess.labels import ERROR, SINGLE

CSV = f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"


def truth():
    """Three frames: both animals; bob without his ear; no animal, only the door."""
    found = np.full((3, 3, 4, 2), np.nan)
    found[:, 2, 3] = 50.5, 3.25
    for i in (0, 1):
        found[:2, i, :3] = fakes.points(2) + 4 * i
    found[1, 1, 1] = np.nan
    return found


def read(labels):
    return np.stack([item.keypoints for item in labels.items])


@pytest.mark.parametrize("first", [False, True])
def test_individuals_and_unique_bodyparts_are_found_by_name(tmp_path, first):
    labels = project_labels.read(str(fakes.animals(tmp_path, truth(), first=first)))
    assert labels.individuals == ("ann", "bob", SINGLE)
    assert labels.bodyparts == (*fakes.BODYPARTS, "door")
    assert labels.unique_bodyparts == ("door",)
    np.testing.assert_array_equal(read(labels), truth())
    assert labels.problems == ()


def test_a_choice_of_bodyparts_may_leave_out_the_unique_ones(tmp_path):
    root = fakes.animals(tmp_path, truth())
    labels = project_labels.read(str(root), bodyparts=["tail", "nose"])
    assert (labels.individuals, labels.unique_bodyparts) == (("ann", "bob"), ())
    np.testing.assert_array_equal(read(labels), truth()[:, :2, [2, 0]])
    kept = project_labels.read(str(root), bodyparts=["door", "nose"])
    assert (kept.individuals[-1], kept.unique_bodyparts) == (SINGLE, ("door",))


def test_unique_bodyparts_alone_are_a_scene_without_animals(tmp_path):
    root = fakes.animals(tmp_path, truth())
    alone = project_labels.read(str(root), bodyparts=["door"])
    assert (alone.individuals, alone.bodyparts) == ((SINGLE,), ("door",))
    np.testing.assert_array_equal(read(alone), truth()[:, 2:, 3:])
    config = root / "config.yaml"
    values = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(values | {"multianimalbodyparts": []}))
    assert project_labels.read(str(root)).bodyparts == ("door",)


def test_h5_and_csv_say_the_same(tmp_path):
    import pandas as pd

    root = fakes.animals(tmp_path, truth())
    frame = pd.read_csv(root / CSV, header=[0, 1, 2, 3], index_col=0)
    frame.columns.names = ["scorer", "individuals", "bodyparts", "coords"]
    frame.to_hdf(root / CSV.replace(".csv", ".h5"), key="df_with_missing", mode="w")
    labels = project_labels.read(str(root))
    assert {item.file.rsplit(".", 1)[1] for item in labels.items} == {"h5"}
    np.testing.assert_array_equal(read(labels), truth())
    assert labels.problems == ()


def test_half_a_point_is_told_with_its_owner(tmp_path):
    points = truth()
    points[0, 1, 2, 1] = np.nan
    labels = project_labels.read(str(fakes.animals(tmp_path, points)))
    assert ["tail of bob has only one" in p.what for p in labels.problems] == [True]
    assert np.isnan(labels.items[0].keypoints[1, 2]).all()  # pyright: ignore[reportAttributeAccessIssue]


def test_an_individual_the_config_does_not_name_is_told(tmp_path):
    root = fakes.animals(tmp_path, truth())
    (root / CSV).write_text((root / CSV).read_text().replace("bob", "eve"))
    what = [p.what for p in project_labels.read(str(root)).problems]
    assert "unknown individual 'eve'" in what[0]
    assert [w for w in what if "bodypart 'ear' of 'bob'" in w]


def test_labels_of_one_animal_in_a_project_of_several_are_refused(tmp_path):
    root = fakes.animals(tmp_path, truth())
    (root / CSV).write_text(fakes.csv_text(["labeled-data/cam1/img0.png"], fakes.points(1)))
    labels = project_labels.read(str(root))
    assert labels.items == ()
    assert [(p.level, "no row of individuals" in p.what) for p in labels.problems] == [
        (ERROR, True)
    ]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("individuals", ["ann", "single"], "names an individual 'single'"),
        ("individuals", ["ann", "ann"], "names an individual twice"),
        ("individuals", None, "must list individuals"),
        ("multianimalbodyparts", ["nose", "door"], "both a unique bodypart and"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(tmp_path, key, value, why):
    import yaml

    root = fakes.animals(tmp_path, truth())
    config = yaml.safe_load((root / "config.yaml").read_text())
    (root / "config.yaml").write_text(yaml.safe_dump({**config, key: value}))
    with pytest.raises(ValueError, match=why):
        project_labels.read(str(root))


@pytest.mark.parametrize(
    ("project", "frames", "shape", "points"),
    [
        ("MontBlanc-Daniel-2019-12-16", 30, (8, 4), 458),
        ("flies-clip-sleap", 40, (2, 13), None),
        ("flies-centeredpair-sleap", 40, (2, 24), None),
    ],
)
def test_real_projects_are_read(shared_data, project, frames, shape, points):
    labels = project_labels.read(str(shared_data / project))
    found = read(labels)
    assert found.shape == (frames, *shape, 2)
    assert points in (None, int(np.isfinite(found[..., 0]).sum()))
    assert [p for p in labels.problems if p.level == ERROR] == []


def test_real_labels_of_five_hundred_frames_are_read(shared_data, tmp_path):
    import yaml

    bodyparts = [f"part{i}" for i in range(12)]
    from beampose.formats import pandas_h5

    data = (shared_data / "dlc-outputs" / "trimouse_calib.h5").read_bytes()
    columns, _, values = pandas_h5.read(data)
    individuals = list(dict.fromkeys(c[1] for c in columns))
    bodyparts = list(dict.fromkeys(c[2] for c in columns))
    config = {
        "Task": "mice",
        "scorer": columns[0][0],
        "multianimalproject": True,
        "bodyparts": "MULTI!",
        "individuals": individuals,
        "multianimalbodyparts": bodyparts,
        "uniquebodyparts": [],
    }
    folder = tmp_path / "labeled-data" / "cam"
    folder.mkdir(parents=True)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / f"CollectedData_{columns[0][0]}.h5").write_bytes(data)
    found = read(project_labels.read(str(tmp_path)))
    assert found.shape == (500, 3, 12, 2)
    assert np.isfinite(found).sum() == np.isfinite(values).sum()


def test_an_animal_of_many_bodyparts_that_a_file_lacks_has_one_line(tmp_path):
    root = fakes.animals(tmp_path, truth())
    config = root / "config.yaml"
    parts = "".join(f"- part{i}\n" for i in range(9))
    config.write_text(config.read_text().replace("- tail\n", f"- tail\n{parts}"))
    config.write_text(config.read_text().replace("- bob\n", "- bob\n- carl\n"))
    what = [p.what for p in project_labels.read(str(root)).problems]
    assert [w for w in what if "carl" in w] == [
        "individual 'carl' of config.yaml has no columns here; taken as not labeled"
    ]
    assert sum("of 'bob' of config.yaml has no columns" in w for w in what) == 9
