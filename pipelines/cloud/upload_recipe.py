"""The experiment of an upload: defaults, under a template, under what the zip may say of itself."""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from beampose.core import task_kinds, yaml_files
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config, Features, Split, Train
from beampose.core.task_kinds import CROPS, POSE
from beampose.formats import crop_folders

OWN_FILE = "beampose.yaml"
OWN_SECTIONS = ("train", "split", "features")
# What a zip may set freely, because it costs nothing.
FREE = frozenset(
    {
        *(f"split.{key}" for key in ("by", "test", "seed", "videos")),
        *(
            f"features.{key}"
            for key in ("rotation", "zoom", "translation", "contrast", "blur", "window")
        ),
        *(
            f"train.{key}"
            for key in (
                *("learning_rate", "seed", "originals", "plausible", "patience", "dropout"),
                *("weight_decay", "pos_dist_thresh", "locref_stdev", "locref_weight"),
                *("paf_width", "paf_weight", "identity"),
            )
        ),
    }
)
# What costs time or memory, and the smallest and largest value: the template's own where it has
# one, these where it says nothing.
COSTLY: dict[str, tuple[float, float]] = {
    "train.steps": (1, 20_000),
    "train.budget": (1, 600),
    "train.batch_size": (1, 256),
    "train.hidden": (1, 512),
    "train.layers": (0, 4),
    "train.window": (1, 64),
    "train.folds": (0, 10),
    "train.evaluate_every": (1, 100_000),
    "train.checkpoint_every": (1, 100_000),
    "train.peaks": (1, 50),
    "train.edges": (1, 91),
    "features.copies": (0, 64),
    "features.batch_size": (1, 64),
    "features.scale": (0.05, 2.0),
    "features.pca": (1, 256),
    "features.crop_size": (32, 448),
}
# Of these, less costs more; of those, 0 means all there is.
_RARER = ("train.evaluate_every", "train.checkpoint_every")
_KEYS = {
    section: {field.alias or name for name, field in kind.model_fields.items()}
    for section, kind in (("train", Train), ("split", Split), ("features", Features))
}
_ZERO_IS_ALL = ("train.window", "features.pca")
TASK_OF = {"deeplabcut": POSE.setting, "crops": CROPS.setting}
_OF_THE_UPLOAD = ("task", "output", "source.path", "source.format", "predict.videos")
_DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    POSE.setting: {},
    CROPS.setting: {"features": {"batch_size": 32}},
}


def write(
    folder: Path, project: tuple[str, str], output: Path, template: str | None, sets: Sequence[str]
) -> Config:
    """Writes `<folder>/config.yaml` of an upload and loads it.

    Args:
      project: format and path, as `archives.find_project` gives them.
      output: where the experiment shall write.
      template: an experiment file whose settings hold for all uploads, or None.
      sets: `section.key=value` strings, which hold whatever a zip says.

    Raises:
      ValueError: the template does not fit, or the zip's beampose.yaml asks for what it may not.
    """
    format, path = project
    task = TASK_OF[format]
    allowed = _template(template, task)
    values = _merged(_defaults(task, path), allowed)
    own = Path(path, OWN_FILE)
    if own.is_file():
        values = _merged(values, _own(own, allowed))
    if format == "deeplabcut" and Path(path, "config.yaml").is_file():
        # Refused here if it would not fit into memory once read.
        yaml_files.read(Path(path, "config.yaml"), "config file", most_bytes=1_000_000)
    source = {**values.get("source", {}), "format": format, "path": path}
    values |= {"task": task, "source": source, "output": str(output)}
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return experiment.load(file, sets)


def check(template: str | None, sets: Sequence[str]) -> None:
    """Refuses a template or settings that no upload could be trained with.

    Raises:
      OSError, ValueError: the template cannot be read, or holds a wrong setting.
    """
    for one in sets:
        if one.partition("=")[0].strip() in _OF_THE_UPLOAD:
            raise ValueError(f"--set {one}: each upload sets this; leave it out.")
    only = yaml_files.read(template, "config file").get("task") if template else None
    for format, task in TASK_OF.items():
        if only in (None, task):
            with tempfile.TemporaryDirectory() as folder:
                project = Path(folder, "project")
                project.mkdir()
                if format == "deeplabcut":
                    (project / "config.yaml").write_text("{}", encoding="utf-8")
                write(Path(folder), (format, str(project)), Path(folder, "out"), template, sets)


def _defaults(task: str, path: str) -> dict[str, Any]:
    folders = [child.name.lower() for child in Path(path).iterdir() if child.is_dir()]
    named = any(name in crop_folders.SPLITS for name in folders)
    declared = named and not task_kinds.of_setting(task).points
    return {**_DEFAULTS[task], "split": {"by": "folder" if declared else "image"}}


def _template(template: str | None, task: str) -> dict[str, Any]:
    """Settings of a template for every upload, with absolute paths."""
    if template is None:
        return {}
    values = experiment.with_absolute_paths(yaml_files.read(template, "config file"), template)
    if values.get("task", task) != task:
        raise ValueError(f"{template} is for task {values['task']!r}; the upload is for {task!r}.")
    for key in _OF_THE_UPLOAD:
        section, _, inner = key.partition(".")
        if not inner:
            values.pop(section, None)
        elif isinstance(values.get(section), dict):
            values[section] = {k: v for k, v in values[section].items() if k != inner}
    return values


def _own(file: Path, template: dict[str, Any]) -> dict[str, Any]:
    """Settings inside a zip, if it may have any.

    Raises:
      ValueError: it sets what only the operator may, or asks for more than the template allows.
    """
    values = yaml_files.read(file, OWN_FILE, most_bytes=20_000)
    for section, settings in values.items():
        if section not in OWN_SECTIONS or not isinstance(settings, dict):
            raise ValueError(
                f"{OWN_FILE} may hold the sections {', '.join(OWN_SECTIONS)}. "
                f"Received: {str(section)[:50]!r}. The rest is set where it is trained."
            )
        for key, value in settings.items():
            name = f"{section}.{str(key)[:50]}"
            if name in COSTLY:
                known = template.get(section)
                _check_cost(name, value, known.get(key) if isinstance(known, dict) else None)
            elif key in _KEYS[section] and name not in FREE:
                raise ValueError(f"{OWN_FILE} may not set {name}: it is set where it is trained.")
    return values


def _check_cost(name: str, value: Any, told: Any) -> None:
    """Refuses a value that costs more than what a template tells, or than what is usual here."""
    if value is None:
        return
    low, high = COSTLY[name]
    if _finite(told):
        limit = float(told)
        if name in _RARER:
            low, high = limit, max(high, limit)
        elif not limit and name in _ZERO_IS_ALL:
            low = 0
        else:
            low, high = min(low, limit), min(high, limit)
    # NaN is neither more nor less than anything.
    if not (_finite(value) and low <= float(value) <= high):
        raise ValueError(
            f"{OWN_FILE}: {name} must be a number from {low:g} to {high:g} here. "
            f"Received: {str(value)[:50]!r}."
        )


def _finite(value: Any) -> bool:
    """Whether a setting is a number as the config will take it, 1e3 in quotes too."""
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Settings of `over` where there are any, section by section."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            other = key == "features" and value.get("backbone") not in (None, below.get("backbone"))
            if other:  # Weights belong to their backbone.
                below = {k: v for k, v in below.items() if k != "weights"}
            merged[key] = {**below, **value}
        elif value is not None:
            merged[key] = value
    return merged
