"""A finished training is finished, and what is told is of the model that is there."""

import fake_infos
import pytest

from beampose.core import artefacts, storage
from beampose.core.infos import EvaluationInfo, Figures, Metrics
from beampose.core.infos.figures import Seconds
from beampose.core.names import EVALUATION, INFO, LABELS_CSV, METRICS, REPORT
from beampose.core.settings import experiment
from beampose.pipelines.outcomes import model_outcomes
from beampose.pipelines.report import gallery
from beampose.trainer import finished_training


@pytest.fixture
def config(tmp_path):
    (tmp_path / "my.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: project}\noutput: out\n"
    )
    return experiment.load(tmp_path / "my.yaml")


def finish(config, monkeypatch, **changes) -> str:
    """A model that is trained by what is asked for, but for some changes of its info."""
    monkeypatch.setattr(finished_training, "model_digest", lambda folder: "d1")
    asked = finished_training.asked(config, fake_infos.dataset())
    metrics = Metrics(
        split={"train": 2},
        train=Figures(),
        test=Figures(),
        seconds=Seconds(),
        backbone="b",
        weights_digest="w",
    )
    artefacts.write_info(storage.place(config.model, METRICS), metrics)
    values = {"asked": asked, "digest": "d1", **changes}
    artefacts.complete(config.model, fake_infos.model(**values))
    return asked


def test_a_model_trained_by_what_is_asked_for_is_finished(config, monkeypatch):
    asked = finish(config, monkeypatch)
    found = finished_training.metrics_of(config.model, asked)
    assert found is not None and found.split == {"train": 2}


@pytest.mark.parametrize("changes", [{"asked": "other"}, {"digest": "d2"}, {"asked": ""}])
def test_another_model_or_files_that_changed_are_not_finished(config, monkeypatch, changes):
    asked = finish(config, monkeypatch, **changes)
    assert finished_training.metrics_of(config.model, asked) is None


@pytest.mark.parametrize("file", [METRICS, INFO, "COMPLETED"])
@pytest.mark.parametrize("content", [None, "{"])
def test_a_damaged_model_is_not_finished(config, monkeypatch, file, content):
    asked = finish(config, monkeypatch)
    place = storage.place(config.model, file)
    place.unlink()
    if content and file != "COMPLETED":
        place.write_text(content)
    assert finished_training.metrics_of(config.model, asked) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"seed": 3}},
        {"train": {"steps": 77}},
        # What was the default before the data chose.
        {"train": {"steps": 400}},
        {"train": {"learning_rate": 0.002, "window": 24}},
        {"train": {"folds": 4}},
        {"train": {"finetune_steps": 9}},
    ],
)
def test_other_settings_ask_for_another_model(config, changes):
    before = finished_training.asked(config, fake_infos.dataset())
    other = experiment.changed(config, **changes)
    assert finished_training.asked(other, fake_infos.dataset()) != before


def test_other_labels_ask_for_another_model_and_memory_does_not(config):
    before = finished_training.asked(config, fake_infos.dataset())
    assert finished_training.asked(config, fake_infos.dataset(labels_digest="e")) != before
    larger = experiment.changed(config, train={"cache_mb": 7})
    assert finished_training.asked(larger, fake_infos.dataset()) == before


def evaluate(config, digest: str) -> None:
    """An evaluation of a model, with a report and plots."""
    folder = storage.place(config.output, EVALUATION)
    storage.write_text(folder / LABELS_CSV, "image\n")
    storage.write_text(folder / "images/1.jpg", "")
    artefacts.complete(folder, EvaluationInfo(made_by="t", metrics={}, images=[], model=digest))
    storage.write_text(storage.place(config.output, REPORT), "<html>")
    storage.write_text(storage.place(config.output, gallery.FOLDER, "a.svg"), "")


def test_an_evaluation_of_the_same_model_stays(config, monkeypatch):
    finish(config, monkeypatch)
    evaluate(config, "d1")
    assert model_outcomes._drop_evaluation(config) == []
    assert storage.place(config.output, REPORT).is_file()


@pytest.mark.parametrize("digest", ["d0", ""])
def test_what_told_of_the_model_before_is_dropped(config, monkeypatch, digest):
    finish(config, monkeypatch)
    evaluate(config, digest)
    dropped = model_outcomes._drop_evaluation(config)
    assert any(one.endswith(REPORT) for one in dropped)
    left = [path for path in storage.place(config.output).rglob("*") if path.is_file()]
    assert {path.parent.name for path in left} == {"model"}
    with pytest.raises(FileNotFoundError, match="was not finished. Run `beampose evaluate` first"):
        artefacts.require(storage.place(config.output, EVALUATION), EvaluationInfo)
