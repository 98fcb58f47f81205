"""A trained model, its evaluation and its report."""

import dataclasses
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from upath import UPath

from beampose.core import artefacts, storage
from beampose.core.infos import DatasetInfo, EvaluationInfo, Figures, Metrics, ModelInfo
from beampose.core.names import EVALUATION, INFO, LABELS_CSV, METRICS, REPORT
from beampose.core.settings.experiment import Config
from beampose.pipelines.outcome import Outcome, Rows

if TYPE_CHECKING:
    from beampose.trainer.evaluation import Evaluation


@dataclasses.dataclass(frozen=True, repr=False)
class Trained(Outcome):
    """A model that was trained, evaluated, exported and verified.

    Attributes:
      model: its folder, for `beampose.load_model`.
      metrics: as in its metrics.json.
      dropped: what told of the model before, and was removed.
    """

    model: str
    metrics: Metrics
    dropped: Sequence[str] = ()

    def lines(self) -> Iterator[str]:
        if self.metrics.note:
            yield f"NOTE: {self.metrics.note}"
        took = self.metrics.seconds
        seconds = f"{took.train:.0f} s of training"
        seconds += f" and {took.finetune:.0f} s of finetuning" if took.finetune is not None else ""
        yield f"train: {_headline(self.metrics.test)}{seconds}. {self.model}"
        for line in self.metrics.warnings:
            yield f"NOTE: {line}"
        if self.dropped:
            yield f"Removed, since they were of the model before: {', '.join(self.dropped)}"

    def tables(self) -> Iterator[Rows]:
        yield _figures({"test": self.metrics.test, "train": self.metrics.train})


@dataclasses.dataclass(frozen=True, repr=False)
class Evaluated(Outcome):
    """The exported model on the labeled images.

    Attributes:
      evaluation: every prediction beside its label.
      file: labels.csv, a row for each label.
      notes: what makes the figures doubtful.
    """

    evaluation: "Evaluation"
    file: UPath
    notes: Sequence[str] = ()

    @property
    def metrics(self) -> dict[str, Figures]:
        """By split, as in metrics.json."""
        return self.evaluation.metrics

    def lines(self) -> Iterator[str]:
        from beampose.pipelines.report import evaluation_files
        from beampose.pipelines.space import space_errors

        yield from evaluation_files.table(self.metrics)
        for split in ("test", "train"):
            space = self.metrics.get(split, Figures()).space
            if space:
                yield space_errors.line(space, split)
        yield f"Every label beside its prediction: {self.file}"
        for note in self.notes:
            yield f"NOTE: {note}"

    def tables(self) -> Iterator[Rows]:
        yield _figures(self.metrics)
        parts = self.metrics.get("test", Figures()).per_bodypart
        if parts:
            cells = [
                [name, part.points, part.mean_error_px, part.median_error_px]
                for name, part in parts.items()
            ]
            yield Rows(("bodypart (test)", "points", "mean_error_px", "median_error_px"), cells)


@dataclasses.dataclass(frozen=True, repr=False)
class Reported(Outcome):
    """A page about the model.

    Attributes:
      file: report.html.
      plots: the folder of its plots, as SVG and PNG.
    """

    file: UPath
    plots: UPath

    def lines(self) -> Iterator[str]:
        yield f"report: {self.file}, plots as SVG and PNG in {self.plots}"

    def _repr_html_(self) -> str:
        return f'<a href="{escape(str(self.file))}" target="_blank">{escape(str(self.file))}</a>'


def train(config: Config) -> Trained:
    """Trains, evaluates, exports and verifies.

    Raises:
      FileNotFoundError: there is no dataset.
      ValueError: it cannot be learned from.
    """
    from beampose.trainer import task

    metrics = task.run(config, task.default_folders(config))
    return Trained(config.model, metrics, _drop_evaluation(config))


def _drop_evaluation(config: Config) -> list[str]:
    """Takes away the evaluation, the report and the plots of another model than the present one.

    Cross validation and the learning curve stay: they say themselves which labels and settings
    they belong to.
    """
    from beampose.pipelines.report import gallery

    digest = artefacts.require(config.model, ModelInfo).digest
    folder = storage.place(config.output, EVALUATION)
    try:
        evaluated = artefacts.find_info(folder / INFO, EvaluationInfo)
    except ValueError:
        # Damaged, or of a newer version: not known to be of this model.
        evaluated = None
    there = (folder / INFO).is_file()
    if not there or (evaluated and evaluated.model == digest):
        return []
    artefacts.begin(folder)
    dropped = []
    files = (folder / INFO, folder / LABELS_CSV, storage.place(config.output, REPORT))
    for file in files:
        if file.is_file():
            file.unlink()
            dropped.append(str(file))
    for inner in (folder / "images", storage.place(config.output, gallery.FOLDER)):
        if inner.is_dir():
            storage.remove(inner)
            dropped.append(str(inner))
    return dropped


def evaluate(config: Config) -> Evaluated:
    """Measures the exported model on the labeled images and draws what it says.

    Raises:
      FileNotFoundError: there is no dataset or no model.
      ValueError: the model was trained on features of another store, or `cameras.calibration`
        does not fit the labels.
    """
    from beampose.pipelines.report import evaluation_files
    from beampose.pipelines.space import space_errors
    from beampose.trainer import advice, evaluation

    storage.check_writable(storage.place(config.output, EVALUATION))
    found = evaluation.evaluate(config)
    info = artefacts.require(config.model, ModelInfo)
    judged = space_errors.Judged(found.records, found.predicted, found.names, info.uncertainty)
    sides = [record.split for record in found.records]
    found = found._replace(metrics=space_errors.with_space(config, judged, found.metrics, sides))
    _keep_space(config, found.metrics)
    now = artefacts.require(config.dataset, DatasetInfo).labels_digest
    notes = advice.of_labels(info.labels, now)
    return Evaluated(found, evaluation_files.write(found, config), notes)


def _keep_space(config: Config, found: dict[str, Figures]) -> None:
    """Adds the errors of points in space to the model's metrics.json."""
    if not any(figures.space for figures in found.values()):
        return
    file = storage.place(config.model, METRICS)
    metrics = artefacts.read_info(file, Metrics)
    sides = {
        side: getattr(metrics, side).replace(space=figures.space)
        for side, figures in found.items()
        if figures.space
    }
    artefacts.write_info(file, metrics.replace(**sides))


def report(config: Config) -> Reported:
    """Writes report.html and its plots from what is there.

    Raises:
      FileNotFoundError: there is no finished model or evaluation.
    """
    from beampose.pipelines.report import gallery, report_page

    file = report_page.write(config)
    return Reported(file, file.with_name(gallery.FOLDER))


def _headline(test: Figures) -> str:
    if not test:
        return "no image is held out, so there is no error to report; "
    if "accuracy" in test:
        return f"test accuracy {test.accuracy:.3f}, "
    if test.mean_error_px is None:
        return "the test images hold no labeled point; "
    animals = ""
    if test.mAP is not None:
        animals = f", mAP {test.mAP:.3f}, {test.share_found:.0%} of points found"
    return f"test error {test.mean_error_px:.2f} px (median {test.median_error_px:.2f}){animals}, "


def _figures(metrics: dict[str, Figures]) -> Rows:
    """The figures of each split, the held-out ones first."""
    splits = {name: metrics[name].plain() for name in ("test", "train") if metrics.get(name)}
    first = next(iter(splits.values()), {})
    keys = [key for key, value in first.items() if isinstance(value, (int, float))]
    return Rows(("split", *keys), [[name, *map(found.get, keys)] for name, found in splits.items()])
