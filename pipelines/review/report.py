"""One report.html of an experiment: figures, curves, images, videos. Opens without a network."""

import base64
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from upath import UPath

from pipelines.outputs import deeplabcut
from pipelines.predict import commit
from pipelines.review import evaluation, plots
from preprocess import images, videos
from trainer import artefacts
from trainer.config import Config
from trainer.task import METRICS

REPORT = "report.html"
# Frames shown of each labeled video.
STILLS = 4


def write(config: Config) -> UPath:
    """Writes `<output>/report.html` from what is there. Returns its path.

    Raises:
      FileNotFoundError: there is no finished model or evaluation.
    """
    info = artefacts.require(config.model, "train")
    dataset = artefacts.require(config.dataset, "features")
    drawn = artefacts.require(artefacts.place(config.output, evaluation.FOLDER), "evaluate")
    metrics = artefacts.read_json(artefacts.place(config.model, METRICS))
    history = artefacts.read_json(artefacts.place(config.model, "history.json"))
    environment = Environment(
        loader=PackageLoader("pipelines.review", "."), autoescape=select_autoescape()
    )
    page = environment.get_template("report.html").render(
        task=config.task,
        title=dataset["project"],
        note=metrics.get("note"),
        metrics=metrics,
        info=info,
        dataset=dataset,
        rejects=_rejects(config),
        plots=[(name, Markup(svg)) for name, svg in _plots(config, info, metrics, history)],  # noqa: S704
        images=[{**shown, "data": _data(config, shown["file"])} for shown in drawn["images"]],
        videos=_videos(config, info),
        folds=_folds(config, info),
        plan=_plan_and_truth(config, dataset, metrics),
        labels_csv=f"{evaluation.FOLDER}/labels.csv",
    )
    target = artefacts.place(config.output, REPORT)
    artefacts.write_text(target, page)
    return target


def _json(file: UPath) -> Any:
    return artefacts.read_json(file) if file.is_file() else None


def _folds(config: Config, info: dict[str, Any]) -> dict[str, Any] | None:
    """The last cross validation, if it was of the settings and features the model has."""
    if info.get("mode") == "finetune":
        # Cross validation judges heads on stored features.
        return None
    found = _json(artefacts.place(config.output, evaluation.FOLDER, "folds.json"))
    if not found or found.get("of") != evaluation.settings_of(info["config"], info["store"]):
        return None
    return found


def _plan_and_truth(config: Config, dataset: dict, metrics: dict) -> list[tuple[str, str, str]]:
    """What `beampose plan` said, if it was asked, beside what it took."""
    planned = _json(artefacts.place(config.output, "plan.json"))
    if not planned:
        return []
    counts, seconds = dataset["counts"], metrics["seconds"]
    # The heads of an ensemble are those of the folds.
    trained = seconds["train"] + (0 if config.train.ensemble else seconds.get("folds", 0))
    store = artefacts.require(artefacts.place(config.store, dataset["store"]), "features")
    each = planned["bytes"] / max(planned["images"] + planned["copies"], 1)
    return [
        ("labeled images", str(planned["images"]), str(counts["images"])),
        ("augmented copies", str(planned["copies"]), str(counts["copies"])),
        (
            "kB in the store for each",
            f"{each / 1e3:.1f}",
            f"{store['bytes'] / max(store['records'], 1) / 1e3:.1f}",
        ),
        (
            "seconds for features",
            f"{planned['features_seconds']:.0f}",
            f"{seconds['features']:.0f} (the last run: what the store held was kept)",
        ),
        ("seconds of training", f"{planned['train_seconds']:.0f}", f"{trained:.0f}"),
    ]


def _plots(config: Config, info: dict, metrics: dict, history: list) -> list[tuple[str, str]]:
    if config.task == "crops":
        found = []
        if history:
            found.append(("Training", plots.losses(history, "accuracy", "accuracy")))
        if metrics["test"]:
            test = metrics["test"]
            found.append(("Held-out crops", plots.confusion(test["confusion"], test["classes"])))
        return found
    found = []
    if history:
        score, unit = ("mean_error_px", "mean error (px)")
        if "assembly" in info:
            score, unit = ("oks_f1", "OKS, F1")
        found.append(("Training", plots.losses(history, score, unit)))
    if metrics["test"]:
        distance, bodyparts = _held_out_errors(config)
        found.append(("Held-out errors", plots.error_histogram(distance, bodyparts)))
    return found


def _held_out_errors(config: Config) -> tuple[np.ndarray, list[str]]:
    import pandas as pd

    with artefacts.place(config.output, evaluation.FOLDER, "labels.csv").open("rb") as stream:
        table = pd.read_csv(stream)
    table = table[table["split"] == "test"]
    index = ["image", *(["individual"] if "individual" in table else [])]
    wide = table.pivot(index=index, columns="bodypart", values="error_px")
    bodyparts = list(dict.fromkeys(table["bodypart"]))
    return wide[bodyparts].to_numpy(), bodyparts


def _rejects(config: Config) -> list[dict[str, Any]]:
    import json

    file = artefacts.place(config.dataset, "rejects.jsonl")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _videos(config: Config, info: dict[str, Any]) -> list[dict[str, Any]]:
    if config.task == "crops":
        return _crop_videos(config)
    if info.get("assembly"):
        return []
    found = []
    scorer = info.get("dlc_scorer", "")
    for file in sorted(artefacts.place(config.predictions).rglob(f"*{scorer}.json"), key=str):
        summary = artefacts.read_json(file)
        stem = commit.stem_of(file)
        keypoints, bodyparts = deeplabcut.keypoints(deeplabcut.read(f"{stem}.csv"))
        cutoff = config.predict.pcutoff
        labeled = artefacts.place(f"{stem}_labeled.mp4")
        sure = keypoints[..., 2] >= cutoff
        found.append(
            {
                **summary,
                "labeled": _below(str(labeled), config) if labeled.is_file() else None,
                "csv": _below(f"{stem}.csv", config),
                "stills": _stills(labeled) if labeled.is_file() else [],
                "sure": [(n, float(s)) for n, s in zip(bodyparts, sure.mean(axis=0), strict=True)],
                "plot": Markup(  # noqa: S704
                    plots.trajectory(keypoints, bodyparts, cutoff, summary["fps"])
                ),
            }
        )
    return found


def _crop_videos(config: Config) -> list[dict[str, Any]]:
    found = []
    for file in sorted(artefacts.place(config.predictions).rglob("*_crops.json"), key=str):
        stem = commit.stem_of(file)
        labeled = artefacts.place(f"{stem}_labeled.mp4")
        drawn = labeled.is_file()
        found.append(
            {
                **artefacts.read_json(file),
                "labeled": _below(str(labeled), config) if drawn else None,
                "folder": _below(str(stem).removesuffix("_crops"), config),
                "stills": _stills(labeled) if drawn else [],
            }
        )
    return found


def _below(file: str, config: Config) -> str:
    return file.removeprefix(config.output.rstrip("/") + "/")


def _stills(path: UPath) -> list[str]:
    video = videos.index(str(path))
    found = []
    for k in range(STILLS):
        at = int((k + 0.5) * video.count / STILLS)
        for frame in videos.read(video, at, at + 1):
            if frame.pixels is not None:
                found.append(_uri(images.encode_jpeg(frame.pixels, quality=80)))
    return found


def _data(config: Config, file: str) -> str:
    return _uri(artefacts.place(config.output, evaluation.FOLDER, file).read_bytes())


def _uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
