"""The public face, `import beampose`, and the page that teaches it."""

import os
import pickle
import pydoc
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fakes
import numpy as np
import pandas as pd
import pytest

import beampose
from beampose.pipelines import cli

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/python.md").read_text(encoding="utf-8")
COLUMNS = ["scorer", "bodyparts", "coords"]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> dict:
    """The names that the code of the page leaves, run in order beside a demo."""
    folder = tmp_path_factory.mktemp("page")
    (command,) = re.findall(r"```bash\n(.*?)```", PAGE, re.S)
    words = [sys.executable, *command.split()[1:]]
    words[1] = str(ROOT / words[1])
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    names: dict = {"folder": folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MPLBACKEND", "Agg")
        for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
            exec(block, names)
    return names


def test_the_page_goes_from_labels_to_a_plotted_trajectory(page):
    assert (page["folder"] / "demo/trajectory.png").stat().st_size > 5000
    assert page["trained"].metrics.test.mean_error_px < 20
    assert np.nanmedian(page["distance"]) < 10
    assert page["report"].file.is_file()


def test_predictions_of_a_video_are_those_of_its_file(page):
    (file,) = (page["folder"] / "demo/runs/python/predictions").glob("walk*.h5")
    found = beampose.load_predictions(file)
    assert found.keypoints.shape == (40, 1, 4, 2)
    assert found.likelihood.shape == (40, 1, 4)
    written = pd.read_hdf(file)
    assert isinstance(written, pd.DataFrame)
    pd.testing.assert_frame_equal(found.to_pandas(), written, check_freq=False)
    np.testing.assert_array_equal(found.keypoints, page["found"].keypoints)


def test_steps_after_predict_take_all_that_was_predicted_where_nothing_is_named(page):
    assert not page["experiment"].config.predict.videos
    (table,) = page["experiment"].filter().files
    assert Path(table).name.startswith("walkDLC")


def test_a_model_answers_frames_as_its_saved_model_does(page):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(Path(page["model"].folder, "saved_model")))
    frames = np.stack(page["images"])
    expected = loaded.signatures["frames"](frames=tf.constant(frames))
    found = page["model"].predict(frames, batch_size=3)
    np.testing.assert_allclose(found.keypoints, expected["keypoints"].numpy(), atol=1e-3)
    np.testing.assert_allclose(found.likelihood, expected["likelihood"].numpy(), atol=1e-4)
    assert (found.bodyparts, found.scorer) == (page["found"].bodyparts, page["found"].scorer)


def test_a_model_takes_images_of_several_sizes_in_order(page):
    model, (one, other, _) = page["model"], page["images"]
    small = one[:160, :200]
    together = model.predict([one, other, small, one])
    alone = [model.predict([image]).keypoints[0] for image in (one, other, small, one)]
    np.testing.assert_allclose(together.keypoints, np.stack(alone), atol=1e-2)
    assert len(model.predict([])) == 0


def test_a_model_predicts_without_beam_pandas_and_video_libraries(page):
    code = f"""
import sys
sys.modules.update(dict.fromkeys(["apache_beam", "pandas", "av", "cv2", "PIL", "h5py"]))
import beampose, numpy as np
model = beampose.load_model({page["model"].folder!r})
print(model.predict(np.zeros((1, 64, 96, 3), np.uint8)).keypoints.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 1, 4, 2)"


@pytest.mark.parametrize(
    "frames", [np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8), np.uint8), np.zeros((2, 0, 8, 3), "u1")]
)
def test_a_model_says_which_frames_it_takes(page, frames):
    with pytest.raises(ValueError, match=r"must be uint8 .*Received: image 0 is"):
        page["model"].predict(frames)


def test_a_model_says_what_else_it_takes(page):
    model = page["model"]
    film = Path(page["folder"], page["video"])
    with pytest.raises(ValueError, match=r"predict_video a film\. Received: .*walk\.mp4"):
        model.predict(film)
    for size in (0, 2.5, "2"):
        with pytest.raises(ValueError, match="batch_size must be a whole number of 1 or more"):
            model.predict(page["images"], batch_size=size)
        with pytest.raises(ValueError, match="batch_size must be a whole number of 1 or more"):
            model.predict_video(film, batch_size=size)
    assert model.predict([]).to_pandas().shape == (0, 12)
    assert model.predict([])._repr_html_().startswith("<table")


def test_a_loaded_model_stays_what_it_is_and_goes_to_other_processes(page, tmp_path):
    folder, film = tmp_path / "model", Path(page["folder"], page["video"])
    shutil.copytree(page["trained"].model, folder)
    model = beampose.load_model(folder)
    # As a training that puts another model into its place does.
    other = pickle.loads(pickle.dumps(model))
    folder.rename(tmp_path / "before")
    for one in (model, other):
        found = one.predict_video(film, stop=2)
        np.testing.assert_array_equal(found.keypoints, page["walked"].keypoints[:2])


def test_a_model_of_a_relative_path_stays_the_same_from_another_folder(page, tmp_path, monkeypatch):
    shutil.copytree(page["trained"].model, tmp_path / "A/model")
    shutil.copytree(page["trained"].model, tmp_path / "B/model")
    monkeypatch.chdir(tmp_path / "A")
    model = beampose.load_model("model")
    monkeypatch.chdir(tmp_path / "B")
    sent = pickle.dumps(model)
    assert pickle.loads(sent).folder == model.folder == str(tmp_path / "A/model")
    info = tmp_path / "A/model/info.json"
    info.write_text(info.read_text().replace(model._info.digest, "0" * 64))
    with pytest.raises(
        ValueError, match="A/model holds another model than the one that was loaded"
    ):
        pickle.loads(sent)


def test_a_model_says_where_one_image_or_no_frame_is_asked_for(page):
    from PIL import Image

    model, film = page["model"], Path(page["folder"], page["video"])
    one = page["images"][0]
    for image in (one, one[..., 0], Image.fromarray(one)):
        with pytest.raises(ValueError, match=r"this is one, .* put it into a list"):
            model.predict(image)
    for name, value in (("start", 1.0), ("start", -1), ("stop", -1), ("every", 0), ("every", None)):
        with pytest.raises(ValueError, match=f"{name} must be a whole number of . or more"):
            model.predict_video(film, **{name: value})
    assert model.predict_video(os.fsencode(film), start=np.int64(1), stop=3).frames.tolist() == [
        1,
        2,
    ]


def test_paths_may_be_bytes_and_are_never_empty(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("task: pose\nsource: {format: coco, path: a}\noutput: runs\n")
    source = {"format": "coco", "path": os.fsencode(tmp_path)}
    assert beampose.Experiment(os.fsencode(file), source=source).config.source.path == str(tmp_path)
    for read in (
        beampose.load_labels,
        beampose.load_predictions,
        beampose.load_model,
        beampose.load_calibration,
        beampose.load_points,
        beampose.Experiment,
        beampose.Experiment(file).predict,
    ):
        with pytest.raises(ValueError, match="The path is empty: name"):
            read("")
        with pytest.raises(FileNotFoundError, match="does not exist|No "):
            read(b"nothing")  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match="by a path .*, several by an argument each"):
            read(["a.mp4"])  # pyright: ignore[reportArgumentType]


def test_settings_may_be_numbers_and_lists_of_numpy_and_any_letters(tmp_path):
    own = {
        "train": {"steps": np.int64(30), "learning_rate": np.float32(0.5)},
        "source": {"format": "deeplabcut", "path": tmp_path, "bodyparts": np.array(["b", "a"])},
        "predict": {"videos": pd.Index(["\N{MOUSE FACE}.mp4"])},
    }
    (tmp_path / "a.yaml").write_text("task: pose\nsource: {format: coco, path: a}\noutput: runs\n")
    for config in (
        beampose.Experiment(task="pose", output="runs", **own).config,
        beampose.Experiment(tmp_path / "a.yaml", **own).config,
    ):
        assert (config.train.steps, config.train.learning_rate) == (30, 0.5)
        assert config.source.bodyparts == ["b", "a"]
        assert Path(config.predict.videos[0]).name == "\N{MOUSE FACE}.mp4"


def test_results_show_themselves_in_a_notebook(page):
    shown = ("labels", "experiment", "checked", "trained", "evaluated", "predicted", "found")
    for name in (*shown, "model", "report"):
        html = page[name]._repr_html_()
        assert html.startswith("<"), name
    assert "mean_error_px" in page["trained"]._repr_html_()
    assert "report.html" in page["report"]._repr_html_()
    assert "walk.mp4" in page["predicted"]._repr_html_()
    assert repr(page["trained"]).startswith("train: test error")


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["check", "{none}.yaml"], lambda one: beampose.Experiment("{none}.yaml".format(**one))),
        (
            ["check", "{file}", "--set", "train.stepz=3"],
            lambda one: beampose.Experiment(one["file"], train={"stepz": 3}),
        ),
        (
            ["check", "{file}", "--set", "train.steps=-1"],
            lambda one: beampose.Experiment(one["file"], train={"steps": -1}),
        ),
        (["features", "{file}"], lambda one: beampose.Experiment(one["file"]).features()),
        (["train", "{file}"], lambda one: beampose.Experiment(one["file"]).train()),
        (["evaluate", "{file}"], lambda one: beampose.Experiment(one["file"]).evaluate()),
        (["predict", "{file}"], lambda one: beampose.Experiment(one["file"]).predict()),
        (["predict", "{file}", "x.mp4"], lambda one: beampose.Experiment(one["file"]).predict("x")),
        (["plot", "{file}", "x*.mp4"], lambda one: beampose.Experiment(one["file"]).plot("x*.mp4")),
        (
            ["export", "{file}", "--format", "tflite"],
            lambda one: beampose.Experiment(one["file"]).export("tflite"),
        ),
        (
            ["export", "{file}", "--format", "onnx", "--size", "(10, 20)"],
            lambda one: beampose.Experiment(one["file"]).export("onnx", size=(10, 20)),  # pyright: ignore[reportArgumentType]
        ),
        (["report", "{file}"], lambda one: beampose.Experiment(one["file"]).report()),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_errors_are_those_of_the_command_line(tmp_path, capsys, words, call):
    file = tmp_path / "my.yaml"
    file.write_text("task: pose\nsource: {format: deeplabcut, path: nothing}\noutput: runs\n")
    places = {"file": str(file), "none": str(tmp_path / "none")}
    assert cli.main([word.format(**places) for word in words]) == 2
    said = capsys.readouterr().err.strip().removeprefix("error: ")
    with pytest.raises((ValueError, OSError)) as raised:
        call(places)
    assert str(raised.value) == said


def test_bodyparts_are_a_list_of_names_each_once(tmp_path):
    project = fakes.project(tmp_path)
    with pytest.raises(ValueError, match=r"must be a list of names, such as \['nose'\]"):
        beampose.load_labels(project, bodyparts="nose")
    with pytest.raises(ValueError, match="'nose' is asked for twice"):
        beampose.load_labels(project, bodyparts=["nose", "nose"])


@pytest.mark.parametrize(
    ("source", "frames", "individuals", "bodyparts"),
    [
        ("openfield-Pranav-2018-10-30", 116, 1, 4),
        ("MontBlanc-Daniel-2019-12-16", 30, 8, 4),
        ("v1-reachingJan30", 20, 1, 4),
        ("flies-clip-sleap", 40, 2, 13),
    ],
)
def test_labels_of_any_format_are_an_array_and_a_table(
    shared_data, source, frames, individuals, bodyparts
):
    labels = beampose.load_labels(shared_data / source)
    assert labels.keypoints.shape == (frames, individuals, bodyparts, 2)
    table = labels.to_pandas()
    assert (
        list(table.columns.names)
        == [*COLUMNS[:1], *["individuals"] * (individuals > 1)] + (COLUMNS[1:])
    )
    np.testing.assert_array_equal(
        table.to_numpy(), labels.keypoints.reshape(frames, -1)[:, : table.shape[1]]
    )
    assert f"{frames} frames" in repr(labels)


def test_labels_of_crops_are_classes(shared_data):
    labels = beampose.load_labels(shared_data / "crops-birdfeeder")
    table = labels.to_pandas()
    assert table["label"].value_counts().to_dict() == {
        name: sum(item.label == i for item in labels.items) for i, name in enumerate(labels.classes)
    }
    with pytest.raises(ValueError, match="no keypoints"):
        _ = labels.keypoints


def test_predictions_of_deeplabcut_are_read_as_ours(shared_data):
    outputs = shared_data / "dlc-outputs"
    one = beampose.load_predictions(
        outputs / "m3v1mp4DLC_resnet50_openfieldOct30shuffle1_100000.h5"
    )
    assert one.keypoints.shape == (2330, 1, 4, 2)
    assert list(one.to_pandas().columns.names) == COLUMNS
    filtered = beampose.load_predictions(
        outputs / "vid1_camera-1DLC_resnet50_TESTNov4shuffle1_10filtered.csv"
    )
    assert filtered.likelihood.shape == (12, 1, 4)
    tracks = beampose.load_predictions(outputs / "montblanc_tracks.h5")
    assert tracks.individuals == ("bird1", "bird2", "bird3", "single")
    # The corner of the scene belongs to nobody else.
    assert tracks.unique_bodyparts == ("center",)
    assert np.isnan(tracks.keypoints[:, :3, tracks.bodyparts.index("center")]).all()
    assert tracks.to_pandas().shape == (180, 39)


@pytest.mark.parametrize("name", ["film.h5", "film.parquet", "film.csv"])
def test_what_holds_no_predictions_is_said(tmp_path, name):
    (tmp_path / name).write_text("no table")
    with pytest.raises(ValueError, match=name):
        beampose.load_predictions(tmp_path / name)


def test_importing_beampose_imports_no_heavy_library():
    heavy = ["tensorflow", "apache_beam", "pandas", "numpy", "cv2", "matplotlib", "fsspec"]
    code = f"import sys, beampose; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_reads_like_a_page():
    text = pydoc.plain(pydoc.render_doc(beampose))
    for name in set(beampose.__all__) - {"__version__"}:
        assert re.search(rf"^ *(class )?{name}\b", text, re.M), name
        assert getattr(beampose, name).__doc__, name
    assert "float64 (frames, individuals, bodyparts, 2)" in text
    assert "experiment.train()" in text
    assert "Raises:" in text
