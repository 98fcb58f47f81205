"""filter, plot and render: what is made of predictions, their own and DeepLabCut's."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import fake_infos
import fakes
import numpy as np
import pandas as pd
import pytest
from walks import SCORER, walk, write

from beampose.core.settings import experiment
from beampose.formats.deeplabcut import evaluation_writer, prediction_tables, track_writer
from beampose.pipelines import cli
from beampose.pipelines.label import proofreading
from beampose.pipelines.report import trajectories
from beampose.pipelines.results import result_files


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def lab(tmp_path):
    """The file of an lab without a model, and the folder of its predictions."""
    file = tmp_path / "pose.yaml"
    file.write_text("task: pose\nsource: {format: deeplabcut, path: project}\noutput: out\n")
    return file, tmp_path / "out/predictions"


REAL = (
    "m3v1mp4DLC_resnet50_openfieldOct30shuffle1_100000.h5",
    "montblanc_tracks.h5",
    "vid1_camera-1DeepCut_resnet50_TESTAug16shuffle1_5.h5",
    "vid1_camera-1DLC_resnet50_TESTNov4shuffle1_10filtered.csv",
)


@pytest.mark.parametrize("name", REAL)
def test_files_of_deeplabcut_come_back_as_pandas_reads_them(shared_data, tmp_path, name):
    file = shared_data / "dlc-outputs" / name
    read = prediction_tables.read(str(file))
    if file.suffix == ".h5":
        expected = pd.read_hdf(file)
    else:
        expected = pd.read_csv(file, header=[0, 1, 2], index_col=0)
        expected.columns = expected.columns.set_names(["scorer", "bodyparts", "coords"])
    prediction_tables.write(read, tmp_path / "copy")
    found = pd.read_hdf(tmp_path / "copy.h5", key="df_with_missing")
    assert isinstance(found, pd.DataFrame)
    assert isinstance(expected, pd.DataFrame)
    pd.testing.assert_frame_equal(found, expected, check_names=False)
    assert list(found.columns.names) == list(expected.columns.names)
    assert set(found.dtypes) == {np.dtype(np.float64)}
    again = prediction_tables.read(str(tmp_path / "copy.csv"))
    np.testing.assert_allclose(again.values, read.values, atol=1e-9)
    assert again.points == read.points


def test_the_verb_writes_deeplabcuts_files_for_sampled_frames_too(lab, rng, capsys):
    file, predictions = lab
    frames = np.arange(0, 200, 5)
    stem = write(predictions, walk(rng), frames=frames)
    assert cli.main(["filter", str(file), "film.mp4", "other.mp4"]) == 1
    said = capsys.readouterr().out
    assert "1 video, 40 rows" in said
    assert "other.mp4: has no predictions. Run `beampose predict` first." in said
    found = pd.read_hdf(f"{stem}_filtered.h5", key="df_with_missing")
    assert found.index.tolist() == frames.tolist()
    assert found.columns.names == ["scorer", "bodyparts", "coords"]
    assert found.columns.get_level_values("scorer").unique() == [SCORER]
    told = json.loads((predictions / f"film{SCORER}_filtered.json").read_text())
    assert told["filter"]["method"] == "median"


def test_tracks_that_deeplabcut_left_beside_a_film_need_no_source(tmp_path, rng, capsys):
    file, film = tmp_path / "c.yaml", tmp_path / "film.mp4"
    file.write_text("task: pose\noutput: out\n")
    film.write_bytes(b"x")
    names = track_writer.Names("DLC_dlcrnetms5_fliesMay2shuffle1_5000", ["nose", "tail"])
    tracks = track_writer.table(rng.uniform(10, 90, (40, 2, 2, 3)), ["a", "b"], names)
    stem = f"{tmp_path}/film{names.scorer}"
    track_writer.write(tracks, stem)
    for verb, words in (("filter", []), ("plot", ["--filtered"])):
        assert cli.main([verb, str(file), str(film), *words]) == 0
    found = pd.read_hdf(f"{stem}_el_filtered.h5", key="df_with_missing")
    assert list(found.columns) == list(tracks.columns)
    assert (tmp_path / "out/predictions/plot-poses/film/plot_b_filtered.png").is_file()
    track_writer.write(tracks, stem, method="box")
    assert cli.main(["filter", str(file), str(film)]) == 1
    said = capsys.readouterr().out
    assert f"several scorers: {stem}_bx, {stem}_el. Name the file of one." in said
    assert cli.main(["filter", str(file), f"{stem}_bx.h5"]) == 0


def test_filtered_files_of_older_predictions_are_refused(lab, rng, capsys):
    file, predictions = lab
    stem = write(predictions, walk(rng))
    assert cli.main(["plot", str(file), f"{stem}.h5", "--filtered"]) == 1
    assert "Run `beampose filter` first" in capsys.readouterr().out
    assert cli.main(["filter", str(file), f"{stem}.h5"]) == 0
    assert cli.main(["plot", str(file), f"{stem}.h5", "--filtered"]) == 0
    write(predictions, walk(rng))
    assert cli.main(["plot", str(file), f"{stem}.csv", "--filtered"]) == 1
    assert "was predicted again" in capsys.readouterr().out


def test_plots_are_drawn_of_every_kind_and_of_films_without_a_sure_point(lab, rng):
    file, predictions = lab
    values = walk(rng)
    write(predictions, values)
    values[..., 2] = 0.1
    write(predictions, values, "dark")
    assert cli.main(["plot", str(file), "film.mp4", "dark.mp4"]) == 0
    for name in ("film", "dark"):
        found = {f.name for f in (predictions / "plot-poses" / name).iterdir()}
        kinds = {f"{plot}.{kind}" for plot in trajectories.PLOTS for kind in ("png", "svg")}
        assert found == {*kinds, "film.json"}
        for one in (predictions / "plot-poses" / name).glob("*.svg"):
            assert "nose" in one.read_text()


def test_thinned_lines_keep_every_peak_and_long_gaps(rng):
    values = rng.normal(size=20_000)
    values[7_777], values[12_000:13_000] = 50, np.nan
    x, y = trajectories.thinned(np.arange(20_000) * 5, values)
    assert len(x) <= 2 * trajectories.BINS + 2
    assert (np.diff(x) >= 0).all()
    assert y[x == 7_777 * 5] == 50
    assert np.isnan(y[(x > 60_100) & (x < 64_900)]).all()
    assert np.nanmin(y) == np.nanmin(values)


def test_filter_and_plot_run_without_tensorflow_and_beam(lab, rng):
    file, folder = lab
    write(folder, walk(rng))
    code = (
        "import sys; from beampose.pipelines import cli; "
        f"assert cli.main(['filter', {str(file)!r}, 'film.mp4']) == 0; "
        f"assert cli.main(['plot', {str(file)!r}, 'film.mp4', '--filtered']) == 0; "
        "print([name for name in ('tensorflow', 'keras', 'apache_beam') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.endswith("[]\n"), ran.stdout + ran.stderr


def test_an_evaluation_is_laid_out_as_deeplabcuts(tmp_path, rng):
    (tmp_path / "project").mkdir()
    (tmp_path / "project/config.yaml").write_text("Task: spots\niteration: 2\n")
    truth = rng.uniform(0, 90, (5, 1, 2, 2))
    truth[3, 0, 1] = np.nan
    predicted = np.concatenate([truth[:, 0] + [3, 4], np.full((5, 2, 1), 0.9)], axis=-1)
    predicted[4, :, :2] += [3, 4]
    predicted[4, 0, 2] = 0.1
    settings = experiment.from_dict(
        experiment.Config,
        {
            "task": "pose",
            "source": {"format": "deeplabcut", "path": str(tmp_path / "project")},
            "output": str(tmp_path / "out"),
        },
    )
    result = evaluation_writer.Judged(
        images=[f"labeled-data/a/img{i}.png" for i in range(5)],
        train=np.arange(5) < 4,
        bodyparts=["nose", "tail"],
        predicted=predicted,
        errors=np.linalg.norm(predicted[..., :2] - truth[:, 0], axis=-1),
    )
    info = fake_infos.model(dlc_scorer=SCORER)
    place = evaluation_writer.write(result, settings, info, tmp_path)
    assert place is not None
    parts = ("evaluation-results", "iteration-2", "spotsJan1-trainset80shuffle1")
    assert str(place) == str(tmp_path.joinpath(*parts))
    found = pd.read_hdf(str(place / f"{SCORER}-snapshot-30.h5"), key="df_with_missing")
    assert found.index[0] == ("labeled-data", "a", "img0.png")
    np.testing.assert_allclose(found.to_numpy(), predicted.reshape(5, -1))
    row = pd.read_csv(str(place / f"{SCORER}-results.csv"), index_col=0).iloc[0]
    assert row.to_dict() == {
        "Training iterations:": 30,
        "%Training dataset": 80,
        "Shuffle number": 1,
        " Train error(px)": 5.0,
        " Test error(px)": 10.0,
        "p-cutoff used": 0.6,
        "Train error with p-cutoff": 5.0,
        "Test error with p-cutoff": 10.0,
    }
    several = result._replace(errors=result.errors[:, None])
    assert evaluation_writer.write(several, settings, info, place) is None


def test_the_documents_sections_are_settings(tmp_path):
    text = (Path(__file__).parents[2] / "docs/results.md").read_text(encoding="utf-8")
    sections = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert len(sections) == 2
    (tmp_path / "c.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: x}\noutput: o\n" + "".join(sections)
    )
    assert experiment.load(tmp_path / "c.yaml").filter.fill == 10


def test_results_in_a_bucket_are_read_and_written_there(buckets, tmp_path, rng):
    file = tmp_path / "pose.yaml"
    file.write_text("task: pose\nsource: {format: deeplabcut, path: x}\noutput: gs://lab/out\n")
    write("gs://lab/out/predictions", walk(rng))
    assert cli.main(["filter", str(file), "film.mp4"]) == 0
    assert cli.main(["plot", str(file), "film.mp4", "--filtered"]) == 0
    found = prediction_tables.read(f"gs://lab/out/predictions/film{SCORER}_filtered.csv")
    assert found.values.shape == (40, 2, 3)
    plot = buckets.get("gs://lab/out/predictions/plot-poses/film/plot_filtered.png")
    assert plot.startswith(b"\x89PNG")


@pytest.mark.parametrize("ending", ["", "_filtered", "_el", "_el_filtered", "_el_tr", "_sk_tr"])
def test_all_that_deeplabcut_made_within_a_crop_counts_from_it(tmp_path, ending):
    stem = tmp_path / "filmDLC_dlcrnetms5_herdJan1shuffle1_500"
    data = {"cropping": True, "cropping_parameters": [100, 220, 50, 200]}
    Path(f"{stem}_meta.pickle").write_bytes(pickle.dumps({"data": data}))

    assert result_files.offset(result_files.Found("film", f"{stem}{ending}")) == (100, 50)
    assert result_files.offset(result_files.Found("film", f"{stem}_elk")) == (0, 0)


def test_predictions_of_a_superanimal_beside_a_film_are_found_and_pickles_are_told(
    tmp_path, rng, capsys
):
    film = fakes.video(tmp_path / "film.mp4", "libx264", 30)
    (tmp_path / "e.yaml").write_text("task: pose\noutput: out\n")
    pickled = tmp_path / "filmDLC_x_el.pickle"
    pickled.write_bytes(pickle.dumps({"header": 1}))
    assert cli.main(["filter", str(tmp_path / "e.yaml"), str(pickled)]) == 1
    assert "is a pickle, no film and no table: name the .h5" in capsys.readouterr().out
    stem = write(tmp_path, walk(rng, rows=30))
    theirs = tmp_path / "film_superanimal_quadruped_hrnet_w32_fasterrcnn_resnet50_fpn_v2_"
    for ending in (".h5", ".csv"):
        Path(f"{stem}{ending}").rename(f"{theirs}{ending}")
    assert cli.main(["render", str(tmp_path / "e.yaml"), film]) == 0
    assert f"{theirs.name}_labeled.mp4" in capsys.readouterr().out


def test_predictions_that_deeplabcut_left_as_csv_alone_are_found(tmp_path, rng, capsys):
    fakes.video(tmp_path / "film.mp4", "libx264", 30)
    stem = write(tmp_path, walk(rng, rows=30))
    Path(f"{stem}.h5").unlink()
    Path(f"{stem}_skeleton.csv").write_text("scorer,a\n")
    Path(f"{stem}_notes.csv").write_text("what,else\n")
    (tmp_path / "e.yaml").write_text("task: pose\noutput: out\n")
    assert cli.main(["filter", str(tmp_path / "e.yaml"), str(tmp_path / "film.mp4")]) == 0
    assert f"{SCORER}_filtered.h5" in capsys.readouterr().out


@pytest.mark.parametrize("rows, said", [(30, ""), (20, "end with number 19"), (31, "number 30")])
def test_tables_of_another_length_than_the_film_are_told(tmp_path, rng, caplog, rows, said):
    stem = write(tmp_path, walk(rng, rows=rows))
    one = result_files.Found("film", stem)
    table = prediction_tables.read(one.table())
    try:
        result_files.check_frames(one, table, 30)
    except ValueError as error:
        assert rows > 30 and said in str(error)
    else:
        assert said in caplog.text and bool(said) == bool(caplog.text)


def test_filtering_and_proofreading_say_that_a_table_ends_before_its_film(tmp_path, rng, caplog):
    film = fakes.video(tmp_path / "film.mp4", "libx264", 30)
    stem = write(tmp_path, walk(rng, rows=20))
    (tmp_path / "e.yaml").write_text("task: pose\noutput: out\n")
    found = result_files.Found("film", stem, video=film)
    for rows, said in ((20, "predictions end with number 19"), (31, "up to number 30: they are")):
        write(tmp_path, walk(rng, rows=rows))
        assert cli.main(["filter", str(tmp_path / "e.yaml"), film]) == 0
        assert f"NOTE {film}: has 30 frames" in caplog.text and said in caplog.text
        assert said in proofreading.Proofread(found).note
