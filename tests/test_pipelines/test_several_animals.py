"""Several animals from labels to a report, from the command line."""

import re
import shutil
from pathlib import Path

import animals_run
import fakes
import numpy as np
import pandas as pd
import pytest
from conftest import made_once
from test_stills import own, photo

from beampose.core import artefacts, storage
from beampose.core.infos import ModelInfo
from beampose.core.names import METRICS
from beampose.core.settings import experiment
from beampose.pipelines import cli
from beampose.pipelines.predict import prediction_job
from beampose.trainer import assemble, cross_validation, export, step_time
from beampose.trainer.dataset import Dataset
from beampose.trainer.evaluation import evaluate
from beampose.trainer.tasks import task_table
from beampose.trainer.tasks.animals import Animals


@pytest.fixture(scope="module")
def ran(tmp_path_factory, worker_id):
    """The config of a model that was hardly trained, on random weights."""
    once = made_once(tmp_path_factory, worker_id, animals_run.NAME, animals_run.run)
    folder = tmp_path_factory.mktemp("animals") / "copy"
    shutil.copytree(once, folder)
    return folder / "animals.yaml"


@pytest.fixture
def settings(ran):
    return experiment.load(ran)


def test_a_hardly_trained_model_has_all_figures_and_a_report(settings):
    metrics = storage.read_json(storage.place(settings.model, METRICS))
    assert {"mAP", "mAR", "mean_error_px", "identity_accuracy"} <= set(metrics["test"])
    page = storage.place(settings.output, "report.html").read_text(encoding="utf-8")
    assert "mAP by OKS" in page
    table = storage.place(settings.output, "evaluation", "labels.csv").read_text().splitlines()
    assert table[0].split(",")[:4] == ["image", "split", "individual", "bodypart"]
    assert any(",single,door," in line for line in table)


def test_the_exported_model_repeats_the_metrics_of_training(settings):
    written = storage.read_json(storage.place(settings.model, METRICS))
    measured = evaluate(settings).metrics
    for name in ("mAP", "share_found", "mean_error_px"):
        assert measured["test"][name] == pytest.approx(written["test"][name], abs=1e-2)


def test_every_signature_gives_numbers_of_fixed_shapes(settings):
    import tensorflow as tf

    info = artefacts.require(settings.model, ModelInfo)
    signatures = export.load(settings.model).signatures  # pyright: ignore[reportAttributeAccessIssue]
    frames = tf.constant(np.stack([fakes.pixels(i, 96, 144) for i in range(3)]))
    found = {k: v.numpy() for k, v in signatures["frames"](frames=frames).items()}
    peaks, edges = info.assembly.peaks, len(info.assembly.graph)
    shapes = {name: value.shape for name, value in found.items()}
    assert shapes == {
        "peaks": (3, 4, peaks, 2),
        "likelihood": (3, 4, peaks),
        "edge_costs": (3, edges, peaks, peaks),
        "identity": (3, 4, peaks, 2),
    }
    assert all(np.isfinite(value).all() for value in found.values())
    more = signatures["descriptors"](frames=frames)
    assert more["descriptors"].shape == (3, 4, peaks, 16)
    assert more["descriptors"].dtype == tf.bfloat16
    png = tf.stack([tf.io.encode_png(frame) for frame in frames])
    served = signatures["serving_default"](image_bytes=png)
    np.testing.assert_allclose(served["likelihood"], found["likelihood"], atol=1e-4)
    one = assemble.assemble({k: v[0] for k, v in found.items()}, assemble.rules(info))
    assert one.shape == (3, 4, 3)


def test_the_code_of_the_page_runs(settings, tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs/animals.md").read_text(encoding="utf-8")
    assembled, tracked = re.findall(r"```python\n(.*?)```", page, re.S)
    (tmp_path / "runs/flies").mkdir(parents=True)
    (tmp_path / "runs/flies/model").symlink_to(settings.model)
    monkeypatch.chdir(tmp_path)
    names: dict = {"frames": fakes.pixels(0, 96, 144)[None]}
    exec(assembled, names)
    assert names["keypoints"].shape == (3, 4, 3)
    truth = np.full((9, 2, 4, 2), 10.0) + np.arange(4)[:, None] * [5.0, 3.0]
    truth[:, 1] += 60
    detections = np.concatenate([truth, np.ones((9, 2, 4, 1))], axis=-1)
    names = {"truth": truth, "detections": detections}
    exec(tracked, names)
    np.testing.assert_allclose(names["made"].keypoints[..., :2].sum(axis=1), truth.sum(axis=1))


@pytest.mark.slow
def test_cross_validation_judges_every_animal(settings, tmp_path):
    dataset = Dataset(settings.dataset, settings.store, cache_mb=64)
    found = cross_validation.cross_validate(
        settings, dataset, folds=2, by_video=False, work=str(tmp_path)
    )
    assert found.predicted.shape == (10, 3, 4, 3)
    assert found.individuals == ("ann", "bob", "single")
    assert set(found.radius.radius_px) == {*fakes.BODYPARTS, "door"}


@pytest.mark.slow
def test_the_doors_of_cross_validation_and_sweeps_open(ran, capsys):
    assert cli.main(["evaluate", str(ran), "--folds", "2"]) == 0
    assert "mAP" in capsys.readouterr().out
    words = ["--set", "train.paf_weight=0.001,0.01"]
    assert cli.main(["sweep", str(ran), *words]) == 0
    assert "paf_weight" in capsys.readouterr().out


def test_the_loss_has_a_part_for_everything_that_is_learned(settings):
    dataset = Dataset(settings.dataset, settings.store, cache_mb=64)
    made = task_table.make(settings, dataset)
    assert isinstance(made, Animals)
    batch = made.make_batch(dataset.of("train")[:3], np.random.default_rng(0))
    total, parts = made.loss(batch)
    assert set(parts) == {"scoremap_loss", "locref_loss", "paf_loss", "identity_loss"}
    assert np.isfinite(float(total))


def test_a_plan_times_the_head_of_several(settings):
    took = step_time.seconds_a_step(settings, dims=16, names=3, side=8, individuals=2)
    assert 0 < took < 5


def photo_table(config, summary):
    return pd.read_hdf(f"{config.predictions}/{summary.name}{summary.scorer}.h5")


def test_several_animals_on_photographs_are_columns_of_individuals(settings, tmp_path):
    first = [f"{camera}/IMG_{i}.png" for camera in "AB" for i in (1, 3)]
    config = own(settings, tmp_path)
    folder = tmp_path / "photos"
    for seed, name in enumerate(first):
        photo(folder / name, seed)
    (folder / "B/IMG_2.jpg").write_bytes(b"no image")
    (summary,) = prediction_job.run(config, [str(folder)]).videos
    before = photo_table(config, summary)
    assert before.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    assert list(dict.fromkeys(before.columns.get_level_values(1))) == ["ann", "bob", "single"]
    assert list(before.index) == sorted([*first, "B/IMG_2.jpg"])
    assert before.loc["B/IMG_2.jpg"].isna().all()
    assert not before.loc["A/IMG_1.png"].isna().all()
    assert sum(summary.frames_by_individuals.values()) == 5
    stem = Path(f"{config.predictions}/photos{summary.scorer}")
    text = pd.read_csv(f"{stem}.csv", header=[0, 1, 2, 3], index_col=0)
    np.testing.assert_allclose(text.to_numpy(), before.to_numpy(), atol=1e-3)
    photo(folder / "A/IMG_2.png", 5)
    photo(folder / "C/IMG_1.png", 6)
    (summary,) = prediction_job.run(config, [str(folder)]).videos
    assert (summary.images_from_before, summary.rows) == (4, 7)
    pd.testing.assert_frame_equal(photo_table(config, summary).loc[before.index], before)


def test_a_window_says_what_the_frame_says_of_it(settings):
    import tensorflow as tf

    signatures = export.load(settings.model).signatures  # pyright: ignore[reportAttributeAccessIssue]
    frames = tf.constant(np.stack([fakes.pixels(i, 96, 144) for i in range(2)]))
    whole = {k: v.numpy() for k, v in signatures["descriptors"](frames=frames).items()}
    every = signatures["window"](frames=frames, corner=tf.constant([0, 0]), cells=[12, 18])
    for name, value in whole.items():
        np.testing.assert_allclose(every[name].numpy(), value, atol=1e-3)
    part = signatures["window"](frames=frames, corner=tf.constant([4, 6]), cells=[6, 8])
    places = part["peaks"].numpy()[part["likelihood"].numpy() > 0]
    assert len(places)
    # A point may be said to lie a little beside its cell.
    assert (places > [48 - 20, 32 - 20]).all() and (places < [112 + 20, 80 + 20]).all()
