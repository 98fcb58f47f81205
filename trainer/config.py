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

from trainer import artefacts

TASKS = ("pose", "crops")
POSE_FORMATS = ("deeplabcut", "imagej", "sleap", "coco")
FORMATS = (*POSE_FORMATS, "crops", "csv")
COMBINED = ("mean", "first")
# Settings of `train` that change nothing in how one head is trained.
NOT_OF_A_HEAD = (
    "cache_mb",
    "folds",
    "ensemble",
    "mode",
    "finetune_steps",
    "finetune_learning_rate",
    "finetune_window",
    "precision",
)
# Settings of `train` that only heads for several animals know.
OF_ANIMALS = ("paf_width", "paf_weight", "edges", "peaks", "identity")
MODES = ("features", "finetune")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
SIZES = ("keep", "resize", "pad")
BOXES = ("motion", "file")
SPLIT_UNITS = ("image", "video", "folder", "block")
FILTERS = ("median", "savgol", "kalman")
# FFmpeg's encoders whose pictures an mp4 may hold.
CODECS = ("auto", "libx264", "libx265", "libsvtav1", "mpeg4")
OUTLIERS = ("jump", "uncertain", "fitting", "spread")
PICKS = ("kmeans", "uniform", "extreme")

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Where the labels are. `path` is a project, a folder or a file, as docs/labels.md says.

    Of several scorers of a DeepLabCut project `combine` says which counts: the `mean` of those who
    labeled a point (unset means that), or the `first` of the list who did.
    """

    format: str
    path: str
    scorer: str | list[str] | None = None
    combine: str | None = None
    bodyparts: list[str] | None = None
    max_rejects: float = 0.5

    def __post_init__(self):
        _one_of("source.format", self.format, FORMATS)
        _within("source.max_rejects", self.max_rejects, 0.0, 1.0)
        if self.scorer is not None and self.format != "deeplabcut":
            raise ValueError(f"source.scorer does not apply to format {self.format!r}.")
        if self.bodyparts is not None and self.format not in POSE_FORMATS:
            raise ValueError(f"source.bodyparts does not apply to format {self.format!r}.")
        if self.combine is not None:
            _one_of("source.combine", self.combine, COMBINED)
            if not isinstance(self.scorer, list):
                raise ValueError(
                    "source.combine says how several scorers become one: name them in "
                    f"source.scorer: [A, B]. Received: {self.scorer!r}."
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Which labeled images are held out.

    `from_` (key `from`) takes the split of a DeepLabCut shuffle: its Documentation_data file; or
    the folder or metadata.yaml of a training set, of which `shuffle` is the number.
    """

    by: str = "image"
    test: float = 0.2
    seed: int = 0
    from_: str | None = None
    shuffle: int | None = None

    def __post_init__(self):
        _within("split.shuffle", self.shuffle or 0, 0, 1_000_000)
        if self.shuffle is not None and self.from_ is None:
            raise ValueError(
                "split.shuffle is the number of a shuffle in split.from, which is unset."
            )
        _one_of("split.by", self.by, SPLIT_UNITS)
        _within("split.test", self.test, 0.0, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Features:
    """How an image becomes features.

    `pca: 0` keeps all channels; unset means 64 for pose and 0 for crops. `copies` unset means 2
    for pose and 0 for crops: docs/accuracy.md shows what more of them give. `frames` also keeps the
    encoded image of every label, beside the labels: `train.mode: finetune` learns from them.
    """

    backbone: str = "resnet50"
    weights: str = "imagenet"
    scale: float = 1.0
    copies: int | None = None
    pca: int | None = None
    crop_size: int = 224
    batch_size: int = 4
    rotation: float = 25.0
    zoom: float = 0.2
    translation: float = 0.1
    contrast: float = 0.2
    blur: float = 1.0
    frames: bool = False

    def __post_init__(self):
        _within("features.scale", self.scale, 0.05, 4.0)
        _within("features.copies", self.copies or 0, 0, 256)
        _within("features.pca", self.pca or 0, 0, 4096)
        _within("features.crop_size", self.crop_size, 32, 1024)
        _within("features.batch_size", self.batch_size, 1, 4096)
        _within("features.rotation", self.rotation, 0.0, 180.0)
        _within("features.zoom", self.zoom, 0.0, 0.9)
        _within("features.translation", self.translation, 0.0, 0.5)
        _within("features.contrast", self.contrast, 0.0, 0.9)
        _within("features.blur", self.blur, 0.0, 10.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train:
    """How the head learns. Distances are pixels of the source image.

    `layers` unset means 3 for pose and 1 for crops. `window` is the side, in cells, of the part of
    a map that a training step sees; 0 = whole maps. `originals` is the share of a batch that are
    images as they are, where there are augmented copies; 0 and 1 mix them in proportion. With
    `plausible`, a peak farther from the other bodyparts than in any training frame yields to a
    lower one that fits. `folds` heads are also trained, each without one part of the training
    images, whose errors say how far a prediction may be off; `ensemble` exports these heads
    together instead of one. `patience` evaluations without a better score end the training; 0 never
    ends it early.

    With `mode: finetune` the trained head goes on together with the backbone, from frames, for
    `finetune_steps` at `finetune_learning_rate`; both networks then compute in `precision`. Each
    step sees windows of `finetune_window` pixels of the scaled frame (pose; crops are seen whole),
    changed within the ranges of `features` but for a share of `originals`.

    Of several animals: `paf_width` is how far from the line between two bodyparts the part affinity
    field reaches, `paf_weight` its share of the loss, `edges` how many pairs of bodyparts have one
    at most, `peaks` how many places of a bodypart a frame may have (unset: half as many again as
    animals, at least two more), and `identity` also learns who is who, where the labels always call
    the same animal by the same name. docs/animals.md says more.
    """

    steps: int = 400
    batch_size: int = 8
    learning_rate: float = 0.002
    seed: int = 0
    hidden: int = 64
    layers: int | None = None
    window: int = 24
    originals: float = 0.5
    plausible: bool = True
    folds: int = 0
    ensemble: bool = False
    patience: int = 0
    dropout: float = 0.1
    weight_decay: float = 0.0
    pos_dist_thresh: float = 17.0
    locref_stdev: float = 7.2801
    locref_weight: float = 0.05
    evaluate_every: int = 50
    checkpoint_every: int = 100
    cache_mb: int = 4096
    mode: str = "features"
    finetune_steps: int = 400
    finetune_learning_rate: float = 1e-4
    finetune_window: int = 256
    precision: str = "float32"
    paf_width: float = 20.0
    paf_weight: float = 0.001
    edges: int = 91
    peaks: int | None = None
    identity: bool = False

    def __post_init__(self):
        for name in ("steps", "batch_size", "hidden", "evaluate_every", "checkpoint_every"):
            _within(f"train.{name}", getattr(self, name), 1, 100_000_000)
        _within("train.layers", self.layers or 0, 0, 16)
        _within("train.window", self.window, 0, 100_000)
        _within("train.folds", self.folds, 0, 1000)
        if self.folds == 1 or (self.ensemble and not self.folds):
            raise ValueError(
                "train.folds must be 2 or more, or 0 without train.ensemble. Received: "
                f"{self.folds}."
            )
        _within("train.patience", self.patience, 0, 100_000)
        _within("train.originals", self.originals, 0.0, 1.0)
        _within("train.dropout", self.dropout, 0.0, 0.95)
        _within("train.weight_decay", self.weight_decay, 0.0, 1.0)
        above_zero = ("learning_rate", "finetune_learning_rate", "pos_dist_thresh", "locref_stdev")
        for name in (*above_zero, "paf_width"):
            if getattr(self, name) <= 0:
                raise ValueError(f"train.{name} must be above 0. Received: {getattr(self, name)}.")
        _within("train.locref_weight", self.locref_weight, 0.0, 1e6)
        _within("train.cache_mb", self.cache_mb, 0, 10**9)
        _within("train.paf_weight", self.paf_weight, 0.0, 1e6)
        _within("train.edges", self.edges, 1, 10_000)
        _within("train.peaks", self.peaks or 1, 1, 200)
        self._check_finetune()

    def _check_finetune(self):
        _one_of("train.mode", self.mode, MODES)
        _one_of("train.precision", self.precision, PRECISIONS)
        _within("train.finetune_steps", self.finetune_steps, 1, 100_000_000)
        _within("train.finetune_window", self.finetune_window, 32, 8192)
        if self.finetune_window % 16:
            raise ValueError(
                "train.finetune_window must be a multiple of 16, the pixels of two cells. "
                f"Received: {self.finetune_window}."
            )
        if self.mode == "finetune" and self.folds:
            raise ValueError(
                "train.folds judges heads on stored features, not a finetuned network: set "
                f"train.folds: 0 or train.mode: features. Received: {self.folds}."
            )
        if self.mode == "features" and self.precision != "float32":
            raise ValueError(
                "train.precision is of train.mode: finetune; heads on stored features are trained "
                f"in float32. Received: {self.precision!r}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predict:
    """What to run the model on, and what of it.

    `chunk` is the number of frames one worker takes at a time. Of a video, one frame in `every` is
    looked at, or `fps` a second (0 = all), between `start` and `stop` seconds. `crop` is x1, x2,
    y1, y2 in pixels, as in DeepLabCut's config; coordinates stay those of the frame. Videos of
    another size than the training frames are left as they are by `size: keep`, fitted into their
    size by `resize`, or filled up to it by `pad`. With `dynamic`, a likelihood, the next frames are
    cut to the animal and `margin` pixels around it as long as a bodypart reaches that likelihood.
    """

    videos: list[str] = dataclasses.field(default_factory=list)
    pcutoff: float = 0.6
    batch_size: int = 8
    chunk: int = 512
    every: int = 1
    fps: float = 0.0
    start: float = 0.0
    stop: float | None = None
    crop: list[int] | None = None
    size: str = "keep"
    dynamic: float = 0.0
    margin: int = 10

    def __post_init__(self):
        _within("predict.pcutoff", self.pcutoff, 0.0, 1.0)
        _within("predict.batch_size", self.batch_size, 1, 4096)
        _within("predict.chunk", self.chunk, 1, 1_000_000)
        _within("predict.every", self.every, 1, 1_000_000)
        _within("predict.fps", self.fps, 0.0, 10_000.0)
        _within("predict.start", self.start, 0.0, 1e9)
        _within("predict.dynamic", self.dynamic, 0.0, 1.0)
        _within("predict.margin", self.margin, 0, 10_000)
        _one_of("predict.size", self.size, SIZES)
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(
                f"predict.stop must be behind predict.start, {self.start:g} s. Received: "
                f"{self.stop:g}."
            )
        if self.crop is not None and not _is_crop(self.crop):
            raise ValueError(
                "predict.crop must be x1, x2, y1, y2 with 0 <= x1 < x2 and 0 <= y1 < y2. Received: "
                f"{self.crop}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Boxes:
    """Where a crop model looks in a video: boxes by motion, or from files.

    `path` is a MegaDetector JSON or DeepMeerkat's annotations.csv, a folder with one for each
    video, or a pattern with `{video}`; boxes below `min_confidence` or of other `categories` do not
    count. The settings from `roi` (x1, x2, y1, y2 in pixels) to `burn_in` are those of motion, in
    frames that are looked at and pixels; `min_size` is a share of the frame. `pad` and `square` say
    how a crop is cut around a box; unset, they are those of the model's training crops.
    """

    by: str = "motion"
    path: str | None = None
    min_confidence: float = 0.2
    categories: list[str] = dataclasses.field(default_factory=list)
    roi: list[int] | None = None
    min_size: float = 0.01
    learning_rate: float = 0.02
    variance: float = 20.0
    background_ratio: float = 0.7
    merge: float = 75.0
    opening: int = 9
    min_area: float = 50.0
    burn_in: int = 50
    pad: float | None = None
    square: bool | None = None

    def __post_init__(self):
        _one_of("boxes.by", self.by, BOXES)
        if (self.by == "file") != (self.path is not None):
            raise ValueError(
                "boxes.path names the boxes of boxes.by: file, and of nothing else. Received: "
                f"by {self.by}, path {self.path}."
            )
        if self.roi is not None and not _is_crop(self.roi):
            raise ValueError(
                "boxes.roi must be x1, x2, y1, y2 with 0 <= x1 < x2 and 0 <= y1 < y2. Received: "
                f"{self.roi}."
            )
        _within("boxes.min_confidence", self.min_confidence, 0.0, 1.0)
        _within("boxes.min_size", self.min_size, 0.0, 1.0)
        _within("boxes.learning_rate", self.learning_rate, 0.0, 1.0)
        _within("boxes.variance", self.variance, 1.0, 10_000.0)
        _within("boxes.background_ratio", self.background_ratio, 0.01, 1.0)
        _within("boxes.merge", self.merge, 0.0, 100_000.0)
        _within("boxes.opening", self.opening, 0, 101)
        _within("boxes.min_area", self.min_area, 0.0, 1e9)
        _within("boxes.burn_in", self.burn_in, 1, 10_000)
        _within("boxes.pad", self.pad or 0.0, 0.0, 2.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keep:
    """What is kept of a video besides tables: the best `frames` with a hit as jpg, and `clips`.

    Hits at most `gap` seconds apart are one clip, with `buffer` seconds at both ends; one shorter
    than `shortest` seconds is dropped.
    """

    frames: int = 0
    clips: bool = False
    gap: float = 20.0
    buffer: float = 1.0
    shortest: float = 2.0

    def __post_init__(self):
        _within("keep.frames", self.frames, 0, 1_000_000)
        _within("keep.gap", self.gap, 0.0, 100_000.0)
        _within("keep.buffer", self.buffer, 0.0, 100_000.0)
        _within("keep.shortest", self.shortest, 0.0, 100_000.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Filter:
    """How keypoints are smoothed over time: docs/results.md. Widths are rows of the table.

    `window` unset means 5 for median and 9 for savgol; `order` is savgol's (unset: 3). Points below
    `pcutoff` (unset: that of `predict`) are gaps for kalman, and for the others with `fill`: gaps
    of up to `fill` rows between two sure points are bridged.
    """

    method: str = "median"
    window: int | None = None
    order: int | None = None
    pcutoff: float | None = None
    fill: int = 0

    def __post_init__(self):
        _one_of("filter.method", self.method, FILTERS)
        _within("filter.fill", self.fill, 0, 1_000_000)
        _within("filter.pcutoff", self.pcutoff or 0.0, 0.0, 1.0)
        of_others = {
            "window": self.method != "kalman",
            "order": self.method == "savgol",
            "pcutoff": self.method == "kalman" or bool(self.fill),
        }
        for name, applies in of_others.items():
            if getattr(self, name) is not None and not applies:
                raise ValueError(
                    f"filter.{name} does not apply to method {self.method} with fill {self.fill}: "
                    "see docs/results.md."
                )
        if not 3 <= self.rows <= 10_001 or self.rows % 2 == 0:
            raise ValueError(
                f"filter.window must be odd and from 3 to 10001. Received: {self.window}."
            )
        _within("filter.order", self.degree, 1, 9)
        if self.method == "savgol" and self.degree >= self.rows:
            raise ValueError(
                f"filter.order must be below filter.window, {self.rows}. Received: {self.degree}."
            )

    @property
    def rows(self) -> int:
        """Rows of a window."""
        return (9 if self.method == "savgol" else 5) if self.window is None else self.window

    @property
    def degree(self) -> int:
        """Of savgol's polynomials."""
        return 3 if self.order is None else self.order


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outliers:
    """Which predicted frames to label next: docs/results.md. Distances are pixels.

    `count` unset means the project's numframes2pick; `bodyparts` unset means all.
    """

    method: str = "jump"
    epsilon: float = 20.0
    p_bound: float = 0.01
    pick: str = "kmeans"
    count: int | None = None
    bodyparts: list[str] | None = None
    seed: int = 0

    def __post_init__(self):
        _one_of("outliers.method", self.method, OUTLIERS)
        _one_of("outliers.pick", self.pick, PICKS)
        _within("outliers.epsilon", self.epsilon, 0.0, 1e6)
        _within("outliers.p_bound", self.p_bound, 0.0, 1.0)
        _within("outliers.count", 1 if self.count is None else self.count, 1, 100_000)
        _within("outliers.seed", self.seed, 0, 2**32 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Render:
    """How labeled videos look.

    Points below `pcutoff` (unset: that of `predict`) are not drawn. `colormap` is one of
    matplotlib's (unset: hues as far apart as they get), `bodyparts` those that are drawn (unset:
    all), `dot_size` a radius (0: by the size of the frame), `trail` the number of past frames drawn
    behind each dot. `start` and `stop` are seconds of the video, `codec` one of FFmpeg's encoders,
    `filtered` draws what `beampose filter` made. `images` is of `beampose evaluate`: how many it
    draws.
    """

    pcutoff: float | None = None
    colormap: str | None = None
    bodyparts: list[str] | None = None
    dot_size: int = 0
    trail: int = 10
    skeleton: bool = True
    start: float = 0.0
    stop: float | None = None
    codec: str = "auto"
    filtered: bool = False
    images: int = 24

    def __post_init__(self):
        _within("render.pcutoff", self.pcutoff or 0.0, 0.0, 1.0)
        _within("render.dot_size", self.dot_size, 0, 500)
        _within("render.trail", self.trail, 0, 10_000)
        _within("render.images", self.images, 0, 100_000)
        _within("render.start", self.start, 0.0, 1e9)
        _one_of("render.codec", self.codec, CODECS)
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(
                f"render.stop must be behind render.start, {self.start:g} s. Received: "
                f"{self.stop:g}."
            )


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
    store_: str | None = None

    def __post_init__(self):
        _one_of("task", self.task, TASKS)
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
            for name in ("boxes", "keep"):
                if getattr(self, name) != {"boxes": Boxes, "keep": Keep}[name]():
                    raise ValueError(f"The section {name} is of task crops; take it out.")
            return
        for name in ("crop", "size", "dynamic"):
            if getattr(self.predict, name) != getattr(Predict(), name):
                raise ValueError(
                    f"predict.{name} is of task pose; crops are looked for in boxes.roi. Received: "
                    f"{getattr(self.predict, name)}."
                )

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
        return _resolve(from_dict(Config, values), artefacts.place(path))
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
    file = artefacts.place(path)
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


def join(folder: str, *parts: str) -> str:
    """Joins paths and bucket addresses alike, with forward slashes."""
    return "/".join([folder.rstrip("/"), *parts])


def is_address(path: str) -> bool:
    """Whether `path` is an address such as gs://bucket/folder and not a local path."""
    return "://" in path


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
        if not artefacts.is_local(file):
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


def _one_of(name: str, value: str, options: typing.Sequence[str]) -> None:
    if value not in options:
        close = difflib.get_close_matches(value, options, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{name} must be one of {', '.join(options)}. Received: {value!r}.{hint}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}. Received: {value}.")


def _is_crop(values: list[int]) -> bool:
    return len(values) == 4 and 0 <= values[0] < values[1] and 0 <= values[2] < values[3]
