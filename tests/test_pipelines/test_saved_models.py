"""What training leaves: a SavedModel that repeats its figures, also where we are unknown."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from beampose.core import storage
from beampose.core.names import METRICS
from beampose.trainer.evaluation import evaluate


def test_the_exported_model_repeats_the_metrics_of_training(trained):
    for name in ("pose", "crops"):
        written = storage.read_json(Path(trained[name].model) / METRICS)
        measured = evaluate(trained[name]).metrics
        key = "mean_error_px" if name == "pose" else "accuracy"
        for split in ("train", "test"):
            assert measured[split][key] == pytest.approx(written[split][key], abs=1e-3)


def test_a_saved_model_holds_its_network_once(trained):
    """All signatures share it: a file half as large, and loaded and saved sooner."""
    for kind in ("pose", "crops"):
        file = Path(trained[kind].model, "saved_model", "saved_model.pb")
        (graph,) = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs
        convolutions = [
            sum("Conv2D" in node.op for node in function.node_def)
            for function in graph.graph_def.library.function
        ]
        assert sum(count > 5 for count in convolutions) == 1


OUTSIDE = """
import sys
import numpy as np, tensorflow as tf
pose, crops, image, legacy = sys.argv[1:]
data = open(image, "rb").read()
found = tf.saved_model.load(pose).signatures["serving_default"](image_bytes=tf.constant([data] * 3))
assert found["keypoints"].shape == (3, 1, 3, 2) and found["likelihood"].shape == (3, 1, 3)
frame = tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE")[None]
same = tf.saved_model.load(pose).signatures["frames"](frames=frame)
np.testing.assert_allclose(found["keypoints"][:1], same["keypoints"], atol=1e-3)
model = tf.saved_model.load(crops)
serve = model.signatures["serving_default"]
found = serve(image_bytes=tf.constant([data] * 2), key=tf.constant(["a", "b"]))
assert found["key"].numpy().tolist() == [b"a", b"b"] and found["scores"].shape == (2, 2)
single = model.signatures["image_bytes"](image_bytes=tf.constant([data]))
v1 = tf.compat.v1
with v1.Session(graph=tf.Graph()) as session:
    v1.saved_model.loader.load(session, ["serve"], legacy)
    scores = session.run("final_ops/softmax:0", {"Placeholder:0": [data, data, data]})
np.testing.assert_allclose(scores, np.repeat(found["scores"][:1], 3, axis=0), atol=1e-4)
np.testing.assert_allclose(single["scores"], found["scores"][:1], atol=1e-5)
assert not {"trainer", "pipelines", "preprocess"} & set(sys.modules)
print("loaded")
"""


@pytest.mark.slow
def test_the_models_run_where_our_packages_are_unknown(trained, tmp_path):
    image = next((Path(trained["crops"].source.path) / "Testing/Positive").glob("*.jpg"))
    copies = []
    for name, part in (("pose", "saved_model"), ("crops", "saved_model"), ("crops", "legacy")):
        copies.append(tmp_path / f"{name}-{part}")
        shutil.copytree(Path(trained[name].model) / part, copies[-1])
    script = tmp_path / "outside.py"
    script.write_text(OUTSIDE)
    words = [copies[0], copies[1], image, copies[2]]
    done = subprocess.run(
        [sys.executable, "-I", script, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert "loaded" in done.stdout, done.stderr[-2000:]
