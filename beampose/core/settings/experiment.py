"""The experiment: one YAML file, checked key by key, into frozen dataclasses."""

import dataclasses
import difflib
import os
import posixpath
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from upath import UPath

from beampose.core import storage, task_kinds
from beampose.core.files import is_address, join
from beampose.core.settings.animal_settings import Reid, Track
from beampose.core.settings.checks import one_of
from beampose.core.settings.train_settings import POSE_FORMATS, Features, Source, Split, Train
from beampose.core.settings.video_settings import Boxes, Filter, Keep, Outliers, Predict, Render
from beampose.core.task_kinds import TaskKind

TASKS = ("pose", "crops")

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment. Paths are absolute once loaded; in the file they are relative to the file.

    `store_` (key `store`) is a folder of stores that experiments share; unset, each has its own.
    """

    task: str
    source: Source
    output: str
    split: Split = dataclasses.field(default_factory=Split)
    features: Features = dataclasses.field(default_factory=Features)
    train: Train = dataclasses.field(default_factory=Train)
    predict: Predict = dataclasses.field(default_factory=Predict)
    boxes: Boxes = dataclasses.field(default_factory=Boxes)
    keep: Keep = dataclasses.field(default_factory=Keep)
    render: Render = dataclasses.field(default_factory=Render)
    filter: Filter = dataclasses.field(default_factory=Filter)
    outliers: Outliers = dataclasses.field(default_factory=Outliers)
    track: Track = dataclasses.field(default_factory=Track)
    reid: Reid = dataclasses.field(default_factory=Reid)
    store_: str | None = None

    def __post_init__(self):
        one_of("task", self.task, TASKS)
        pose_source = self.source.format in POSE_FORMATS
        if pose_source != (self.task == "pose"):
            raise ValueError(
                f"source.format {self.source.format!r} does not hold labels for task "
                f"{self.task!r}: pose needs {', '.join(POSE_FORMATS)}; crops needs crops or csv."
            )
        self._check_video_settings()
        if self.train.mode == "finetune" and not self.features.frames:
            raise ValueError(
                "train.mode: finetune learns from frames, which the feature job keeps when told "
                "to: set features.frames: true. Received: false."
            )

    def _check_video_settings(self):
        """What only the other task knows must not be set in vain."""
        if self.task == "pose":
            for name, default in (("boxes", Boxes()), ("keep", Keep())):
                if getattr(self, name) != default:
                    raise ValueError(f"The section {name} is of task crops; take it out.")
            return
        for name, default in (("track", Track()), ("reid", Reid())):
            if getattr(self, name) != default:
                raise ValueError(f"The section {name} is of task pose; take it out.")
        for name in ("crop", "size", "dynamic", "also"):
            if getattr(self.predict, name) != getattr(Predict(), name):
                raise ValueError(
                    f"predict.{name} is of task pose; crops are looked for in boxes.roi. Received: "
                    f"{getattr(self.predict, name)}."
                )

    @property
    def kind(self) -> TaskKind:
        """What is known of its task, but for the number of individuals, which the labels tell."""
        return task_kinds.of_setting(self.task)

    @property
    def pca(self) -> int:
        """Components kept per cell, 0 for all channels."""
        return self._or_default(self.features.pca, pose=64, crops=0)

    @property
    def copies(self) -> int:
        """Augmented copies of each training image."""
        return self._or_default(self.features.copies, pose=2, crops=0)

    @property
    def heads(self) -> int:
        """Heads that a training trains: one for each fold, and the model's own."""
        return self.train.folds + (0 if self.train.ensemble else 1)

    @property
    def layers(self) -> int:
        """Layers of the head: 3x3 convolutions before the output for pose, dense ones for crops."""
        return self._or_default(self.train.layers, pose=3, crops=1)

    def _or_default(self, value: int | None, *, pose: int, crops: int) -> int:
        if value is not None:
            return value
        return pose if self.task == "pose" else crops

    @property
    def store(self) -> str:
        return self.store_ or join(self.output, "store")

    @property
    def dataset(self) -> str:
        return join(self.output, "dataset")

    @property
    def model(self) -> str:
        return join(self.output, "model")

    @property
    def predictions(self) -> str:
        return join(self.output, "predictions")


def load(path: str | os.PathLike, overrides: typing.Sequence[str] = ()) -> Config:
    """Reads an experiment file.

    Args:
      path: a YAML file.
      overrides: `section.key=value` strings, the value in YAML, applied before the checks.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not YAML, an unknown key, or a value of the wrong type or out of range.
    """
    values = read(path, "config file")
    for override in overrides:
        _apply(values, override)
    try:
        return _resolve(from_dict(Config, values), storage.place(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read(path: str | os.PathLike, what: str) -> dict[str, Any]:
    """The keys and values of a YAML file, unchecked.

    Args:
      what: the kind of file, for people.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not YAML, or something else than keys and values.
    """
    file = storage.place(path)
    if not file.is_file():
        raise FileNotFoundError(f"No {what} {path}.")
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold keys and values. Received: {type(values).__name__}.")
    return values


def from_dict(cls: type[T], values: dict[str, Any], where: str = "") -> T:
    """Builds a dataclass from plain values, refusing unknown keys and values of another type."""
    hints = typing.get_type_hints(cls)
    fields = {_key(f.name): f for f in dataclasses.fields(cls)}  # pyright: ignore[reportArgumentType]
    arguments = {}
    for key, value in values.items():
        name = f"{where}{key}"
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = f" Did you mean {where + close[0]!r}?" if close else ""
            raise ValueError(f"There is no setting {name!r}.{hint}")
        field = fields[key]
        arguments[field.name] = _typed(hints[field.name], value, name)
    missing = [
        key
        for key, f in fields.items()
        if f.name not in arguments
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ValueError(f"The setting {where + missing[0]!r} is missing.")
    return cls(**arguments)


def sections(known: dict[str, type], overrides: typing.Sequence[str]) -> dict[str, Any]:
    """Sections by name without an experiment, from `section.key=value` strings.

    Raises:
      ValueError: an unknown section or key, or a value of the wrong type or out of range.
    """
    values: dict[str, Any] = {name: {} for name in known}
    for override in overrides:
        _apply(values, override)
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"There is no section {unknown[0]!r} here, but {', '.join(known)}.")
    return {name: _section(kind, values[name], name) for name, kind in known.items()}


def to_dict(config: Any) -> dict[str, Any]:
    """The plain values of a config dataclass, under the keys of the file."""
    return {
        _key(f.name): to_dict(v) if dataclasses.is_dataclass(v := getattr(config, f.name)) else v
        for f in dataclasses.fields(config)
    }


def _key(field: str) -> str:
    return field.rstrip("_")


def _typed(kind: Any, value: Any, name: str) -> Any:
    options = typing.get_args(kind)
    if type(None) in options:
        if value is None:
            return None
        # One of several kinds is the one that fits; what fits none is told as the first.
        kinds = [option for option in options if option is not type(None)]
        fitting = (k for k in kinds if (typing.get_origin(k) or k) is type(value))
        kind = next(fitting, kinds[0])
    if dataclasses.is_dataclass(kind):
        return _section(typing.cast(type, kind), value, name)
    if typing.get_origin(kind) in (dict, list):
        return _collection(kind, value, name)
    # PyYAML reads 1e-3 as a string and 1 as an int: both are floats here.
    if kind is float and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{name} must be a number. Received: {value!r}.") from None
    if type(value) is not kind:
        raise ValueError(f"{name} must be of type {kind.__name__}. Received: {value!r}.")
    return value


def _collection(kind: Any, value: Any, name: str) -> Any:
    if typing.get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{name} must be a section of keys. Received: {value!r}.")
        return {str(k): str(v) for k, v in value.items()}
    (wanted,) = typing.get_args(kind)
    if not isinstance(value, list) or not all(type(item) is wanted for item in value):
        what = "whole numbers" if wanted is int else "words"
        raise ValueError(f"{name} must be a list of {what}. Received: {value!r}.")
    return value


def _section(kind: type, value: Any, name: str) -> Any:
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a section of keys. Received: {value!r}.")
    return from_dict(kind, value, f"{name}.")


def _apply(values: dict, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise ValueError(f"--set needs section.key=value. Received: {override!r}.")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if inner is None:
            inner = values[section] = {}
        if not isinstance(inner, dict):
            raise ValueError(f"--set {override}: {section!r} is not a section.")
        values = inner
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"--set {override}: the value is not YAML: {error}") from error


def _resolve(config: Config, file: UPath) -> Config:
    def absolute(path: str) -> str:
        if is_address(path):
            return path
        if not storage.is_local(file):
            scheme, _, rest = str(file.parent).partition("://")
            return f"{scheme}://{posixpath.normpath(posixpath.join(rest, path))}"
        return (Path(str(file)).resolve().parent / Path(path).expanduser()).resolve().as_posix()

    def replace(section: T, **changes: Any) -> T:
        return dataclasses.replace(section, **changes)  # pyright: ignore[reportArgumentType]

    weights = config.features.weights
    named = weights in ("imagenet", "builtin") or weights.startswith("random:")
    shuffle = config.split.from_
    return replace(
        config,
        output=absolute(config.output),
        store_=None if config.store_ is None else absolute(config.store_),
        source=replace(config.source, path=absolute(config.source.path)),
        split=replace(config.split, from_=None if shuffle is None else absolute(shuffle)),
        features=replace(config.features, weights=weights if named else absolute(weights)),
        predict=replace(config.predict, videos=[absolute(v) for v in config.predict.videos]),
        boxes=replace(
            config.boxes, path=None if config.boxes.path is None else absolute(config.boxes.path)
        ),
    )
