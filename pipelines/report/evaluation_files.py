"""Files of `evaluate`: a table, a csv of every label, drawn images, worst first."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from upath import UPath

from beampose.core import __version__, artefacts, csv_cells, files, storage
from beampose.core.infos import DatasetInfo, EvaluationInfo, Figures, FoldsInfo, ModelInfo
from beampose.core.name_parts import safe
from beampose.core.names import EVALUATION, FOLDS, INFO, LABELS_CSV
from beampose.core.settings.experiment import Config, Train, to_dict
from beampose.core.settings.section import ANIMALS, HEAD, outcome
from beampose.core.wording import agreed, counted
from beampose.formats.deeplabcut import evaluation_writer
from beampose.pipelines.report import worst_frames
from beampose.preprocess import images
from beampose.trainer.outcomes import SPLITS, CrossValidation, Evaluation, errors

LOG = logging.getLogger(__name__)
# Classes of which the first is what is looked for; of more no one is.
_TWO = 2


def write(result: Evaluation, config: Config) -> UPath:
    """Writes `<output>/evaluation`: labels.csv and drawn images. Returns the csv.

    Of a DeepLabCut project also what DeepLabCut's own evaluation leaves.
    """
    folder = artefacts.begin(storage.place(config.output, EVALUATION))
    target = folder / LABELS_CSV
    with storage.replacing(target) as temporary, temporary.open("w", newline="") as stream:
        writer = csv_cells.Writer(stream)
        writer.writerows(_pose_rows(result) if result.kind.points else _crop_rows(result))
    shown, gone = [], []
    with storage.replacing_folder(folder / "images") as drawn:
        for rank, i in enumerate(worst_frames.worst(result)[: config.render.images], 1):
            record = result.records[i]
            stem = f"{rank:03d}-{record.split}-{safe(files.stem(record.name))}"
            entry = {"name": record.name, "split": record.split, **worst_frames.facts(result, i)}
            pictures = worst_frames.pictures(result, i, config)
            for kind, image in pictures.items():
                name = f"{stem}{'' if kind == 'whole' else f'-{kind}'}.jpg"
                (drawn / name).write_bytes(images.encode_jpeg(image))
                entry["file" if kind == "whole" else kind] = f"images/{name}"
            (shown if pictures else gone).append(entry)
    _tell_gone([entry["name"] for entry in gone])
    model = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    if result.kind.points and model:
        evaluation_writer.write(_judged(result), config, model, folder)
    info = EvaluationInfo(
        made_by=f"beampose {__version__} evaluate",
        metrics=result.metrics,
        images=shown,
        model=model.digest if model else "",
    )
    artefacts.complete(folder, info)
    return target


def _tell_gone(names: list[str]) -> None:
    if names:
        LOG.warning(
            "NOTE %s among those with the largest errors cannot be read any more and %s not drawn, "
            "such as %s. The figures are of all images",
            counted(len(names), "image"),
            agreed(len(names), "are"),
            names[0],
        )


def _judged(result: Evaluation) -> evaluation_writer.Judged:
    return evaluation_writer.Judged(
        images=[record.name for record in result.records],
        train=np.array([record.split == "train" for record in result.records]),
        bodyparts=result.names,
        predicted=result.predicted,
        errors=errors(result),
    )


def settings_of(config: Mapping[str, Any], store: str) -> str:
    """Names what figures belong to: a head's settings, as in info.json, and its features."""
    settings = Train.model_construct(**config["train"])
    return storage.digest([outcome(settings, HEAD, ANIMALS), store])


def write_folds(result: CrossValidation, config: Config, dataset: DatasetInfo) -> UPath:
    """Writes `<output>/evaluation/folds.csv`, every prediction, and folds.json, the figures."""
    folder = storage.place(config.output, EVALUATION)
    records = [
        record._replace(split=f"fold {result.names[fold]}")
        for record, fold in zip(result.records, result.folds, strict=True)
    ]
    names = list(result.metrics.per_bodypart or result.metrics.classes)
    shown = Evaluation(config.task, names, records, result.predicted, {}, result.individuals)
    target = folder / "folds.csv"
    with storage.replacing(target) as temporary, temporary.open("w", newline="") as stream:
        rows = _pose_rows(shown) if config.kind.points else _crop_rows(shown)
        csv_cells.Writer(stream).writerows(rows)
    info = FoldsInfo(
        made_by=f"beampose {__version__} evaluate",
        of=settings_of(to_dict(config), dataset.store),
        labels=dataset.labels_digest,
        by=result.by,
        folds=dict(zip(result.names, result.by_fold, strict=True)),
        all=result.metrics,
        uncertainty=result.radius.plain() if result.radius else {},
        seconds=round(result.seconds, 2),
    )
    artefacts.write_info(folder / FOLDS, info)
    return target


def folds_table(result: CrossValidation) -> str:
    """The figures of each fold and of all together, for a terminal."""
    if "accuracy" in result.metrics:
        keys = _of_crops(result.metrics)
    else:
        keys = ("mean_error_px", "median_error_px", "mean_error_px_pcutoff")
        keys += ("mAP", "mAR") if "mAP" in result.metrics else ()
    rows = [*zip(result.names, result.by_fold, strict=True), ("all", result.metrics)]
    lines = [
        f"fold {name:<12} {found.images:>6} images  "
        + "  ".join(f"{key} {figure(found[key], 3)}" for key in keys)
        for name, found in rows
    ]
    if result.radius:
        level, covered = result.radius.level, result.radius.coverage
        lines.append(
            f"{level:.0%} of errors are expected below (of the errors of folds left out "
            f"{figure(covered, 3)} were):"
        )
        for bodypart, radius in result.radius.radius_px.items():
            lines.append(f"       {bodypart:<16} {figure(radius)} px")
    return "\n".join(lines)


def table(metrics: dict[str, Figures]) -> list[str]:
    """Lines of the figures for a terminal, the held-out ones first."""
    lines = []
    for split in reversed(SPLITS):
        found = metrics.get(split)
        if not found:
            continue
        if "accuracy" in found:
            figures = "  ".join(f"{name} {figure(found[name], 3)}" for name in _of_crops(found))
            lines.append(f"{split:<6} {found.images:>6} crops   {figures}")
            continue
        names = ("mean_error_px", "median_error_px", "rmse_px", "mean_error_px_pcutoff")
        figures = "  ".join(f"{name} {figure(found[name])}" for name in names)
        lines.append(f"{split:<6} {found.images:>6} images  {figures}")
        if "mAP" in found:
            lines.append(f"       {_of_animals(found)}")
        for name, part in found.per_bodypart.items():
            lines.append(
                f"       {name:<16} {part.points:>5} points  mean "
                f"{figure(part.mean_error_px)}  median {figure(part.median_error_px)}"
            )
    return lines


def _of_crops(found: Figures) -> tuple[str, ...]:
    """The figures that say something of crops: the others are of the first class of two."""
    if len(found.classes) > _TWO:
        return "accuracy", "balanced_accuracy"
    return "accuracy", "precision", "recall", "auc"


def _of_animals(found: Figures) -> str:
    """The figures that only several animals have, for a terminal."""
    names = ("mAP", "mAR", "oks_f1", "share_found", "identity_accuracy")
    shown = [f"{name} {figure(found[name], 3)}" for name in names if name in found]
    within = found.share_within_px.items()
    shares = [f"{limit} px {figure(share, 3)}" for limit, share in within]
    return f"{'  '.join(shown)}  share of labeled points within " + ", ".join(shares)


def _pose_rows(result: Evaluation):
    several = bool(result.individuals)
    yield [
        "image",
        "split",
        *(["individual"] if several else []),
        "bodypart",
        "x",
        "y",
        "predicted_x",
        "predicted_y",
        "likelihood",
        "error_px",
    ]
    distance = errors(result)
    for i, record in enumerate(result.records):
        for place in np.ndindex(distance[i].shape):
            k, j = place if several else (0, *place)
            cells = [
                *[_cell(v) for v in record.keypoints[k, j]],
                *[_cell(v) for v in result.predicted[i][place][:2]],
                _cell(result.predicted[i][place][2], 4),
                _cell(distance[i][place]),
            ]
            if several and not any(cells):
                # Neither labeled nor found: most of a crowd's cells.
                continue
            owner = [result.individuals[k]] if several else []
            yield [record.name, record.split, *owner, result.names[j], *cells]


def _cell(value: float, digits: int = 3) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def _crop_rows(result: Evaluation):
    yield ["image", "split", "label", "predicted", *[f"score_{name}" for name in result.names]]
    for record, scores in zip(result.records, result.predicted, strict=True):
        predicted = result.names[int(scores.argmax())]
        label = result.names[record.label]
        yield [record.name, record.split, label, predicted, *[f"{s:.4f}" for s in scores]]


def figure(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
