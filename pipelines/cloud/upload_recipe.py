"""The experiment of an upload: defaults, under a template, under what the zip may say of itself."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from beampose.core import task_kinds, yaml_files
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.core.task_kinds import CROPS, POSE
from beampose.formats import crop_folders

OWN_FILE = "beampose.yaml"
OWN_SECTIONS = ("train", "split", "features")
# Paths and memory are those of the machine that trains.
REFUSED = ("features.weights", "split.from", "split.test_from", "train.cache_mb")
# A zip may ask for more than the template, but not for days of somebody else's machine.
MOST = {
    "train.steps": 20_000,
    "train.budget": 600,
    "train.batch_size": 256,
    "train.hidden": 512,
    "train.folds": 10,
    "features.copies": 64,
    "features.batch_size": 64,
    "features.scale": 2.0,
}
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
    values = _merged(_defaults(task, path), _template(template, task))
    own = Path(path, OWN_FILE)
    if own.is_file():
        values = _merged(values, _own(own))
    if format == "deeplabcut":
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


def _own(file: Path) -> dict[str, Any]:
    """Settings inside a zip, if it may have any.

    Raises:
      ValueError: it names a path or another section, or asks for too much.
    """
    values = yaml_files.read(file, OWN_FILE, most_bytes=20_000)
    for section, settings in values.items():
        if section not in OWN_SECTIONS or not isinstance(settings, dict):
            raise ValueError(
                f"{OWN_FILE} may hold the sections {', '.join(OWN_SECTIONS)}. "
                f"Received: {str(section)[:50]!r}. The rest is set where it is trained."
            )
        for key, value in settings.items():
            name = f"{section}.{key}"
            if name in REFUSED:
                raise ValueError(f"{OWN_FILE} may not set {name}: it is set where it is trained.")
            if name in MOST and _number(value) > MOST[name]:
                raise ValueError(f"{OWN_FILE}: {name} may be up to {MOST[name]:g} here.")
    return values


def _number(value: Any) -> float:
    """A setting as the config will take it, 1e3 in quotes too; what is none is refused there."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


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
