"""Provenance of a report's figures: settings, features, weights, seeds, versions, dates."""

import datetime
from typing import Any

import yaml

from beampose.core import storage, task_kinds
from beampose.core.infos import DatasetInfo, Metrics, ModelInfo, Recipe
from beampose.core.infos.dataset_info import worth_telling
from beampose.core.names import COMPLETED, EVALUATION
from beampose.core.settings.experiment import Config

_SHOWN = 16


def section(
    config: Config, info: ModelInfo, dataset: DatasetInfo, metrics: Metrics
) -> dict[str, Any]:
    """Rows of (what, value), and the settings as YAML."""
    recipe, settings, kind = info.recipe, info.config, task_kinds.of_info(info)
    seeds = {"split": info.settings.split.seed, "training": info.settings.train.seed}
    rows = [
        ("labels and features", f"{dataset.made_by}{_when(config.dataset)}"),
        ("model", f"{info.made_by}{_when(config.model)}"),
        ("evaluation", _evaluated(config)),
        ("model digest", info.digest),
        ("labels", f"{dataset.source['format']}, digest {dataset.labels_digest[:_SHOWN]}"),
        ("network", f"{recipe.backbone}, weights {info.weights}"),
        ("weights digest", recipe.weights_digest),
        ("finetuned weights digest", metrics.finetuned_weights_digest),
        ("feature store", info.store),
        ("features", _features(recipe)),
        ("transform digest", info.transform_digest),
        ("settings digest", storage.digest(settings)),
        ("chosen by the data", _chosen(info)),
        ("kept step", f"{metrics.kept_step} ({metrics.kept_by.replace('_px', '')})"),
        ("heads", info.heads),
        ("seeds", ", ".join(f"{name} {seed}" for name, seed in seeds.items())),
        ("versions", ", ".join(f"{name} {v}" for name, v in info.versions.items())),
        ("stored features against pixels", _skew(info)),
        ("name of the scorer in files", info.dlc_scorer if kind.points else None),
    ]
    return {
        "rows": [(name, value) for name, value in rows if value not in (None, "")],
        "settings": yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
    }


def _when(folder: storage.Address) -> str:
    """Time at which a folder was completed, in UTC; empty if the file system does not say."""
    try:
        changed = storage.place(folder, COMPLETED).stat().st_mtime
    except (OSError, NotImplementedError):
        return ""
    if not changed:
        return ""
    moment = datetime.datetime.fromtimestamp(changed, datetime.timezone.utc)
    return f", {moment:%Y-%m-%d %H:%M} UTC"


def _evaluated(config: Config) -> str:
    return _when(storage.place(config.output, EVALUATION)).removeprefix(", ")


def _features(recipe: Recipe) -> str:
    known = recipe.plain()
    parts = [
        f"{name} {known[name]}"
        for name in ("scale", "stride", "taps", "precision", "pca")
        if name in known
    ]
    return ", ".join(parts)


def _chosen(info: ModelInfo) -> str:
    """What the config left open, with the reasons."""
    return "; ".join(
        f"{key} {one.value:g} ({one.why})" for key, one in worth_telling(info.chosen).items()
    )


def _skew(info: ModelInfo) -> str:
    """Difference between the exported model and the training on the same image."""
    found = info.pixels_against_stored_features
    unit = task_kinds.of_info(info).unit
    return "" if found is None else f"answers differ by {found:.2g} {unit}"
