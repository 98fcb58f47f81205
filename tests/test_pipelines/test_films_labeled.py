"""Labels of frames that lie in videos, from the source to a verified model."""

import json
from pathlib import Path

import fake_labels
import fakes
import numpy as np
import pytest

from beampose.pipelines import cli
from beampose.preprocess import inside, videos

SETTINGS = """
task: pose
source: {format: sleap, path: labels.slp}
split: {by: image, test: 0.3, seed: 0}
features: {backbone: resnet_compact, weights: "random:0", scale: 0.5, batch_size: 4}
train: {steps: 4, batch_size: 4, hidden: 8, layers: 1}
output: out
"""
# In no order, as a person labels them.
LABELED = (30, 2, 17, 5, 9, 38, 21, 14)


@pytest.fixture
def labeled(tmp_path):
    """A config of labels in a film of 40 frames; of every second one an animal without an ear."""
    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    points = fakes.points()
    frames = [(0, number, [(0, 0, points[i % 2])]) for i, number in enumerate(LABELED)]
    film = {"backend": {"filename": "film.mp4"}}
    fake_labels.slp(tmp_path / "labels.slp", frames, videos=[film], tracks=["she"])
    (tmp_path / "my.yaml").write_text(SETTINGS)
    return tmp_path


def test_checking_decodes_each_frame_once_and_keeps_none(labeled, monkeypatch, capsys):
    def refused(*_):
        raise AssertionError("a frame was written to disk")

    decoded = []
    read = videos.read

    def counted(video, start, stop):
        for frame in read(video, start, stop):
            decoded.append(frame.index)
            yield frame

    monkeypatch.setattr(inside._Kept, "put", refused)
    monkeypatch.setattr(videos, "read", counted)
    assert cli.main(["check", str(labeled / "my.yaml")]) == 0
    assert "8 labeled images" in capsys.readouterr().out
    assert decoded == list(range(2, 39))
    assert cli.main(["check", str(labeled / "my.yaml"), "--html"]) == 0
    page = (labeled / "out/labels.html").read_text()
    assert page.count("data:image/jpeg") == len(LABELED)


@pytest.mark.slow
def test_a_model_of_frames_in_a_film_is_verified_by_one_of_them(labeled, monkeypatch):
    assert cli.main(["features", str(labeled / "my.yaml")]) == 0
    assert len(list((labeled / "out/dataset").glob("frames-probe.*"))) == 2

    def gone(*_):
        raise AssertionError("the trainer cannot read videos")

    # The trainer goes alone to the cloud.
    monkeypatch.setattr(videos, "read", gone)
    (labeled / "film.mp4").unlink()
    assert cli.main(["train", str(labeled / "my.yaml")]) == 0
    info = json.loads(Path(labeled, "out/model/info.json").read_text())
    assert 0 <= info["pixels_against_stored_features"] < 0.1
    assert np.isfinite(info["pixels_against_stored_features"])
