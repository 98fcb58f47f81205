"""One report.html of a run: its data, its errors, how sure to be of them. Needs no network."""

import base64
from collections import Counter
from typing import Any

import numpy as np
from upath import UPath

from beampose.core import artefacts, json_files, storage, task_kinds
from beampose.core.infos import (
    DatasetInfo,
    EvaluationInfo,
    FoldsInfo,
    Metrics,
    ModelInfo,
    StoreInfo,
)
from beampose.core.infos.evaluation_infos import DrawnImage
from beampose.core.names import (
    EVALUATION,
    FOLDS,
    FOLDS_HISTORY,
    HISTORY,
    LABELS_CSV,
    METRICS,
    PLAN,
    REJECTS,
    REPORT,
)
from beampose.core.settings.experiment import Config
from beampose.pipelines.report import (
    curve_files,
    error_analysis,
    evaluation_files,
    evaluation_reader,
    film_pages,
    gallery,
    label_overview,
    label_summary,
    pages,
    plots,
    provenance,
    still_sheets,
    unseen_videos,
    worst_frames,
)
from beampose.pipelines.report.gallery import Gallery, Shown
from beampose.preprocess import images
from beampose.trainer import advice, metrics

# Pixels of the longest side of a drawn image, and images shown of each kind.
SIDE, MOST = 640, 12


def write(config: Config) -> UPath:
    """Writes `<output>/report.html` and `<output>/plots/` from what is there. Returns the page.

    Raises:
      FileNotFoundError: there is no finished model or evaluation.
      ValueError: the evaluation is of another model.
    """
    run = _Run(config)
    with storage.replacing_folder(storage.place(config.output, gallery.FOLDER)) as folder:
        values = run.sections(Gallery(folder))
    target = storage.place(config.output, REPORT)
    storage.write_text(target, pages.render("report.html", **values))
    return target


class _Run:
    """The artefacts of a run."""

    def __init__(self, config: Config):
        from beampose.trainer.dataset import read_labels

        self.config = config
        self.info = artefacts.require(config.model, ModelInfo)
        self.dataset = artefacts.require(config.dataset, DatasetInfo)
        self.folder = storage.place(config.output, EVALUATION)
        evaluation = self._evaluation()
        self.drawn = evaluation.images
        self.spaces = {
            words: evaluation.metrics[side].space
            for side, words in (("test", "held out"), ("train", "training"))
            if side in evaluation.metrics and evaluation.metrics[side].space
        }
        self.metrics = artefacts.read_info(storage.place(config.model, METRICS), Metrics)
        self.records = [r for r in read_labels(config.dataset) if r.copy == 0]
        self.folds = self._folds()

    def sections(self, show: Gallery) -> dict[str, Any]:
        """Values that the template shows."""
        page = self._of_pose(show) if self.config.kind.points else self._of_crops(show)
        held_out = [one for one in self.drawn if one.split == "test"]
        others = [one for one in self.drawn if one.split != "test"]
        return {
            **page,
            "kind": self.config.kind,
            "title": self.dataset.project,
            "note": self.metrics.note,
            "metrics": self.metrics,
            # The page has a paragraph on videos that were not learned from.
            "doubts": [
                *advice.of_labels(self.info.labels, self.dataset.labels_digest),
                *[w for w in self.metrics.warnings if not w.startswith(advice.SAME_FILMS)],
            ],
            "info": self.info,
            "dataset": self.dataset,
            "data": label_summary.section(self.dataset, self.records),
            "rejects": (rejects := self._rejects()),
            "reject_levels": Counter(one.get("level", "error") for one in rejects),
            "worst": [self._card(one) for one in held_out[:MOST]],
            "others": [self._card(one) for one in others[:MOST]],
            "curve": self._curve(show),
            "training": self._training(show),
            "videos": film_pages.section(self.config, self.info, show),
            "photographs": still_sheets.section(self.config, self.info.digest),
            "folds": self.folds,
            "spaces": self.spaces,
            "plan": self._plan_and_truth(),
            "provenance": provenance.section(self.config, self.info, self.dataset, self.metrics),
            "labels_csv": f"{EVALUATION}/{LABELS_CSV}",
            "plots_folder": gallery.FOLDER,
        }

    def _of_pose(self, show: Gallery) -> dict[str, Any]:
        points = evaluation_reader.points(self.folder / LABELS_CSV, "test")
        names = self.info.bodyparts
        # What the model was trained with, not what the config says now.
        radius = self.info.settings.train.pos_dist_thresh

        def figures(images: set[str]) -> dict[str, Any]:
            chosen = points.of(np.isin(points.image, list(images)))
            total = error_analysis.by_bodypart(chosen, names, radius)[-1]
            return {
                "images": len(images),
                "mean_error_px": total["mean"],
                "median_error_px": total["median"],
            }

        found: dict[str, Any] = {
            "unseen": unseen_videos.section(self.records, figures, self.folds),
            "radius": radius,
        }
        if not np.isfinite(points.error).any():
            return {**found, "bodyparts": [], "errors": [], "calibration": None}
        errors = error_analysis.errors(points, names)
        shown = [
            (
                "errors-by-bodypart",
                "Every held-out error, and boxes of the middle half.",
                plots.by_bodypart,
            ),
            ("errors-cumulative", "Share of held-out points within a distance.", plots.cumulative),
        ]
        pcutoff = self.config.predict.pcutoff
        return {
            **found,
            "bodyparts": error_analysis.by_bodypart(points, names, radius),
            "errors": [show.show(name, caption, plot, errors) for name, caption, plot in shown],
            "calibration": error_analysis.of_points(points, radius, pcutoff, show),
        }

    def _of_crops(self, show: Gallery) -> dict[str, Any]:
        classes = self.info.classes
        crops = evaluation_reader.crops(self.folder / LABELS_CSV, "test", classes)

        def figures(images: set[str]) -> dict[str, Any]:
            chosen = crops.of(np.isin(crops.image, list(images)))
            right = metrics.called(chosen.scores, metrics.THRESHOLD) == chosen.label
            return {"images": len(images), "accuracy": float(right.mean()) if len(right) else None}

        found: dict[str, Any] = {
            "unseen": unseen_videos.section(self.records, figures, self.folds),
            "errors": [],
            "calibration": None,
        }
        test = self.metrics.test
        if not test:
            return found
        shown = error_analysis.confusion(test.confusion, classes, show)
        calibrated = error_analysis.of_crops(crops, classes, show)
        return {**found, "errors": [shown], "calibration": calibrated}

    def _training(self, show: Gallery) -> list[Shown]:
        """The history of the head, or of the heads of an ensemble, if it was kept."""
        history = self._json(storage.place(self.config.model, HISTORY)) or []
        if history:
            kind = task_kinds.of_info(self.info)
            caption = "Loss on training images, and the score on held-out ones."
            told = history, kind.score, kind.score_words
            return [show.show("training", caption, plots.losses, *told)]
        folds = self._json(storage.place(self.config.model, FOLDS_HISTORY))
        if not folds or self.info.heads < 2:
            return []
        caption = "Loss of each head of the model on the images it learned from."
        return [show.show("training", caption, plots.fold_losses, folds)]

    def _curve(self, show: Gallery) -> dict[str, Any] | None:
        found = curve_files.load(self.config, self.info, self.dataset)
        if not found:
            return None
        percent = found.error != "px"
        words = curve_files.words(found)
        label = {"missed": "labeled points missed"}.get(found.error, words)
        axis = f"{label} ({'%' if percent else 'px'})"
        caption = f"{words[0].upper()}{words[1:]} on the held-out images; shaded: 95 % interval."
        plot = show.show(
            "learning-curve", caption, plots.learning, found.points, axis, percent=percent
        )
        rows = [
            (
                one.images,
                *(curve_files.value(found, value) for value in (one.error, one.low, one.high)),
            )
            for one in found.points
        ]
        # A number and its unit stay on one line.
        said = curve_files.verdict(found).replace(" px", "\u00a0px").replace(" %", "\u00a0%")
        return {**dict(found), "plot": plot, "verdict": said, "rows": rows, "what": words}

    def _card(self, shown: DrawnImage) -> dict[str, Any]:
        card = {**shown.plain(), "data": self._picture(shown.file)}
        return {**card, "near": self._picture(shown.near)} if shown.near else card

    def _picture(self, file: str) -> str:
        jpeg = (self.folder / file).read_bytes()
        pixels = images.decode(jpeg)
        if max(pixels.shape[:2]) > SIDE:
            return label_overview.uri(worst_frames.fitted(pixels, SIDE), 82)
        return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"

    def _evaluation(self) -> EvaluationInfo:
        """The evaluation, which must be of the model that is there now."""
        found = artefacts.require(self.folder, EvaluationInfo)
        if found.model != self.info.digest:
            raise ValueError(
                f"{self.folder} is the evaluation of another model than {self.config.model}, which "
                "was trained since. Run `beampose evaluate` again, then `beampose report`."
            )
        return found

    def _folds(self) -> FoldsInfo | None:
        """The last cross validation, if it was of the settings and features the model has."""
        if self.info.mode == "finetune":
            # Cross validation judges heads on stored features.
            return None
        found = artefacts.find_info(self.folder / FOLDS, FoldsInfo)
        of = evaluation_files.settings_of(self.info.config, self.info.store)
        if found is None or found.of != of or found.labels not in ("", self.dataset.labels_digest):
            return None
        return found

    def _plan_and_truth(self) -> list[tuple[str, str, str]]:
        """Estimates of `beampose plan`, if it was run, beside the measured values."""
        planned = self._json(storage.place(self.config.output, PLAN))
        if not planned:
            return []
        counts, seconds = self.dataset.counts, self.metrics.seconds
        # The heads of an ensemble are those of the folds.
        ensemble = self.config.train.ensemble
        trained = seconds.train + (0 if ensemble else seconds.folds)
        place = storage.place(self.config.store, self.dataset.store)
        store = artefacts.require(place, StoreInfo)
        each = planned["bytes"] / max(planned["images"] + planned["copies"], 1)
        return [
            ("labeled images", str(planned["images"]), str(counts.images)),
            ("augmented copies", str(planned["copies"]), str(counts.copies)),
            (
                "kB in the store for each",
                f"{each / 1e3:.1f}",
                f"{store.bytes / max(store.records, 1) / 1e3:.1f}",
            ),
            (
                "seconds for features",
                f"{planned['features_seconds']:.0f}",
                f"{seconds.features:.0f} (the last run: what the store held was kept)",
            ),
            ("seconds of training", f"{planned['train_seconds']:.0f}", f"{trained:.0f}"),
        ]

    def _rejects(self) -> list[dict[str, Any]]:
        file = storage.place(self.config.dataset, REJECTS)
        return json_files.lines(file.read_text(encoding="utf-8"), file)

    def _json(self, file: UPath) -> Any:
        return storage.read_json(file) if file.is_file() else None
