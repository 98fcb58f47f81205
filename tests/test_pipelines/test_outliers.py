"""outliers: from predictions to a project's machine labels, and back as labels of a person."""

import csv

import fakes
import numpy as np
import pandas as pd
import pytest
import yaml

from beampose.core import fingerprints
from beampose.core.settings import experiment
from beampose.formats.deeplabcut import (
    machine_labels,
    prediction_tables,
    prediction_writer,
    project_config,
    project_labels,
)
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines import cli, film_names
from beampose.pipelines.curation import frame_files, outlier_frames, refinement
from beampose.pipelines.results import result_names
from beampose.preprocess import images

SCORER = "DLC_resnet50_spotsJan1shuffle1_30"
PARTS = ("nose", "tail")
WHERE = np.arange(40)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def place(tmp_path):
    """An experiment, a film of 40 frames, its predictions, and a project to be filled."""
    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    text = project_config.create(str(tmp_path / "project"), scorer="me", bodyparts=PARTS)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/config.yaml").write_text(text)
    (tmp_path / "pose.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: project}\noutput: out\n"
        "outliers: {count: 4, epsilon: 5}\n"
    )
    predict(tmp_path, predictions())
    return tmp_path


def predictions(jumps=(9, 10, 20, 21, 30, 35)):
    """Points that move slowly, but in some frames are far away."""
    values = np.full((40, 2, 3), 0.9)
    values[:, 0, :2] = np.stack([20 + 0.5 * WHERE, np.full(40, 10.0)], axis=1)
    values[:, 1, :2] = [50, 30]
    values[list(jumps), 0, 1] += 12
    return values


def predict(place, values, frames=None):
    stem = place / f"out/predictions/film{SCORER}"
    prediction_writer.write(prediction_writer.table(values, SCORER, PARTS, frames), stem)
    return stem


def run(place, *words):
    keys = [word for key in words for word in ("--set", f"outliers.{key}")]
    film, root = str(place / "film.mp4"), str(place / "project")
    return cli.main(["outliers", str(place / "pose.yaml"), film, "--to", root, *keys])


def folder(place):
    return place / "project/labeled-data/film"


def numbers(place):
    return sorted(int(file.stem[3:]) for file in folder(place).glob("img*.png"))


def labels(place):
    found = pd.read_hdf(folder(place) / "machinelabels-iter0.h5", key="df_with_missing")
    assert isinstance(found, pd.DataFrame)
    return found


def test_candidates_are_those_of_the_slow_rules(rng):
    values = rng.normal(0, 10, (60, 3, 3))
    values[..., 2] = rng.random((60, 3))
    values[[7, 8]] = np.nan
    frames = np.arange(60)

    def found(**keys):
        settings = experiment.Outliers(**keys)
        return outlier_frames.suspects(values, settings, count=4, frames=frames).rows.tolist()

    moved = [
        i
        for i in range(1, 60)
        if any(((values[i, j, :2] - values[i - 1, j, :2]) ** 2).sum() > 400 for j in range(3))
    ]
    assert found(method="jump", epsilon=20.0) == moved
    unsure = [i for i in range(60) if any(values[i, j, 2] < 0.1 for j in range(3))]
    assert found(method="uncertain", p_bound=0.1) == unsure
    assert len(found(method="fitting", epsilon=1000.0)) == 8
    assert not {7, 8} & set(found(method="fitting", epsilon=0.0))


def test_fitting_finds_what_the_other_rows_do_not_expect():
    settings = experiment.Outliers(method="fitting", epsilon=4.0)
    found = outlier_frames.suspects(predictions((10, 30)), settings, count=4, frames=WHERE)
    assert found.rows.tolist() == [10, 30]


def test_the_most_extreme_have_no_neighbours():
    score = np.array([0.0, 5, 9, 8, 1, 7, 3])
    found = outlier_frames.Suspects(np.arange(7), score)
    assert outlier_frames.extreme(found, np.arange(7), 3) == [0, 2, 5]
    assert outlier_frames.extreme(found, np.array([1, 3, 6]), 2) == [1, 3]


@pytest.mark.parametrize("pick", ["kmeans", "uniform", "extreme"])
def test_frames_and_machine_labels_land_as_deeplabcut_reads_them(place, pick, capsys):
    assert run(place, f"pick={pick}") == 0
    found = numbers(place)
    assert len(found) == 4
    # The frame of a jump, and the one after it.
    assert set(found) <= {9, 11, 20, 22, 30, 31, 35, 36}
    for number in found:
        picture = images.decode((folder(place) / f"img{number:02d}.png").read_bytes())
        assert fakes.number(picture) == number
    made = labels(place)
    assert made.columns.names == ["scorer", "bodyparts", "coords"]
    assert made.index.tolist() == [("labeled-data", "film", f"img{n:02d}.png") for n in found]
    np.testing.assert_array_equal(made.to_numpy(), predictions()[found].reshape(4, -1))
    assert set(made.dtypes) == {np.dtype(np.float64)}
    with (folder(place) / "machinelabels.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert [row[0] for row in rows[:4]] == ["scorer", "bodyparts", "coords", "labeled-data"]
    told = yaml.safe_load((place / "project/config.yaml").read_text())
    assert str(place / "film.mp4") in told["video_sets"]
    assert "4 of 8 frames by jump" in capsys.readouterr().out


def test_the_same_command_again_adds_nothing_and_a_larger_count_is_merged(place, capsys):
    assert run(place) == 0
    first, rows = numbers(place), labels(place)
    assert run(place) == 0
    assert numbers(place) == first
    assert "raise outliers.count for more" in capsys.readouterr().out
    assert run(place, "count=6") == 0
    merged = labels(place)
    assert len(merged) == 6
    pd.testing.assert_frame_equal(merged.reindex(rows.index), rows)


def test_where_nothing_is_found_it_says_what_would_find_something(place, capsys):
    assert run(place, "epsilon=50") == 0
    said = capsys.readouterr().out
    assert "0 of 0 frames by jump" in said and "outliers.epsilon (50 px): lower it" in said
    assert run(place, "method=uncertain") == 0
    assert "outliers.p_bound (0.01): raise it" in capsys.readouterr().out
    assert run(place, "method=fitting") == 0 and numbers(place)


def test_a_killed_run_is_completed(place, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(frame_files, "write", killed)
    assert run(place) == 130
    assert not numbers(place)
    monkeypatch.undo()
    assert run(place) == 0
    assert len(numbers(place)) == 4
    assert len(labels(place)) == 4


def test_a_frame_that_cannot_be_decoded_has_no_label(place, monkeypatch, capsys):
    write = frame_files.write
    monkeypatch.setattr(frame_files, "write", lambda s, n, f: n != 20 and write(s, n, f))
    assert run(place, "count=8") == 0
    assert "img20.png cannot be decoded" in capsys.readouterr().out
    assert 20 not in numbers(place)
    assert ("labeled-data", "film", "img20.png") not in labels(place).index


def correct(place):
    """Corrects as a person does in a tool: machine labels, moved, under the person's name."""
    made = labels(place).drop(columns="likelihood", level="coords") + 1.0
    made = made.rename(columns={SCORER: "me"}, level="scorer")
    stem = folder(place) / "CollectedData_me"
    made.to_hdf(stem.with_suffix(".h5"), key="df_with_missing", mode="w")
    made.to_csv(stem.with_suffix(".csv"))
    return made


def test_corrected_labels_are_labels_and_stay_as_they_are(place):
    assert run(place) == 0
    corrected = correct(place)
    kept = {f.name: f.read_bytes() for f in folder(place).glob("CollectedData*")}
    pixels = {f.name: f.read_bytes() for f in folder(place).glob("img*.png")}
    found = project_labels.read(str(place / "project"))
    assert not found.problems
    assert [frame.name.split("/")[-1] for frame in found.items] == sorted(pixels)
    told = np.stack([frame.keypoints[0] for frame in found.items])  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(told.reshape(4, -1), corrected.to_numpy())
    # Another model is as bad: more frames, and what a person labeled is none of them.
    assert run(place) == 0
    assert len(numbers(place)) == 8
    assert {f.name: f.read_bytes() for f in folder(place).glob("CollectedData*")} == kept
    # The store knows images by their pixels: those that are as they were are not embedded again.
    assert all((folder(place) / name).read_bytes() == data for name, data in pixels.items())
    assert len(labels(place)) == 8


def test_labels_of_any_scorer_and_in_any_form_are_respected(place):
    folder(place).mkdir(parents=True)
    names = [f"labeled-data/film/img{n:02d}.png,1,2,3,4" for n in (9, 11)]
    (folder(place) / "CollectedData_other.csv").write_text(
        "\n".join(["scorer,o,o,o,o", "bodyparts,nose,nose,tail,tail", "coords,x,y,x,y", *names])
    )
    assert run(place, "count=20") == 0
    assert numbers(place) == [20, 22, 30, 31, 35, 36]
    assert [name for *_, name in labels(place).index] == [f"img{n}.png" for n in numbers(place)]


def test_a_cropped_folder_gets_crops_and_shifted_labels(place):
    film = str(place / "film.mp4")
    words = ["--to", str(place / "project"), "--crop", "8,72,4,44", "--count", "1"]
    assert cli.main(["extract-frames", film, *words, "--method", "uniform"]) == 0
    (had,) = numbers(place)
    assert run(place, "count=2", "pick=extreme") == 0
    made = labels(place)
    for (_, _, name), row in made.iterrows():  # pyright: ignore[reportGeneralTypeIssues]
        assert images.decode((folder(place) / name).read_bytes()).shape == (40, 64, 3)
        expected = predictions()[int(name[3:5])] - [8, 4, 0]
        np.testing.assert_allclose(row.to_numpy().reshape(2, 3), expected)
    assert had in numbers(place)


def test_disagreement_of_heads_and_sampled_frames(place, capsys):
    frames = np.arange(0, 40, 5)
    stem = predict(place, predictions()[::5], frames)
    assert run(place, "method=spread") == 1
    assert "a model of several heads" in capsys.readouterr().out
    spread = pd.DataFrame(np.ones((8, 2)), columns=list(PARTS), index=frames)
    spread.loc[15, "tail"] = 9
    spread.to_csv(f"{stem}_spread.csv", index_label="frame")
    assert run(place, "method=spread") == 0
    assert numbers(place) == [15]
    assert run(place, "method=spread", "bodyparts=[nose]", "count=3", "epsilon=50") == 0
    assert len(numbers(place)) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: (p / "project/config.yaml").unlink(), "No DeepLabCut project"),
        (lambda p: (p / "film.mp4").unlink(), "there is no such file"),
        (lambda p: predict(p, predictions(), WHERE + 9), "its predictions have others"),
        (
            lambda p: (p / "project/config.yaml").write_text("bodyparts: [nose]\n"),
            "which config.yaml does not name",
        ),
    ],
)
def test_mistakes_get_a_sentence(place, change, message, capsys):
    change(place)
    assert run(place) in (1, 2)
    said = capsys.readouterr()
    assert message in said.out + said.err
    assert not folder(place).exists()


def test_machine_labels_of_other_bodyparts_are_not_mixed(place, capsys):
    assert run(place) == 0
    file = str(folder(place) / "machinelabels-iter0.h5")
    made = {"img01.png": np.ones((1, 3))}
    machine_labels.write(file, made, [("", "nose")], SCORER)
    assert run(place, "count=9") == 1
    assert "has other bodyparts" in capsys.readouterr().out


def test_predictions_are_named_by_video(place):
    settings = experiment.load(place / "pose.yaml")
    file = str(place / f"out/predictions/film{SCORER}.h5")
    ((_, why),) = refinement.run(settings, [file], str(place / "project"))[1]
    assert "Name the video" in why


def test_a_film_that_was_renamed_is_told_once_by_predictions_and_project(place, caplog):
    film, config = place / "film.mp4", experiment.load(place / "pose.yaml", labels=False)
    code = fingerprints.of_file(str(film))
    folder(place).mkdir(parents=True)
    film_names.record(folder(place), film_names.Film("film", str(film), code))
    known = [("film", film_names.Owner(str(film), code))]
    film.rename(place / "new.mp4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(result_names.Predictions, "everything", lambda self: iter(known))
        refinement.run(config, [str(place / "new.mp4")], str(place / "project"))
    assert caplog.text.count("when film was made of it, and is called so still") == 1


def test_individuals_that_the_project_does_not_name_are_refused(tmp_path):
    """As bodyparts are: a person would correct what is thrown away."""
    points = np.full((2, 3, 4, 2), 11.5)
    root = fakes.animals(tmp_path / "herd", points)
    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    text = (root / "config.yaml").read_text()
    assert project_config.individuals(text) == yaml.safe_load(text)["individuals"]
    table = Table("film.h5", "DLC_x", (("stranger", "nose"),), WHERE, np.ones((40, 1, 3)))
    prediction_tables.write(table, str(tmp_path / "filmDLC_x"))
    (tmp_path / "pose.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: herd}\noutput: out\n"
    )
    config = experiment.load(tmp_path / "pose.yaml")
    done, failures = refinement.run(config, [str(tmp_path / "film.mp4")], str(root))
    assert not done and "individual 'stranger'" in failures[0][1]
    assert str(root) in failures[0][1]
