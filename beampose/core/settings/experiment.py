"""The experiment: one YAML file, checked key by key."""

import os
import posixpath
import typing
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from beampose.core import format_names, mistaken_paths, storage, task_kinds, yaml_files
from beampose.core.files import is_address, join
from beampose.core.names import NAMED_WEIGHTS
from beampose.core.settings.animal_settings import Reid, Track
from beampose.core.settings.camera_settings import Cameras
from beampose.core.settings.label_settings import Source, Split
from beampose.core.settings.section import (
    PATH,
    Section,
    absolute,
    changed,
    from_dict,
    outcome,
    setting,
    to_dict,
)
from beampose.core.settings.train_settings import Features, Train
from beampose.core.settings.video_settings import Boxes, Filter, Keep, Outliers, Predict, Render
from beampose.core.task_kinds import TaskKind

__all__ = [
    "Boxes",
    "Cameras",
    "Config",
    "Features",
    "Filter",
    "Keep",
    "Outliers",
    "Predict",
    "Reid",
    "Render",
    "Source",
    "Split",
    "Track",
    "Train",
    "changed",
    "from_dict",
    "outcome",
    "to_dict",
]


# Weights that come with a backbone and need no download.
PACKAGED = {"resnet_compact": "builtin", "efficientnet_lite0": "package"}


class HeadSettings(typing.NamedTuple):
    """Settings of the training of a head; distances are pixels of the source image."""

    steps: int
    batch_size: int
    learning_rate: float
    window: int
    pos_dist_thresh: float


def _chosen(section: Section, name: str, key: str) -> typing.Any:
    value = getattr(section, key)
    if value is None:
        raise LookupError(f"{name}.{key} has to be chosen first, see `beampose.trainer.recipe`.")
    return value


class Config(Section):
    """An experiment of beampose. Paths are relative to the file."""

    whole_file: ClassVar[bool] = True

    task: Literal["pose", "crops"] = Field(description="Task to learn: keypoints or classes.")
    source: Source
    output: Annotated[str, PATH] = Field(
        description="Folder of dataset/, model/, predictions/ and the report."
    )
    split: Split = Field(default_factory=Split)
    features: Features = Field(default_factory=Features)
    train: Train = Field(default_factory=Train)
    predict: Predict = Field(default_factory=Predict)
    boxes: Boxes = Field(default_factory=Boxes)
    keep: Keep = Field(default_factory=Keep)
    render: Render = Field(default_factory=Render)
    filter: Filter = Field(default_factory=Filter)
    outliers: Outliers = Field(default_factory=Outliers)
    track: Track = Field(default_factory=Track)
    reid: Reid = Field(default_factory=Reid)
    cameras: Cameras = Field(default_factory=Cameras)
    store_: Annotated[str | None, PATH] = setting(
        None,
        "Folder of stores that experiments share; unset: each has its own, in output.",
        alias="store",
    )

    @model_validator(mode="after")
    def _check(self) -> "Config":
        own = self.source.format in format_names.OWN
        if own and self.source.format not in self.kind.formats:
            formats = "; ".join(
                f"{one.setting} needs {', '.join(one.formats)}"
                for one in (task_kinds.POSE, task_kinds.CROPS)
            )
            raise ValueError(
                f"source.format {self.source.format!r} does not hold labels for task "
                f"{self.task!r}: {formats}."
            )
        self._check_other_task()
        if self.features.taps is not None and self.kind.pooled:
            raise ValueError(
                "features.taps says where maps are read from, and crops have none: remove it. "
                f"Received: {self.features.taps!r}."
            )
        if self.train.mode == "finetune" and not self.features.frames:
            raise ValueError(
                "train.mode: finetune learns from frames, which the feature job keeps when told "
                "to: set features.frames: true. Received: false."
            )
        if self.train.mode == "finetune" and self.features.precision != "float32":
            raise ValueError(
                "train.mode: finetune trains the backbone, which whole numbers cannot be: remove "
                f"features.precision. Received: {self.features.precision!r}."
            )
        return self

    def _check_other_task(self):
        """Refuses settings that have no effect because they apply only to the other task."""
        other = task_kinds.CROPS if self.kind.points else task_kinds.POSE
        for name in other.sections:
            section = getattr(self, name)
            if section != type(section)():
                raise ValueError(
                    f"Section {name!r} applies only to task {other.setting!r}; remove it."
                )
        for name in other.predict:
            value = getattr(self.predict, name)
            if value != getattr(Predict(), name):
                raise ValueError(
                    f"predict.{name} applies only to task {other.setting!r}; boxes.roi says where "
                    f"crops are looked for. Received: {value}."
                )
        for name in other.render:
            if getattr(self.render, name) != getattr(Render(), name):
                raise ValueError(
                    f"render.{name} applies only to task {other.setting!r}: of crops, boxes and "
                    f"their classes are drawn. Remove it. Received: {getattr(self.render, name)}."
                )

    @property
    def kind(self) -> TaskKind:
        """Facts about its task, except the number of individuals, which the labels tell."""
        return task_kinds.of_setting(self.task)

    @property
    def pca(self) -> int:
        """Components kept per cell, 0 for all channels."""
        return self.kind.pca if self.features.pca is None else self.features.pca

    @property
    def backbone(self) -> str:
        """Name of the frozen network."""
        return self.features.backbone or self.kind.backbone

    @property
    def weights(self) -> str:
        """Weights of the backbone: those that come with it unless the file names others."""
        return self.features.weights or PACKAGED.get(self.backbone, "imagenet")

    @property
    def scale(self) -> float:
        """Scale of images before they are embedded; crops have a size instead."""
        return 1.0 if self.kind.pooled else _chosen(self.features, "features", "scale")

    @property
    def copies(self) -> int:
        """Augmented copies of each training image."""
        return _chosen(self.features, "features", "copies")

    @property
    def window(self) -> int:
        """Side in pixels of the scaled image of the windows that copies show; 0: all of it."""
        return _chosen(self.features, "features", "window")

    @property
    def rotation(self) -> float:
        """Largest angle in degrees by which copies are turned."""
        return _chosen(self.features, "features", "rotation")

    @property
    def head(self) -> HeadSettings:
        """What the data chooses of the training of a head where it is unset."""
        return HeadSettings(*(_chosen(self.train, "train", one) for one in HeadSettings._fields))

    @property
    def heads(self) -> int:
        """Heads that a training trains: one for each fold, and the model's own."""
        return self.train.folds + (0 if self.train.ensemble else 1)

    @property
    def layers(self) -> int:
        """Layers of the head: 3x3 convolutions before the output for pose, dense ones for crops."""
        return self.kind.layers if self.train.layers is None else self.train.layers

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


def load(
    path: str | os.PathLike, overrides: typing.Sequence[str] = (), *, labels: bool = True
) -> Config:
    """Reads an experiment file.

    Args:
      path: a YAML file.
      overrides: `section.key=value` strings, the value in YAML, applied before the checks.
      labels: whether `source` must be there; what is done to results asks for none.

    Returns:
      The experiment, its paths absolute.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not YAML, an unknown key, or a value of the wrong type or out of range.
    """
    with mistaken_paths.told(path, mistaken_paths.EXPERIMENT):
        values = yaml_files.read(path, "config file")
        for override in overrides:
            _apply(values, override)
        if not labels and isinstance(values, dict) and "source" not in values:
            formats = task_kinds.CROPS.formats if values.get("task") == "crops" else ("deeplabcut",)
            values["source"] = {"format": formats[0], "path": "."}
        try:
            return from_values(values, path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def from_values(values: dict[str, Any], path: storage.Address) -> Config:
    """The experiment of plain values, as they would stand in a file at `path`.

    Raises:
      ValueError: an unknown key, or a value of the wrong type or out of range.
    """
    return from_dict(Config, with_absolute_paths(values, path))


def with_absolute_paths(values: dict[str, Any], path: storage.Address) -> dict[str, Any]:
    """Unchecked values of an experiment file, with its paths as they are from anywhere."""
    file = storage.place(path)

    def resolve(one: str) -> str:
        if is_address(one):
            return one
        if not storage.is_local(file):
            scheme, _, rest = str(file.parent).partition("://")
            return f"{scheme}://{posixpath.normpath(posixpath.join(rest, one))}"
        # pathlib refuses a home that nobody knows, and names that only begin like one.
        known = os.path.expanduser(one)
        return (Path(str(file)).resolve().parent / known).resolve().as_posix()

    found = absolute(Config, values, resolve)
    features = values.get("features")
    weights = features.get("weights") if isinstance(features, dict) else None
    if weights in NAMED_WEIGHTS or str(weights).startswith("random:"):
        found["features"]["weights"] = weights
    return found


def sections(
    known: dict[str, type[Section]], overrides: typing.Sequence[str]
) -> dict[str, typing.Any]:
    """Sections by name without an experiment, from `section.key=value` strings.

    Raises:
      ValueError: an unknown section or key, or a value of the wrong type or out of range.
    """
    values: dict[str, Any] = {name: {} for name in known}
    for override in overrides:
        _apply(values, override)
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"There is no section {unknown[0]!r} here, but {', '.join(known)}.")
    return {name: from_dict(kind, values[name]) for name, kind in known.items()}


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
        values[last] = yaml_files.parse(text)
    except ValueError as error:
        raise ValueError(f"--set {override}: the value is not YAML: {error}") from error
