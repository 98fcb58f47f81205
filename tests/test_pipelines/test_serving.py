"""docs/serving.md is true: each piece of its code runs."""

import base64
import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fakes
import numpy as np
import pytest
from PIL import Image

from beampose.core import storage

TEXT = (Path(__file__).parents[2] / "docs/serving.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """A folder with a.jpg and the model, and the model's answer."""
    import tensorflow as tf

    shutil.copytree(trained["pose"].model, tmp_path / "model")
    Image.fromarray(fakes.pixels(0, 60, 90)).save(tmp_path / "a.jpg")
    monkeypatch.chdir(tmp_path)
    loaded = tf.saved_model.load("model/saved_model")
    data = tf.constant([(tmp_path / "a.jpg").read_bytes()])
    found = loaded.signatures["serving_default"](image_bytes=data)
    return loaded, found["keypoints"].numpy()


def test_three_lines_of_python(place):
    names = {}
    exec(blocks("python")[0], names)
    np.testing.assert_allclose(names["found"]["keypoints"].numpy(), place[1], atol=1e-4)


class Serving(BaseHTTPRequestHandler):
    """The row format of TensorFlow Serving's REST interface for models of one bytes input."""

    model = None

    def do_POST(self):
        import tensorflow as tf

        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        images = [base64.b64decode(one["b64"]) for one in body["instances"]]
        assert self.path == "/v1/models/mouse:predict"
        found = self.model.signatures[body["signature_name"]](image_bytes=tf.constant(images))
        rows = [
            {name: value[i].numpy().tolist() for name, value in found.items()}
            for i in range(len(images))
        ]
        data = json.dumps({"predictions": rows}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_the_request_to_tensorflow_serving(place):
    handler = type("Bound", (Serving,), {"model": place[0]})
    server = ThreadingHTTPServer(("localhost", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    names = {}
    try:
        exec(blocks("python")[1].replace("8501", str(server.server_port)), names)
    finally:
        server.shutdown()
        server.server_close()
    np.testing.assert_allclose([names["answer"]["keypoints"]], place[1], atol=1e-3)


def test_the_layout_of_tensorflow_serving(place):
    copy = [line for line in blocks("bash")[0].splitlines() if not line.startswith("docker")]
    subprocess.run(["bash", "-euc", "\n".join(copy)], check=True)
    assert Path("serving/mouse/1/saved_model.pb").is_file()
    assert Path("serving/mouse/1/variables").is_dir()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_the_program_in_cpp(place):
    Path("predict.cc").write_text(blocks("cpp")[0])
    build = f'python() {{ {sys.executable} "$@" 2>/dev/null; }}\n{blocks("bash")[1]}'
    subprocess.run(["bash", "-euc", build], check=True)
    tensors = storage.read_json("model/info.json")["tensors"]["frames"]
    image = np.asarray(Image.open("a.jpg").convert("RGB"))
    words = [tensors["inputs"]["frames"], tensors["outputs"]["keypoints"], "60", "90"]
    done = subprocess.run(
        ["./predict", "model/saved_model", *words],
        input=image.tobytes(),
        capture_output=True,
        check=True,
    )
    found = np.array([line.split() for line in done.stdout.decode().splitlines()], float)
    frames = place[0].signatures["frames"]
    import tensorflow as tf

    expected = frames(frames=tf.constant(image[None]))["keypoints"].numpy().reshape(-1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize("kind", ["pose", "crops"])
def test_the_loader_that_serving_and_cpp_use_fills_every_variable(trained, kind):
    import tensorflow as tf

    v1 = tf.compat.v1
    folder = trained[kind].model
    names = storage.read_json(f"{folder}/info.json")["tensors"]["frames"]
    frame = fakes.pixels(0, 60, 90)[None]
    with v1.Session(graph=tf.Graph()) as session:
        v1.saved_model.loader.load(session, ["serve"], f"{folder}/saved_model")
        found = session.run(names["outputs"], {names["inputs"]["frames"]: frame})
    expected = tf.saved_model.load(f"{folder}/saved_model").signatures["frames"](
        frames=tf.constant(frame)
    )
    assert set(found) == set(expected)
    for name, value in expected.items():
        # An embedding is rounded to bfloat16, where the last bit of a sum may be a step of one.
        near = {"rtol": 0.01, "atol": 0.01} if name == "embedding" else {"atol": 1e-3}
        np.testing.assert_allclose(found[name], value.numpy(), **near)


def test_the_named_tensors_are_in_the_graph(place):
    names = storage.read_json("model/info.json")["tensors"]
    assert set(names) == {"serving_default", "frames", "features", "window", "network"}
    assert set(names["frames"]["outputs"]) == {"keypoints", "likelihood"}
