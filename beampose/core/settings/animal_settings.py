"""The sections of an experiment about several animals in a video: their tracks, and who is who."""

from typing import Annotated, Literal

from pydantic import Field

from beampose.core.settings.section import LIKE_A_NUMBER, BatchSize, Number, Section, Share, setting


class Track(Section):
    """How individuals become tracks: docs/animals.md. Times are frames that are analyzed."""

    animals: int | None = setting(
        None, "Animals in a video; unset: as many as the project has.", ge=1, le=10_000
    )
    similarity: Literal["skeleton", "ellipse", "box"] = setting(
        "skeleton", "A detection goes on as the animal that it is most alike by this."
    )
    min_similarity: Annotated[float, Field(ge=0.001, le=1), LIKE_A_NUMBER] | None = setting(
        None, "How alike they must be; unset: the similarity's own."
    )
    max_age: int = setting(5, "How long an animal may be out of sight.", ge=0, le=1_000_000)
    min_hits: int = setting(1, "Tracklets of fewer detections are dropped.", ge=1, le=1_000_000)
    min_length: int = setting(1, "Shorter tracklets take no part in stitching.", ge=1, le=1_000_000)
    max_gap: int | None = setting(
        None,
        "The longest gap that stitching joins tracklets over; unset: any.",
        ge=1,
        le=100_000_000,
    )
    appearance: Literal["none", "descriptors"] = setting(
        "descriptors",
        "Stitching also goes by how animals look: descriptors are the features under their "
        "keypoints.",
    )
    fill: int = setting(
        0,
        "Gaps in a track of up to so many frames are filled by lines of likelihood 0.",
        ge=0,
        le=1_000_000,
    )


class Reid(Section):
    """How a network learns to tell animals apart: docs/animals.md."""

    triplets: int = setting(
        1000, "Examples drawn from the tracklets of a video.", ge=1, le=1_000_000
    )
    epochs: int = setting(20, "Passes over the triplets, at most.", ge=1, le=10_000)
    batch_size: BatchSize = setting(64, "Triplets of a training step.")
    learning_rate: Number = setting(3e-4, "Of the network.", ge=1e-8, le=1)
    weight_decay: Share = setting(5e-4, "Of the network's weights.")
    hide: Number = setting(
        0.2,
        "Share of bodyparts left out at random in training, so that no identity hangs on one.",
        ge=0,
        le=0.9,
    )
    patience: int = setting(
        5,
        "Epochs without a better held-out accuracy that end the training; 0: never.",
        ge=0,
        le=10_000,
    )
    test: Number = setting(0.2, "Share of tracklets that is held out.", ge=0, le=0.5)
    dims: int = setting(128, "Numbers that an animal is told by.", ge=4, le=1024, multiple_of=4)
    seed: int = setting(0, "Of the triplets and the weights.", ge=0, le=2**32 - 1)
