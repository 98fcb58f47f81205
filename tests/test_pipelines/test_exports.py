"""Models for other runtimes: they answer there as the SavedModel does, or are not kept."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from upath import UPath

from beampose.core.settings import experiment
from beampose.pipelines import cli
from beampose.pipelines.exports import agreement, model_export
from beampose.trainer.backbone import resize

LIBRARIES = {"tflite": "ai_edge_litert", "onnx": "onnxruntime"}


def needs(format_name):
    library = LIBRARIES.get(format_name)
    if library and not importlib.util.find_spec(library):
        pytest.skip(f"needs {library}: pip install 'beampose[export]'")


def export(settings, format_name, folder, **more):
    needs(format_name)
    return model_export.run(settings, format_name, str(folder), **more)


ROADS = [
    ("pose", "tflite"),
    ("pose", "dlc-live"),
    ("crops", "onnx"),
    pytest.param("pose", "onnx", marks=pytest.mark.slow),
    pytest.param("crops", "tflite", marks=pytest.mark.slow),
    pytest.param("pose", "saved-model", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("kind", "format_name"), ROADS)
def test_an_export_answers_as_the_saved_model(trained, tmp_path, kind, format_name):
    made = export(trained[kind], format_name, tmp_path)
    assert made.info.difference <= 1e-2
    told = json.loads((tmp_path / "model.json").read_text())
    assert told["kind"] == "export" and told["file"] == Path(made.file).name
    if kind == "pose":
        assert told["difference_px"] <= 0.1
        assert told["bodyparts"] == ["nose", "left", "tail"]
        assert told["outputs"]["keypoints"] == [1, 1, 3, 2]
    else:
        assert told["classes"] and told["outputs"]["scores"] == [1, 2]
    assert told["bytes"] > 1000
    assert "from the SavedModel" in str(made)


def test_what_deeplabcut_live_reads_has_the_names_it_looks_for(trained, tmp_path):
    import tensorflow as tf

    (tmp_path / "snapshot-7.pb").write_bytes(b"of a model before")
    export(trained["pose"], "dlc-live", tmp_path)
    (graph,) = tmp_path.glob("*.pb")
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(graph.read_bytes())
    assert definition.node[0].op == "Placeholder"
    assert definition.node[-1].name == "concat_1"
    config = yaml.safe_load((tmp_path / "pose_cfg.yaml").read_text())
    assert config["all_joints_names"] == ["nose", "left", "tail"]
    assert config["num_outputs"] == 1


@pytest.mark.parametrize("format_name", ["tflite", pytest.param("onnx", marks=pytest.mark.slow)])
def test_the_code_of_the_page_runs(trained, tmp_path, format_name, monkeypatch):
    export(trained["pose"], format_name, tmp_path / "export" / format_name, size="96x144")
    page = (Path(__file__).parents[2] / "docs/export.md").read_text()
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", page, re.S) if f"/{format_name}/" in c]
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(code, names)
    found = names.get("found", names)
    assert np.isfinite(found["keypoints"]).all() and found["likelihood"].max() <= 1


def test_images_of_another_size_than_in_training(trained, tmp_path, caplog):
    before = {"kind": "export", "made_by": "beampose", "format_name": "tflite", "file": "x"}
    before |= {"model_digest": "", "task": "pose", "bodyparts": [], "individuals": []}
    before |= {"classes": [], "size": [48, 64], "outputs": {}, "bytes": 1, "difference_px": None}
    before |= {"difference": 0.0, "milliseconds": 1.0}
    (tmp_path / "model.json").write_text(json.dumps(before))
    made = export(trained["pose"], "tflite", tmp_path, size="61x203")
    assert made.info.size == [61, 203]
    assert "203x61 px" in str(made)
    # What an export for another size was there is said, and how to keep both.
    assert "model.tflite: for images of 203x61 px (width x height), it replaced" in caplog.text
    assert "the one for 64x48 px; to keep several, export each size" in caplog.text
    assert not model_export._other_size(UPath(tmp_path), made.info)


@pytest.mark.parametrize("wanted", [(48, 64), (96, 160), (48, 160), (40, 100)])
def test_resizing_without_special_operations_is_resizing(wanted):
    import tensorflow as tf

    from beampose.pipelines.exports import whole_pipeline

    frames = np.random.default_rng(0).integers(0, 255, (1, 60, 100, 3)).astype(np.float32)
    graph = tf.function(lambda one: whole_pipeline.resized(one, (60, 100), wanted))
    found = graph(tf.constant(frames)).numpy()
    np.testing.assert_allclose(found, resize(tf.constant(frames), *wanted).numpy(), atol=1e-3)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--format", "dlc-live", "--size", "3x4"], "--size has no effect with --format dlc-live"),
        (["--format", "saved-model", "--size", "3x4"], "takes images of any size"),
        (["--format", "tflite", "--size", "480"], "--size must be HEIGHTxWIDTH"),
        (["--format", "tflite", "--size", "0x7"], "--size must be HEIGHTxWIDTH"),
        (["--format", "tflite", "--size", "99999x7"], "16384 at most"),
    ],
)
def test_a_size_that_does_not_suit_is_a_sentence(trained, tmp_path, words, why, capsys):
    pytest.importorskip("ai_edge_litert")
    file = tmp_path / "pose.yaml"
    values = experiment.to_dict(trained["pose"])
    file.write_text(yaml.safe_dump(values))
    assert cli.main(["export", str(file), *words]) == 2
    assert why in capsys.readouterr().err


def test_crops_are_nothing_for_deeplabcut_live(trained):
    with pytest.raises(ValueError, match=r"this one classifies crops. Use --format tflite or onnx"):
        model_export.run(trained["crops"], "dlc-live")


def test_another_format_is_refused(trained):
    with pytest.raises(ValueError, match=r"format must be one of .*onnx.*Received: 'onxx'"):
        model_export.run(trained["pose"], "onxx")


def test_a_missing_library_is_named_with_how_to_get_it(trained, monkeypatch):
    monkeypatch.setitem(model_export.NEEDS, "onnx", ("a_library_nobody_has",))
    with pytest.raises(ValueError, match=r"a_library_nobody_has: pip install 'beampose\[export\]'"):
        model_export.run(trained["pose"], "onnx")


def test_a_model_of_a_version_before_is_to_be_trained_again(trained, tmp_path, monkeypatch):
    needs("tflite")
    from beampose.pipelines.exports import whole_pipeline

    monkeypatch.setattr(whole_pipeline, "NETWORK", "a signature of the next version")
    with pytest.raises(ValueError, match=r"trained by an older version: run `beampose train`"):
        model_export.run(trained["pose"], "tflite", str(tmp_path))


def test_an_export_that_answers_otherwise_is_not_kept(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(agreement, "PIXELS", -1.0)
    with pytest.raises(ValueError, match=r"answers .* px .* otherwise than the model"):
        model_export.run(trained["pose"], "dlc-live", str(tmp_path))
    assert not list(tmp_path.glob("*.pb"))


def test_points_that_nobody_saw_may_lie_anywhere():
    expected = {
        "keypoints": np.array([[[[10.0, 10.0], [50.0, 50.0]]]]),
        "likelihood": np.array([[[0.9, 0.01]]]),
    }
    found = {
        "keypoints": np.array([[[[10.0, 10.05], [90.0, 90.0]]]]),
        "likelihood": np.array([[[0.899, 0.01]]]),
    }
    pixels, probability = agreement.difference(found, expected)
    assert pixels == pytest.approx(0.05) and probability == pytest.approx(0.001)


def test_peaks_of_several_animals_are_compared_in_any_order():
    rng = np.random.default_rng(0)
    expected = {"peaks": rng.uniform(0, 100, (1, 2, 6, 2)), "likelihood": np.full((1, 2, 6), 0.8)}
    found = {name: value[:, :, ::-1] for name, value in expected.items()}
    assert agreement.difference(found, expected) == (0.0, 0.0)
    with pytest.raises(ValueError, match="output peaks is nothing"):
        agreement.difference({"likelihood": expected["likelihood"]}, expected)


def test_a_copy_of_the_saved_model_loads_without_us(trained, tmp_path):
    import tensorflow as tf

    export(trained["crops"], "saved-model", tmp_path)
    shutil.rmtree(tmp_path / "saved_model/assets", ignore_errors=True)
    assert "frames" in tf.saved_model.load(str(tmp_path / "saved_model")).signatures


def test_an_export_takes_the_place_of_its_own_format_alone(tmp_path):
    before, made = tmp_path / "before", tmp_path / "made"
    for folder in (before, made):
        folder.mkdir()
    (before / "snapshot-7.pb").write_bytes(b"for DeepLabCut-live")
    (made / "model.tflite").write_bytes(b"for LiteRT")
    model_export._put(made, UPath(before))
    assert {one.name for one in before.iterdir()} == {"snapshot-7.pb", "model.tflite"}
    (made / "snapshot-9.pb").write_bytes(b"of another training")
    model_export._put(made, UPath(before))
    assert {one.name for one in before.iterdir()} == {"snapshot-9.pb", "model.tflite"}


def test_what_a_runtime_says_of_a_broken_file_is_one_line(trained, tmp_path, monkeypatch):
    from beampose.pipelines.exports import dlc_live

    def torn(file, threads):
        raise RuntimeError("DecodeError in line 1\nand a page of internals")

    former = tmp_path / "snapshot-7.pb"
    former.write_bytes(b"of a training before")
    monkeypatch.setattr(dlc_live, "Runner", torn)
    with pytest.raises(ValueError, match=r"cannot run the model: DecodeError in line 1. Nothing"):
        model_export.run(trained["pose"], "dlc-live", str(tmp_path))
    assert list(tmp_path.iterdir()) == [former]
