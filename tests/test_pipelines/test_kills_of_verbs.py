"""Every verb, killed before a change of the disk or by a power cut, and run again."""

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import fake_labels
import fakes
import numpy as np
import pytest
from animals_run import SETTINGS as SEVERAL
from animals_run import labels
from conftest import SETTINGS, write_project
from killer import Ended, Killer

from beampose.formats import pandas_h5

pytestmark = pytest.mark.slow
# Per verb its words, in chains of which each goes on from what the ones before it left.
LABELS = {
    "export-labels": ["export-labels", "pose.yaml", "--to", "exported", "--format", "coco"],
    "import-labels": ["import-labels", "coco/labels.json", "--to", "imported", "--scorer", "Ann"],
    "extract-frames": [
        *("extract-frames", "films", "--to", "new", "--method", "uniform", "--count", "4"),
        *("--bodyparts", "nose,tail", "--scorer", "Ann"),
    ],
    "extract-crops": [
        *("extract-crops", "films", "--to", "crops", "--boxes", "films/boxes.json"),
    ],
}
POSE = {
    "features": ["features", "pose.yaml"],
    "train": ["train", "pose.yaml"],
    "predict": ["predict", "pose.yaml", "films"],
    "filter": ["filter", "pose.yaml", "films"],
    "plot": ["plot", "pose.yaml", "films"],
    "render": ["render", "pose.yaml", "films/a.mp4"],
    "evaluate": ["evaluate", "pose.yaml"],
    "report": ["report", "pose.yaml"],
    "audit": ["audit", "pose.yaml", "--folds", "2", "--top", "3"],
    "sweep": ["sweep", "pose.yaml", "--set", "train.learning_rate=0.002,0.004"],
}
ANIMALS = {
    "features of several": ["features", "animals.yaml"],
    "train several": ["train", "animals.yaml"],
    "predict several": ["predict", "animals.yaml", "films"],
    "track": ["track", "animals.yaml", "films"],
}
CHAINS = (LABELS, POSE, ANIMALS)
# Numbers of renamings, as shares of all, and whether the power fails there.
KILLS = [(1.0, False), (0.5, False), (1.0, True), (0.6, True)]
# TensorFlow numbers what it saves by chance; the graph is in the digest of `info.json`.
BY_CHANCE = {"fingerprint.pb", "saved_model.pb"}
TIMES = {"finished", "seconds", "date", "features_seconds", "train_seconds", "created"}
LEFT = re.compile(r"\..+-[0-9a-f]{8}-\d+-[a-z0-9_]{8}")


class Stage(NamedTuple):
    """A verb: the folder before it and after it, undisturbed, and how it ended."""

    words: list[str]
    before: Path
    after: dict[str, Any]
    ended: Ended


def boxes(folder):
    one = {"category": "1", "conf": 0.9, "bbox": [0.2, 0.2, 0.5, 0.5]}
    images = [
        {"file": f"{name}.mp4", "detections": [{**one, "frame_number": i} for i in range(0, 9, 2)]}
        for name in "ab"
    ]
    told = {"images": images, "detection_categories": {"1": "animal"}, "info": {}}
    (folder / "boxes.json").write_text(json.dumps(told))


def begin(root):
    """Labels, films and settings of all verbs."""
    write_project(root / "project")
    fakes.animals(root / "animals", labels(10), size=(96, 144))
    fake_labels.coco(root / "coco")
    (root / "films").mkdir()
    for name, count in (("a", 12), ("b", 15)):
        fakes.video(root / f"films/{name}.mp4", "libx264", count)
    boxes(root / "films")
    chosen = SETTINGS.replace("chunk: 7}", "chunk: 7, size: resize}").replace(
        "images: 5", "images: 2"
    )
    (root / "pose.yaml").write_text(chosen)
    several = SEVERAL.replace("[film.mp4]", "[], chunk: 7, size: resize")
    (root / "animals.yaml").write_text(
        several.replace("path: project", "path: animals").replace("output: out", "output: several")
    )


def contents(root):
    """What lies in a folder by name, without times."""
    found = {}
    for file in sorted(p for p in root.rglob("*") if p.is_file()):
        name = file.relative_to(root).as_posix()
        chance = "tfevents" in name or file.name in BY_CHANCE
        if not chance and not name.endswith(".lock"):
            found[name] = plain(file)
    return found


def plain(file):
    data = file.read_bytes()
    if file.suffix in (".json", ".jsonl") and data:
        lines = data.decode().splitlines() if file.suffix == ".jsonl" else [data.decode()]
        return [timeless(json.loads(line)) for line in lines]
    if file.suffix == ".h5" and (
        file.name.startswith("CollectedData_") or "-snapshot-" in file.name
    ):
        # The library that writes it for DeepLabCut adds the time of day.
        return repr(pandas_h5.read(data)) if data else data
    if file.suffix == ".npz":
        # A zip holds the times of its members.
        arrays = np.load(io.BytesIO(data))
        facts = {n: arrays[n].tolist() for n in arrays.files}
        return {n: timeless(json.loads(v)) if n == "facts" else v for n, v in facts.items()}
    if file.name == "sweep.csv":
        return [timeless(row) for row in csv.DictReader(io.StringIO(data.decode()))]
    if file.suffix == ".html":
        return re.sub(rb"\d+(\.\d+)? ?(s|seconds|minutes)\b|<td>\d+</td>", b"", data)
    return data


def timeless(value):
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if k not in TIMES}
    return [timeless(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    found = Killer(tmp_path_factory.mktemp("killer"))
    yield found
    found.close()


class Chains:
    """Runs the verbs of a chain undisturbed, as far as they are asked for, and keeps each stage."""

    def __init__(self, folder: Path, killer: Killer):
        self.root, self._folder, self._killer = folder / "work", folder, killer
        self._made: dict[str, Stage] = {}
        self.root.mkdir()
        begin(self.root)
        shutil.copytree(self.root, folder / "at first")

    def stage(self, verb: str) -> Stage:
        """The stage of a verb."""
        chain = next(one for one in CHAINS if verb in one)
        last = self._folder / "at first"
        for name, words in chain.items():
            if name not in self._made:
                self._made[name] = self._run(name, words, last)
            if name == verb:
                break
            last = self._folder / f"after {name}"
        return self._made[verb]

    def reset(self, before: Path) -> None:
        """Makes the folder what it was before a stage."""
        shutil.rmtree(self.root)
        shutil.copytree(before, self.root)

    def _run(self, name: str, words: list[str], before: Path) -> Stage:
        self.reset(before)
        ended = self._killer.run(words, self.root)
        assert ended.code == 0, ended.said
        assert any(change.startswith("os.rename") for change in ended.changes)
        shutil.copytree(self.root, self._folder / f"after {name}")
        return Stage(words, before, contents(self.root), ended)


@pytest.fixture(scope="module")
def chains(tmp_path_factory, killer):
    return Chains(tmp_path_factory.mktemp("kills"), killer)


@pytest.mark.parametrize("share,cut", KILLS)
@pytest.mark.parametrize("verb", LABELS | POSE | ANIMALS)
def test_a_verb_killed_and_run_again_leaves_what_an_undisturbed_one_does(
    chains, killer, verb, share, cut
):
    stage = chains.stage(verb)
    renamings = [i for i, one in enumerate(stage.ended.changes, 1) if one.startswith("os.rename")]
    at = renamings[max(round(share * len(renamings)) - 1, 0)]
    chains.reset(stage.before)
    killed = killer.run(stage.words, chains.root, at=at, cut=cut)
    assert killed.code == -9, killed.said
    again = killer.run(stage.words, chains.root)
    assert again.code == 0, again.said
    found = contents(chains.root)
    left = [name for name in found if any(LEFT.match(part) for part in Path(name).parts)]
    assert not left
    assert found.keys() == stage.after.keys()
    assert [name for name in found if found[name] != stage.after[name]] == []
