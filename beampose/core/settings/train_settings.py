"""Sections of an experiment: its labels, its features, its training."""

import dataclasses

from beampose.core.settings.checks import one_of, within

POSE_FORMATS = ("deeplabcut", "imagej", "sleap", "coco")
FORMATS = (*POSE_FORMATS, "crops", "csv")
COMBINED = ("mean", "first")
SPLIT_UNITS = ("image", "video", "folder", "block")
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
        one_of("source.format", self.format, FORMATS)
        within("source.max_rejects", self.max_rejects, 0.0, 1.0)
        if self.scorer is not None and self.format != "deeplabcut":
            raise ValueError(f"source.scorer does not apply to format {self.format!r}.")
        if self.bodyparts is not None and self.format not in POSE_FORMATS:
            raise ValueError(f"source.bodyparts does not apply to format {self.format!r}.")
        if self.combine is not None:
            one_of("source.combine", self.combine, COMBINED)
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
        within("split.shuffle", self.shuffle or 0, 0, 1_000_000)
        if self.shuffle is not None and self.from_ is None:
            raise ValueError(
                "split.shuffle is the number of a shuffle in split.from, which is unset."
            )
        one_of("split.by", self.by, SPLIT_UNITS)
        within("split.test", self.test, 0.0, 1.0)


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
        within("features.scale", self.scale, 0.05, 4.0)
        within("features.copies", self.copies or 0, 0, 256)
        within("features.pca", self.pca or 0, 0, 4096)
        within("features.crop_size", self.crop_size, 32, 1024)
        within("features.batch_size", self.batch_size, 1, 4096)
        within("features.rotation", self.rotation, 0.0, 180.0)
        within("features.zoom", self.zoom, 0.0, 0.9)
        within("features.translation", self.translation, 0.0, 0.5)
        within("features.contrast", self.contrast, 0.0, 0.9)
        within("features.blur", self.blur, 0.0, 10.0)


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
            within(f"train.{name}", getattr(self, name), 1, 100_000_000)
        within("train.layers", self.layers or 0, 0, 16)
        within("train.window", self.window, 0, 100_000)
        within("train.folds", self.folds, 0, 1000)
        if self.folds == 1 or (self.ensemble and not self.folds):
            raise ValueError(
                "train.folds must be 2 or more, or 0 without train.ensemble. Received: "
                f"{self.folds}."
            )
        within("train.patience", self.patience, 0, 100_000)
        within("train.originals", self.originals, 0.0, 1.0)
        within("train.dropout", self.dropout, 0.0, 0.95)
        within("train.weight_decay", self.weight_decay, 0.0, 1.0)
        above_zero = ("learning_rate", "finetune_learning_rate", "pos_dist_thresh", "locref_stdev")
        for name in (*above_zero, "paf_width"):
            if getattr(self, name) <= 0:
                raise ValueError(f"train.{name} must be above 0. Received: {getattr(self, name)}.")
        within("train.locref_weight", self.locref_weight, 0.0, 1e6)
        within("train.cache_mb", self.cache_mb, 0, 10**9)
        within("train.paf_weight", self.paf_weight, 0.0, 1e6)
        within("train.edges", self.edges, 1, 10_000)
        within("train.peaks", self.peaks or 1, 1, 200)
        self._check_finetune()

    def _check_finetune(self):
        one_of("train.mode", self.mode, MODES)
        one_of("train.precision", self.precision, PRECISIONS)
        within("train.finetune_steps", self.finetune_steps, 1, 100_000_000)
        within("train.finetune_window", self.finetune_window, 32, 8192)
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
