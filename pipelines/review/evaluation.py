"""What `evaluate` leaves for people: a table, a csv of every label, drawn images, worst first."""

import csv
from typing import Any

import numpy as np
from upath import UPath

from pipelines.outputs import dlc_evaluation
from pipelines.review import draw
from preprocess import files, images
from trainer import artefacts
from trainer.config import Config, to_dict
from trainer.evaluate import SPLITS, Evaluation, errors
from trainer.folds import CrossValidation
from trainer.schema import LabelRecord
from trainer.settings import NOT_OF_A_HEAD

FOLDER = "evaluation"


def write(result: Evaluation, config: Config) -> UPath:
    """Writes `<output>/evaluation`: labels.csv and drawn images. Returns the csv.

    Of a DeepLabCut project also what DeepLabCut's own evaluation leaves.
    """
    folder = artefacts.begin(artefacts.place(config.output, FOLDER))
    target = folder / "labels.csv"
    with artefacts.replacing(target) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows(_pose_rows(result) if result.task == "pose" else _crop_rows(result))
    shown = []
    with artefacts.replacing_folder(folder / "images") as drawn:
        for rank, i in enumerate(worst(result)[: config.render.images], 1):
            image = _drawn(result, i, config)
            if image is None:
                continue
            record = result.records[i]
            name = f"{rank:03d}-{record.split}-{files.stem(record.name)}.jpg"
            (drawn / name).write_bytes(images.encode_jpeg(image))
            shown.append({"file": f"images/{name}", "name": record.name, "split": record.split})
    model = artefacts.place(config.model, artefacts.INFO)
    if result.task == "pose" and model.is_file():
        dlc_evaluation.write(result, config, artefacts.read_json(model), folder)
    artefacts.complete(folder, {"metrics": result.metrics, "images": shown})
    return target


def settings_of(config: dict[str, Any], store: str) -> str:
    """Names what figures belong to: a head's settings, as in info.json, and its features."""
    settings = {k: v for k, v in config["train"].items() if k not in NOT_OF_A_HEAD}
    return artefacts.digest([settings, store])


def write_folds(result: CrossValidation, config: Config, store: str) -> UPath:
    """Writes `<output>/evaluation/folds.csv`, every prediction, and folds.json, the figures."""
    folder = artefacts.place(config.output, FOLDER)
    records = [
        record._replace(split=f"fold {result.names[fold]}")
        for record, fold in zip(result.records, result.folds, strict=True)
    ]
    names = list(result.metrics.get("per_bodypart") or result.metrics["classes"])
    shown = Evaluation(config.task, names, records, result.predicted, {}, result.individuals)
    target = folder / "folds.csv"
    with artefacts.replacing(target) as temporary, temporary.open("w", newline="") as stream:
        rows = _pose_rows(shown) if config.task == "pose" else _crop_rows(shown)
        csv.writer(stream).writerows(rows)
    figures = {
        "of": settings_of(to_dict(config), store),
        "folds": dict(zip(result.names, result.by_fold, strict=True)),
        "all": result.metrics,
        "uncertainty": result.radius,
        "seconds": round(result.seconds, 2),
    }
    artefacts.write_json(folder / "folds.json", figures)
    return target


def folds_table(result: CrossValidation) -> str:
    """The figures of each fold and of all together, for a terminal."""
    keys = ("accuracy", "precision", "recall", "auc")
    if "accuracy" not in result.metrics:
        keys = ("mean_error_px", "median_error_px", "mean_error_px_pcutoff")
        keys += ("mAP", "mAR") if "mAP" in result.metrics else ()
    rows = [*zip(result.names, result.by_fold, strict=True), ("all", result.metrics)]
    lines = [
        f"fold {name:<12} {found['images']:>6} images  "
        + "  ".join(f"{key} {figure(found[key], 3)}" for key in keys)
        for name, found in rows
    ]
    if result.radius:
        level, covered = result.radius["level"], result.radius["coverage"]
        lines.append(
            f"{level:.0%} of errors are expected below (of the errors of folds left out "
            f"{figure(covered, 3)} were):"
        )
        for bodypart, radius in result.radius["radius_px"].items():
            lines.append(f"       {bodypart:<16} {figure(radius)} px")
    return "\n".join(lines)


def worst(result: Evaluation) -> list[int]:
    """Indices of images, held-out ones first, each split from the largest error down."""
    if result.task == "pose":
        found = errors(result)
        size = _badness(result, found.reshape(len(found), -1))
    else:
        labels = np.array([r.label for r in result.records])
        size = 1.0 - result.predicted[np.arange(len(labels)), labels]
    held_out = [r.split == "test" for r in result.records]
    return sorted(range(len(size)), key=lambda i: (not held_out[i], -size[i]))


def _badness(result: Evaluation, distance: np.ndarray) -> np.ndarray:
    """How bad each image is: its largest error; of several animals the mean, misses before all."""
    known = np.isfinite(distance).any(axis=1)
    size = np.full(len(distance), -1.0)
    if not result.individuals:
        size[known] = np.nanmax(distance[known], axis=1)
        return size
    size[known] = np.nanmean(distance[known], axis=1)
    labeled = np.stack([np.isfinite(r.keypoints[..., 0]).ravel() for r in result.records])
    return size + 1e4 * (labeled & ~np.isfinite(distance)).sum(axis=1)


def table(metrics: dict[str, dict[str, Any]]) -> str:
    """The figures for a terminal, the held-out ones first."""
    lines = []
    for split in reversed(SPLITS):
        found = metrics.get(split)
        if not found:
            continue
        if "accuracy" in found:
            names = ("accuracy", "precision", "recall", "auc")
            figures = "  ".join(f"{name} {figure(found[name], 3)}" for name in names)
            lines.append(f"{split:<6} {found['images']:>6} crops   {figures}")
            continue
        names = ("mean_error_px", "median_error_px", "rmse_px", "mean_error_px_pcutoff")
        figures = "  ".join(f"{name} {figure(found[name])}" for name in names)
        lines.append(f"{split:<6} {found['images']:>6} images  {figures}")
        if "mAP" in found:
            lines.append(f"       {_of_animals(found)}")
        for name, part in found["per_bodypart"].items():
            lines.append(
                f"       {name:<16} {part['points']:>5} points  mean "
                f"{figure(part['mean_error_px'])}  median {figure(part['median_error_px'])}"
            )
    return "\n".join(lines)


def _of_animals(found: dict[str, Any]) -> str:
    """The figures that only several animals have, for a terminal."""
    names = ("mAP", "mAR", "oks_f1", "share_found", "identity_accuracy")
    shown = [f"{name} {figure(found[name], 3)}" for name in names if name in found]
    within = found["share_within_px"].items()
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


def _drawn(result: Evaluation, i: int, config: Config) -> np.ndarray | None:
    record = result.records[i]
    try:
        image = images.load(record.image_uri)[0].copy()
    except (OSError, ValueError):
        # Gone since it was embedded: the figures stand, the picture is missing.
        return None
    if result.task == "crops":
        return _drawn_crop(image, record, result.predicted[i], result.names)
    radius = config.render.dot_size or draw.dot_size(*image.shape[:2])
    labels = record.keypoints if result.individuals else record.keypoints[0]
    # A colour a bodypart; of several animals a colour an individual.
    colors = draw.palette(len(labels))
    if result.individuals:
        radius = max(radius // 2, 2)
        _join(image, result, i, colors)
        colors = [color for color in colors for _ in result.names]
    found = result.predicted[i].reshape(-1, 3)
    points, sure = found[:, :2], found[:, 2:] >= config.predict.pcutoff
    draw.dots(image, np.where(sure, points, np.nan), colors, radius)
    draw.rings(image, np.where(sure, np.nan, points), colors, radius + 1)
    draw.crosses(image, labels.reshape(-1, 2), colors, 2 * radius)
    error = errors(result)[i]
    text = "no label" if np.isnan(error).all() else f"mean error {np.nanmean(error):.1f} px"
    if result.individuals:
        missed = int((np.isfinite(labels[..., 0]) & np.isnan(error)).sum())
        text += f", {missed} of {int(np.isfinite(labels[..., 0]).sum())} points missed"
    return draw.caption(image, f"{record.split}: {record.name}  {text}")


def _join(image: np.ndarray, result: Evaluation, i: int, colors: list) -> None:
    """Lines from the middle of each individual to its bodyparts, in its colour."""
    for points, color in zip(result.predicted[i, ..., :2], colors, strict=True):
        known = points[np.isfinite(points).all(axis=1)]
        if len(known) > 1:
            draw.star(image, known, color)


def _drawn_crop(
    image: np.ndarray, record: LabelRecord, scores: np.ndarray, names: list[str]
) -> np.ndarray:
    predicted = int(scores.argmax())
    right = "right" if predicted == record.label else f"WRONG: is {names[record.label]}"
    wide = np.full((image.shape[0], max(image.shape[1], 260), 3), 24, np.uint8)
    wide[:, : image.shape[1]] = image
    return draw.caption(wide, f"{names[predicted]} {scores[predicted]:.2f}, {right}")


def figure(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
