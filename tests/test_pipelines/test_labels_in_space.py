"""Labeled images of several cameras: errors of points in space, and labels that contradict."""

import dataclasses
import json
import shutil
from pathlib import Path

import fakes
import numpy as np
import pytest
import rigs

from beampose.core import artefacts, storage
from beampose.core.infos import Metrics
from beampose.formats import calibrations
from beampose.pipelines.cli import main
from beampose.pipelines.space import label_views, space_errors
from beampose.pipelines.space.space_errors import Judged
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Rig


def labeled(cams, frames=40):
    """Records of the images of a walk in each view, and its places (frames, bodyparts, 3)."""
    places = rigs.walk(frames)
    records = []
    for number, cam in enumerate(cams):
        for i, points in enumerate(cam.project(places)):
            record = fakes.label_record(number * frames + i, points[None], video=f"run-{cam.name}")
            records.append(record._replace(name=f"labeled-data/run-{cam.name}/img{i:03}.png"))
    return records, places


def judged(records, noise, likelihood=0.9):
    truth = np.stack([r.keypoints[0] for r in records])
    off = np.random.default_rng(0).normal(size=truth.shape) * noise
    sure = np.full((*truth.shape[:2], 1), likelihood)
    return Judged(records, np.concatenate([truth + off, sure], axis=-1), rigs.BODYPARTS, None)


def measured(cams, told, images=None):
    rig = Rig(tuple(cams))
    videos, names = ([getattr(r, key) for r in told.records] for key in ("video", "name"))
    seen = label_views.sightings(rig, videos, names, told.bodyparts)
    return space_errors.measured(rig, seen if images is None else seen.among(images), told, 0.6)


def test_predictions_of_all_views_are_one_point_that_is_held_against_the_labels():
    cams = rigs.rig(3)
    records, _ = labeled(cams)
    exact = measured(cams, judged(records, 0.0))
    assert exact.points == 200 and exact.share_found == 1
    assert max(exact.mean_error, exact.reprojection_error_px, exact.labels_error_px) < 1e-3
    noisy = measured(cams, judged(records, 2.0))
    assert 0.7 < noisy.reprojection_error_px < 2.5 and 0.5 < noisy.median_error < 4
    assert noisy.labels_error_px < 1e-3 and 0.7 < noisy.share_inside_radius <= 1
    assert set(noisy.reprojection_by_bodypart) == set(rigs.BODYPARTS)


def test_predictions_below_the_cutoff_make_no_point_and_one_view_is_not_enough():
    cams = rigs.rig(3)
    records, _ = labeled(cams)
    unsure = measured(cams, judged(records, 0.0, likelihood=0.3))
    assert unsure.share_found == 0 and unsure.mean_error is None
    assert "none of 200 points" in space_errors.line(unsure, "test")
    one = np.array([r.video == "run-cam0" for r in records])
    alone = measured(cams, judged(records, 0.0), one)
    assert alone.points == 0 and "no bodypart is labeled" in space_errors.line(alone, "test")


def test_the_line_that_another_view_allows_is_as_far_from_the_label_as_is_said():
    cams = rigs.rig(2)
    records, _ = labeled(cams)
    truth = judged(records, 0.0).predicted[..., :2]
    truth[3, 1] += (25, -20)
    rig = Rig(tuple(cams))
    videos, names = ([getattr(r, key) for r in records] for key in ("video", "name"))
    seen = label_views.sightings(rig, videos, names, rigs.BODYPARTS)
    lines = label_views.lines(rig, truth, seen)
    nearest = lines.mean(axis=2)
    apart = label_views.distances(rig, truth, seen)
    np.testing.assert_allclose(np.linalg.norm(nearest - truth, axis=-1), apart, rtol=0.05, atol=0.1)
    assert apart[3, 1] > 5
    along, off = lines[3, 1, 1] - lines[3, 1, 0], truth[3, 1] - nearest[3, 1]
    assert abs(along @ off) < 0.05 * np.linalg.norm(along) * np.linalg.norm(off)


@pytest.fixture
def two_views(trained, tmp_path):
    """The trained experiment, whose videos are called a and b, and a calibration of both."""
    folder = Path(trained["pose"].output).parent
    shutil.copytree(folder / "project", tmp_path / "project")
    text = (folder / "pose.yaml").read_text().replace("output: pose", "output: out")
    config = tmp_path / "pose.yaml"
    config.write_text(f"{text}store: {trained['pose'].store}\n")
    shutil.copytree(folder / "pose", tmp_path / "out", ignore=shutil.ignore_patterns("store"))
    rows = np.array([[1.0, 0, 0, 70], [0, 1, 0, 48]]), np.array([[1.0, 0, 0, 56], [0, 0, 1, 40]])
    cams = [cameras.affine(name, one) for name, one in zip("ab", rows, strict=True)]
    calibrations.write(Rig(tuple(cams)), str(tmp_path / "two.toml"), made_by="test", affine=True)
    return config


@pytest.mark.slow
def test_evaluate_and_audit_use_the_other_views(two_views, capsys, caplog):
    file, calibrated = two_views.parent / "two.toml", "cameras.calibration=two.toml"
    model = two_views.parent / "out/model"
    before = artefacts.read_info(storage.place(model, "metrics.json"), Metrics)
    assert main(["evaluate", str(two_views), "--set", calibrated]) == 0
    assert "train, in space: " in capsys.readouterr().out
    told = json.loads((model / "metrics.json").read_text())
    assert told["train"]["space"]["points"] > 0
    assert told["train"]["space"]["calibration"] == str(file)
    assert told["train"]["mean_error_px"] == before.train.mean_error_px
    assert main(["report", str(two_views)]) == 0
    assert 'id="space"' in (two_views.parent / "out/report.html").read_text()
    capsys.readouterr()
    words = ["--folds", "2", "--top", "3", "--calibration", str(file)]
    assert main(["audit", str(two_views), *words]) == 0
    told = capsys.readouterr()
    assert "Against other views of the instant labels are" in caplog.text
    assert "labels are suspicious" in told.out


def test_a_calibration_that_fits_no_label_is_a_sentence(two_views, capsys):
    cams = rigs.rig(2)
    file = rigs.calibration(two_views.parent, cams)
    assert main(["evaluate", str(two_views), "--set", f"cameras.calibration={file}"]) == 2
    error = capsys.readouterr().err
    assert "no labeled image shows an instant in two of its views (cam0, cam1)" in error
    named = [dataclasses.replace(cam, name=name) for cam, name in zip(cams, "ab", strict=True)]
    file = rigs.calibration(two_views.parent, named)
    assert main(["evaluate", str(two_views), "--set", f"cameras.calibration={file}"]) == 2
    assert "calibrated with 640x480" in capsys.readouterr().err
