"""Sections of an experiment: its labels, its features, its training."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from beampose.core import task_kinds
from beampose.core.settings.section import (
    ANIMALS,
    FINETUNING,
    HEAD,
    PATH,
    VIEWS,
    Affects,
    BatchSize,
    Count,
    Number,
    Section,
    Share,
    setting,
)

Format = Literal["deeplabcut", "imagej", "sleap", "coco", "crops", "csv"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


class Source(Section):
    """Where the labels are: docs/labels.md."""

    format: Format = Field(description="Who wrote the labels.")
    path: Annotated[str, PATH] = Field(description="A project, a folder or a file.")
    scorer: str | list[str] | None = setting(
        None, "Whose labels count in a DeepLabCut project; unset: the project's scorer."
    )
    combine: Literal["mean", "first"] | None = setting(
        None,
        "Which of several scorers counts: the mean of those who labeled a point (unset means "
        "that), or the first of the list who did.",
    )
    bodyparts: list[str] | None = setting(None, "Bodyparts to learn; unset: all.")
    max_rejects: Share = setting(0.5, "Share of labels that may be rejected before the job fails.")

    @model_validator(mode="after")
    def _check(self) -> "Source":
        if self.scorer is not None and self.format != "deeplabcut":
            raise ValueError(f"source.scorer does not apply to format {self.format!r}.")
        if self.bodyparts is not None and self.format not in task_kinds.POSE.formats:
            raise ValueError(f"source.bodyparts does not apply to format {self.format!r}.")
        if self.combine is not None and not isinstance(self.scorer, list):
            raise ValueError(
                "source.combine says how several scorers become one: name them in "
                f"source.scorer: [A, B]. Received: {self.scorer!r}."
            )
        return self


class Split(Section):
    """Which labeled images are held out."""

    by: Literal["image", "video", "folder", "block"] = setting("image", "What is held out as one.")
    test: Share = setting(0.2, "Share of the images that is held out.")
    seed: int = setting(0, "Of the draw.")
    from_: Annotated[str | None, PATH] = setting(
        None,
        "A DeepLabCut shuffle whose split is taken: its Documentation_data file, or the "
        "folder or metadata.yaml of a training set.",
        alias="from",
    )
    shuffle: int | None = setting(
        None, "Number of the shuffle in that training set.", ge=0, le=1_000_000
    )

    @model_validator(mode="after")
    def _check(self) -> "Split":
        if self.shuffle is not None and self.from_ is None:
            raise ValueError(
                "split.shuffle is the number of a shuffle in split.from, which is unset."
            )
        return self


class Features(Section):
    """How an image becomes features, and what its augmented copies vary by."""

    backbone: str = setting("resnet50", "The frozen network: docs/accuracy.md.")
    weights: Annotated[str, PATH] = setting(
        "imagenet", "imagenet, builtin, random:SEED or a file of weights."
    )
    scale: Number = setting(1.0, "Of images before they are embedded.", ge=0.05, le=4)
    copies: int | None = setting(
        None,
        "Augmented copies of each training image; unset: 2 for pose, 0 for crops. "
        "docs/accuracy.md shows what more of them give.",
        ge=0,
        le=256,
    )
    pca: int | None = setting(
        None,
        "Components kept per cell, 0 for all channels; unset: 64 for pose, 0 for crops.",
        ge=0,
        le=4096,
    )
    crop_size: int = setting(224, "Side of a crop in pixels.", ge=32, le=1024)
    batch_size: BatchSize = setting(4, "Images embedded at a time.")
    rotation: Annotated[Number, Affects.only(HEAD, VIEWS)] = setting(
        25.0, "Degrees that copies are turned by at most.", ge=0, le=180
    )
    zoom: Annotated[Number, Affects.only(HEAD, VIEWS)] = setting(
        0.2, "Share that copies are enlarged or reduced by at most.", ge=0, le=0.9
    )
    translation: Annotated[Number, Affects.only(HEAD, VIEWS)] = setting(
        0.1, "Share of the side that copies are moved by at most.", ge=0, le=0.5
    )
    contrast: Annotated[Number, Affects.only(HEAD, VIEWS)] = setting(
        0.2, "Share that the contrast of copies changes by at most.", ge=0, le=0.9
    )
    blur: Number = setting(1.0, "Pixels that copies are blurred by at most.", ge=0, le=10)
    frames: bool = setting(
        False, "Keep the encoded image of every label too: `train.mode: finetune` learns from them."
    )


class Train(Section):
    """How the head learns. Distances are pixels of the source image."""

    steps: Count = setting(400, "Training steps of the head.")
    batch_size: Count = setting(8, "Images of a training step.")
    learning_rate: Number = setting(0.002, "Of the head, at its highest.", gt=0)
    seed: int = setting(0, "Of weights, batches and augmentation.")
    hidden: Count = setting(64, "Channels of the head's inner layers.")
    layers: int | None = setting(
        None,
        "3x3 convolutions before the output (pose; unset: 3) or dense layers (crops; unset: 1).",
        ge=0,
        le=16,
    )
    window: int = setting(
        24,
        "Side, in cells, of the part of a map that a step sees; 0: whole maps.",
        ge=0,
        le=100_000,
    )
    originals: Share = setting(
        0.5,
        "Share of a batch that are images as they are, where there are augmented copies; 0 "
        "and 1 mix them in proportion.",
    )
    plausible: bool = setting(
        True, "Give up a peak that is out of the body's proportions for a lower one that fits."
    )
    folds: Annotated[int, Affects.only()] = setting(
        0,
        "Heads that are also trained, each without one part of the training images; their "
        "errors say how far a prediction may be off.",
        ge=0,
        le=1000,
    )
    ensemble: Annotated[bool, Affects.only()] = setting(
        False, "Export the heads of the folds together instead of one head."
    )
    patience: int = setting(
        0, "Evaluations without a better score that end the training; 0: never.", ge=0, le=100_000
    )
    dropout: Number = setting(0.1, "Share of features left out at random.", ge=0, le=0.95)
    weight_decay: Share = setting(0.0, "Of the head's weights.")
    pos_dist_thresh: Number = setting(
        17.0, "Cells within this distance of a bodypart count as it.", gt=0
    )
    locref_stdev: Number = setting(7.2801, "Unit of the location refinement.", gt=0)
    locref_weight: Number = setting(
        0.05, "Share of the location refinement in the loss.", ge=0, le=1_000_000
    )
    evaluate_every: Count = setting(50, "Steps between two evaluations.")
    checkpoint_every: Annotated[Count, Affects.only()] = setting(
        100, "Steps between two checkpoints."
    )
    cache_mb: Annotated[int, Affects.only()] = setting(
        4096, "Memory for features, which are else read again.", ge=0, le=10**9
    )
    mode: Annotated[Literal["features", "finetune"], Affects.only()] = setting(
        "features", "finetune: the trained head goes on together with the backbone, from frames."
    )
    finetune_steps: Annotated[Count, Affects.only(FINETUNING)] = setting(
        400, "Training steps of both networks."
    )
    finetune_learning_rate: Annotated[Number, Affects.only(FINETUNING)] = setting(
        1e-4, "Of both networks, at its highest.", gt=0
    )
    finetune_window: Annotated[int, Affects.only(FINETUNING)] = setting(
        256,
        "Side, in pixels of the scaled frame, of the part that a step of finetuning sees "
        "(pose; crops are seen whole): cells of 8 pixels, two at a time.",
        ge=32,
        le=8192,
        multiple_of=16,
    )
    precision: Annotated[Precision, Affects.only(FINETUNING)] = setting(
        "float32", "In which both networks compute while they are finetuned."
    )
    paf_width: Annotated[Number, Affects.only(ANIMALS)] = setting(
        20.0, "Distance from the line between two bodyparts that its field has.", gt=0
    )
    paf_weight: Annotated[Number, Affects.only(ANIMALS)] = setting(
        0.001, "Share of the part affinity fields in the loss.", ge=0, le=1_000_000
    )
    edges: Annotated[int, Affects.only(ANIMALS)] = setting(
        91, "Pairs of bodyparts that have a field, at most.", ge=1, le=10_000
    )
    peaks: Annotated[int | None, Affects.only(ANIMALS)] = setting(
        None,
        "Places of a bodypart that a frame may have; unset: half as many again as animals, "
        "at least two more.",
        ge=1,
        le=200,
    )
    identity: Annotated[bool, Affects.only(ANIMALS)] = setting(
        False, "Also learn who is who, where labels always call an animal by the same name."
    )

    @model_validator(mode="after")
    def _check(self) -> "Train":
        if self.folds == 1 or (self.ensemble and not self.folds):
            raise ValueError(
                "train.folds must be 2 or more, or 0 without train.ensemble. Received: "
                f"{self.folds}."
            )
        if self.mode == "finetune" and self.folds:
            raise ValueError(
                "train.folds judges heads on stored features, not a finetuned network: set "
                f"train.folds: 0 or train.mode: features. Received: {self.folds}."
            )
        if self.mode == "features" and self.precision != "float32":
            raise ValueError(
                "train.precision applies only to train.mode: finetune; heads on stored features "
                f"are trained in float32. Received: {self.precision!r}."
            )
        return self
