"""A small experiment, run once for all tests of the pipelines."""

import collections
import hashlib
import logging
import shutil
import warnings
from pathlib import Path

import filelock
import numpy as np
import pytest
from cloud.vertex import Vertex
from PIL import Image

from beampose.core import storage
from beampose.core.names import SAVED_MODEL
from beampose.core.settings import experiment
from beampose.trainer import export, task

# That a process of the tests holds at a time.
MODELS = 8
BODYPARTS = ("nose", "left", "tail")
SETTINGS = """
task: pose
source: {format: deeplabcut, path: project}
split: {by: image, test: 0.3, seed: 0}
features: {backbone: resnet_compact, weights: "random:0", copies: 0, pca: 16,
  batch_size: 4, scale: 1.0, rotation: 25}
train: {steps: 30, batch_size: 4, learning_rate: 0.002, hidden: 16, layers: 1, window: 8,
  pos_dist_thresh: 17, evaluate_every: 10, checkpoint_every: 10}
predict: {pcutoff: 0.0, batch_size: 4, chunk: 7}
render: {images: 5}
output: out
"""


def picture(seed, height=96, width=144):
    """A noisy frame with three coloured spots, and where they are."""
    rng = np.random.default_rng(seed)
    image = rng.integers(40, 90, (height, width, 3)).astype(np.uint8)
    points = rng.uniform([12, 12], [width - 12, height - 12], (3, 2))
    for (x, y), color in zip(points, [(255, 0, 0), (0, 255, 0), (0, 0, 255)], strict=True):
        rows, columns = np.ogrid[:height, :width]
        image[(columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 < 25] = color
    return image, points


def write_project(folder, count=12):
    """A DeepLabCut project of two videos; every fifth frame lacks a bodypart, sizes differ."""
    (folder / "config.yaml").parent.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(
        "Task: spots\nscorer: me\ndate: Jan1\nmultianimalproject: false\n"
        "project_path: C:\\nowhere\nvideo_sets:\n  C:\\nowhere\\a.mp4: {crop: '0, 1, 0, 1'}\n"
        f"bodyparts: [{', '.join(BODYPARTS)}]\nskeleton: [[nose, left], [left, tail]]\n"
    )
    for video, sizes in (("a", (96, 144)), ("b", (80, 112))):
        place = folder / "labeled-data" / video
        place.mkdir(parents=True)
        lines = [
            "scorer," + ",".join(["me"] * 6),
            "bodyparts," + ",".join(part for part in BODYPARTS for _ in "xy"),
            "coords," + ",".join(["x", "y"] * 3),
        ]
        for i in range(count // 2):
            image, points = picture(i + 50 * (video == "b"), *sizes)
            Image.fromarray(image).save(place / f"img{i:02d}.png")
            cells = [f"{v:.3f}" for v in points.ravel()]
            if i % 5 == 4:
                cells[2:4] = ["", ""]
            lines.append(f"labeled-data/{video}/img{i:02d}.png," + ",".join(cells))
        (place / "CollectedData_me.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_crops(folder, count=12):
    """Positive crops hold a bright spot, negative ones do not; sizes differ."""
    for split, number in (("Training", count), ("Testing", count // 2)):
        for name in ("Positive", "Negative"):
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(number):
                rng = np.random.default_rng([i, split == "Testing", name == "Positive"])
                image = rng.integers(40, 90, (50 + i, 70, 3)).astype(np.uint8)
                if name == "Positive":
                    image[10:40, 20:50] = (250, 240, 30)
                Image.fromarray(image).save(place / f"film_{i}_0.jpg", quality=95)
    return folder


@pytest.fixture(autouse=True)
def quiet():
    # tensorflow-transform warns of its own internals at import and while tracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield


@pytest.fixture(scope="session", autouse=True)
def models_loaded_once():
    """SavedModels of equal files are one in a process: most tests ask a copy of the same two."""
    load, known = export.load, collections.OrderedDict()

    def loaded(folder):
        place = storage.place(folder, SAVED_MODEL)
        files = sorted((str(f)[len(str(place)) :], f) for f in place.rglob("*") if f.is_file())
        digest = hashlib.sha256()
        for name, file in files:
            digest.update(f"{name} {file.stat().st_size} ".encode() + file.read_bytes())
        key = digest.digest()
        if key not in known:
            known[key] = load(folder)
        known.move_to_end(key)
        while len(known) > MODELS:
            known.popitem(last=False)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "load", loaded)
        yield


@pytest.fixture
def new_pose_file(tmp_path):
    write_project(tmp_path / "project")
    file = tmp_path / "pose.yaml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def pose_file(new_pose_file, trained):
    """Its store has no features, but their transform, which takes seconds to learn."""
    settings = experiment.load(new_pose_file)
    (store,) = Path(trained["pose"].store).iterdir()
    shutil.copytree(store / "transform", Path(settings.store, store.name, "transform"))
    return new_pose_file


def crops_settings():
    text = SETTINGS.replace("pose", "crops").replace(
        "{format: deeplabcut, path: project}", "{format: crops, path: crops}"
    )
    return (
        text.replace("{by: image, test: 0.3, seed: 0}", "{by: folder}")
        .replace("pca: 16", "crop_size: 64")
        # A network that learned nothing tells no crops apart.
        .replace('"random:0"', "builtin")
        .replace("learning_rate: 0.002", "learning_rate: 0.01")
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory, worker_id):
    """Configs of a trained pose and a trained crop model: {"pose": Config, "crops": Config}.

    They are trained once for all processes of the tests; each has a copy, into which it may write.
    """
    once = made_once(tmp_path_factory, worker_id, "trained", train_both)
    folder = tmp_path_factory.mktemp("trained") / "copy"
    shutil.copytree(once, folder)
    return {name: experiment.load(folder / f"{name}.yaml") for name in ("pose", "crops")}


def made_once(tmp_path_factory, worker_id, name, make):
    """A folder that `make` fills, once for all processes of the tests."""
    base = tmp_path_factory.getbasetemp()
    once = (base if worker_id == "master" else base.parent) / f"{name}-once"
    with filelock.FileLock(f"{once}.lock"):
        if not (once / "done").exists():
            shutil.rmtree(once, ignore_errors=True)
            once.mkdir()
            make(once)
            (once / "done").touch()
    return once


@pytest.fixture
def settings(trained, tmp_path):
    """The trained pose model with a folder of predictions of its own."""
    shutil.copytree(trained["pose"].model, tmp_path / "out/model")
    values = experiment.to_dict(trained["pose"])
    return experiment.from_dict(experiment.Config, {**values, "output": str(tmp_path / "out")})


def train_both(folder):
    from beampose.pipelines.features import feature_job

    write_project(folder / "project")
    write_crops(folder / "crops")
    for name, text in (("pose", SETTINGS), ("crops", crops_settings())):
        file = folder / f"{name}.yaml"
        file.write_text(text.replace("output: out", f"output: {name}"))
        config = experiment.load(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            feature_job.run(config)
            task.run(config, task.default_folders(config))


@pytest.fixture
def vertex():
    """Starts fakes of Vertex AI."""
    fakes = []

    def start(**options):
        fakes.append(Vertex(**options))
        return fakes[-1]

    yield start
    for fake in fakes:
        fake.close()
