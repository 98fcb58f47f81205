"""Sections of an experiment: its features, its training."""

from typing import Annotated, Literal

from pydantic import model_validator

from beampose.core.settings.section import (
    ANIMALS,
    FINETUNING,
    HEAD,
    PATH,
    VIEWS,
    Affects,
    Angle,
    BatchSize,
    Count,
    Formerly,
    Number,
    Positive,
    Scale,
    Section,
    Share,
    setting,
)

# The keys of `trainer.networks.BACKBONES`, which a test holds together; here no network is built.
Backbone = Literal[
    "resnet50",
    "resnet101",
    "mobilenet_v2_0.35",
    "mobilenet_v2_0.5",
    "mobilenet_v2_0.75",
    "mobilenet_v2_1.0",
    "efficientnet_lite0",
    "efficientnet_v2_b0",
    "convnext_tiny",
    "resnet_compact",
]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


class Features(Section):
    """Features of an image, and the ranges of its augmented copies."""

    backbone: Backbone | None = setting(
        None,
        "The frozen network: docs/accuracy.md; unset: resnet_compact for pose, efficientnet_lite0 "
        "for crops.",
    )
    weights: Annotated[str | None, PATH] = setting(
        None,
        "imagenet, builtin, package, random:SEED or a file of weights; unset: those that come with "
        "the backbone, else imagenet.",
    )
    taps: Literal["expanded", "narrow"] | None = setting(
        None,
        "Layers that maps are read from: inside the expanded blocks or at their narrow ends, a "
        "sixth of the channels; unset: what suits the backbone.",
    )
    precision: Literal["float32", "int8"] = setting(
        "float32",
        "Numbers that the backbone computes with; int8: whole numbers, quantised by some training "
        "images, in less time where the processor knows them: docs/accuracy.md.",
    )
    scale: Scale | None = setting(
        None, "Scale of images before they are embedded; unset: chosen by the size of the animals."
    )
    copies: int | None = setting(
        None,
        "Augmented copies of each training image; unset: chosen by the number of images, 0 for "
        "crops. docs/accuracy.md shows the gain of more.",
        ge=0,
        le=256,
    )
    window: Annotated[int | None, Formerly(0)] = setting(
        None,
        "Side, in pixels of the scaled image, of the window round an animal that an augmented copy "
        "shows; 0: copies of whole frames; unset: windows where animals are small in the frame.",
        ge=0,
        le=100_000,
    )
    pca: int | None = setting(
        None,
        "Components kept per cell, 0 for all channels; unset: 64 for pose, 0 for crops.",
        ge=0,
        le=4096,
    )
    crop_size: int = setting(224, "Side of a crop in pixels.", ge=32, le=1024)
    batch_size: BatchSize = setting(4, "Images embedded at a time.")
    rotation: Annotated[Angle | None, Affects.only(HEAD, VIEWS), Formerly(25.0)] = setting(
        None,
        "Largest angle in degrees by which copies are turned; unset: 180 where animals are seen in "
        "all directions, else 25.",
    )
    zoom: Annotated[Number, Affects.only(HEAD, VIEWS)] = setting(
        0.2, "Largest share by which copies are enlarged or reduced.", ge=0, le=0.9
    )
    translation: Annotated[Number, Affects.only(HEAD, VIEWS)] = setting(
        0.1, "Largest share of the side by which copies are moved.", ge=0, le=0.5
    )
    contrast: Annotated[Number, Affects.only(HEAD, VIEWS)] = setting(
        0.2, "Largest share by which the contrast of copies changes.", ge=0, le=0.9
    )
    blur: Number = setting(1.0, "Largest blur of copies in pixels.", ge=0, le=10)
    frames: bool = setting(
        False, "Keep the encoded image of every label too: `train.mode: finetune` learns from them."
    )


class Train(Section):
    """Training of the head. Distances are pixels of the source image."""

    steps: Annotated[Count | None, Formerly(400)] = setting(
        None,
        "Training steps of the head; unset: until held-out parts of the training split no longer "
        "improve, within the budget.",
    )
    budget: Annotated[Number, Affects.only()] = setting(
        120.0,
        "Seconds, on two cores of 2026, that choosing unset settings and training may take.",
        gt=0,
        le=1_000_000,
    )
    batch_size: Annotated[Count | None, Formerly(8)] = setting(
        None, "Images per training step; unset: 8 for pose, 64 for crops."
    )
    learning_rate: Annotated[Positive | None, Formerly(0.002)] = setting(
        None, "Highest learning rate of the head; unset: 0.004."
    )
    seed: int = setting(0, "Seed of weights, batches and augmentation.", ge=0, le=2**32 - 1)
    hidden: Count = setting(64, "Channels of the head's inner layers.")
    layers: int | None = setting(
        None,
        "3x3 convolutions before the output (pose; unset: 3) or dense layers (crops; unset: 1).",
        ge=0,
        le=16,
    )
    window: Annotated[int | None, Formerly(24)] = setting(
        None,
        "Side, in cells, of the part of a map used in a step; 0: whole maps; unset: chosen by the "
        "size of the animals.",
        ge=0,
        le=100_000,
    )
    originals: Share = setting(
        0.5,
        "Share of a batch that are unchanged images, if there are augmented copies; 0 "
        "and 1 mix them in proportion.",
    )
    plausible: bool = setting(
        True, "Replace a peak that does not fit the body's proportions by a lower one that does."
    )
    folds: Annotated[int, Affects.only()] = setting(
        0,
        "Heads that are also trained, each without one part of the training images; their "
        "errors give the uncertainty of predictions.",
        ge=0,
        le=1000,
    )
    ensemble: Annotated[bool, Affects.only()] = setting(
        False, "Export the heads of the folds together instead of one head."
    )
    patience: int = setting(
        0,
        "Training stops after this many evaluations without a better score on a fifth of the "
        "training images, which it does not learn from; 0: never, and it learns from all.",
        ge=0,
        le=100_000,
    )
    dropout: Number = setting(0.1, "Share of features left out at random.", ge=0, le=0.95)
    weight_decay: Share = setting(0.0, "Weight decay of the head.")
    balance: Number = setting(
        1.0,
        "How much rare classes of crops count. 0: as they are labeled, for the most right; 1: as "
        "much as frequent ones; 2: more of the rare ones are found, and more is taken for them.",
        ge=0,
        le=4,
    )
    pos_dist_thresh: Annotated[Positive | None, Formerly(17.0)] = setting(
        None,
        "Cells within this distance of a bodypart count as it; unset: chosen by the distances "
        "between bodyparts.",
    )
    locref_stdev: Number = setting(7.2801, "Unit of the location refinement.", gt=0)
    locref_weight: Number = setting(
        0.05, "Share of the location refinement in the loss.", ge=0, le=1_000_000
    )
    evaluate_every: Annotated[Count | None, Formerly(50)] = setting(
        None, "Steps between two evaluations; unset: 8 in a training."
    )
    checkpoint_every: Annotated[Count, Affects.only()] = setting(
        100, "Steps between two checkpoints."
    )
    cache_mb: Annotated[int, Affects.only()] = setting(
        4096, "Memory for features in MB; the rest is read again.", ge=0, le=10**9
    )
    mode: Annotated[Literal["features", "finetune"], Affects.only()] = setting(
        "features", "finetune: training continues with head and backbone together, from frames."
    )
    finetune_steps: Annotated[Count, Affects.only(FINETUNING)] = setting(
        400, "Training steps of both networks."
    )
    finetune_learning_rate: Annotated[Number, Affects.only(FINETUNING)] = setting(
        1e-4, "Highest learning rate of both networks.", gt=0
    )
    finetune_window: Annotated[int, Affects.only(FINETUNING)] = setting(
        256,
        "Side, in pixels of the scaled frame, of the window used in a step of finetuning "
        "(pose; crops are used whole), a multiple of 16.",
        ge=32,
        le=8192,
        multiple_of=16,
    )
    precision: Annotated[Precision, Affects.only(FINETUNING)] = setting(
        "float32", "Precision of both networks during finetuning."
    )
    paf_width: Annotated[Number, Affects.only(ANIMALS)] = setting(
        20.0, "Half width of the field along the line between two bodyparts.", gt=0
    )
    paf_weight: Annotated[Number, Affects.only(ANIMALS)] = setting(
        0.001, "Share of the part affinity fields in the loss.", ge=0, le=1_000_000
    )
    edges: Annotated[int, Affects.only(ANIMALS)] = setting(
        91, "Largest number of pairs of bodyparts with a field.", ge=1, le=10_000
    )
    peaks: Annotated[int | None, Affects.only(ANIMALS)] = setting(
        None,
        "Largest number of places of a bodypart in a frame; unset: 1.5 times the animals, "
        "at least two more.",
        ge=1,
        le=200,
    )
    identity: Annotated[bool, Affects.only(ANIMALS)] = setting(
        False, "Also learn identities, if labels always call an animal by the same name."
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
