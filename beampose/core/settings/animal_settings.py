"""Sections of an experiment with several animals in a video: their tracks and identities."""

from typing import Annotated, Literal

from pydantic import Field

from beampose.core.settings.section import LIKE_A_NUMBER, BatchSize, Number, Section, Share, setting


class Track(Section):
    """Tracking of individuals: docs/animals.md. Durations are in analyzed frames."""

    animals: int | None = setting(
        None, "Animals in a video; unset: as many as the project has.", ge=1, le=10_000
    )
    similarity: Literal["skeleton", "ellipse", "box"] = setting(
        "skeleton", "Measure by which a detection continues the most similar animal."
    )
    min_similarity: Annotated[float, Field(ge=0.001, le=1), LIKE_A_NUMBER] | None = setting(
        None, "Least similarity; unset: the measure's own default."
    )
    max_age: int = setting(5, "Frames that an animal may be out of sight.", ge=0, le=1_000_000)
    min_hits: int = setting(1, "Tracklets of fewer detections are dropped.", ge=1, le=1_000_000)
    min_length: int = setting(1, "Shorter tracklets are not stitched.", ge=1, le=1_000_000)
    max_gap: int | None = setting(
        None,
        "Longest gap across which stitching joins tracklets; unset: any.",
        ge=1,
        le=100_000_000,
    )
    appearance: Literal["none", "descriptors"] = setting(
        "descriptors",
        "Stitching also uses the animals' appearance: descriptors are the features under their "
        "keypoints.",
    )
    fill: int = setting(
        0,
        "Gaps in a track of up to this many frames are filled by lines of likelihood 0.",
        ge=0,
        le=1_000_000,
    )


class Reid(Section):
    """Re-identification, a network that tells animals apart: docs/animals.md."""

    triplets: int = setting(
        1000, "Triplets drawn from the tracklets of a video.", ge=1, le=1_000_000
    )
    epochs: int = setting(20, "Largest number of passes over the triplets.", ge=1, le=10_000)
    batch_size: BatchSize = setting(64, "Triplets per training step.")
    learning_rate: Number = setting(3e-4, "Learning rate of the network.", ge=1e-8, le=1)
    weight_decay: Share = setting(5e-4, "Weight decay of the network.")
    hide: Number = setting(
        0.2,
        "Share of bodyparts left out at random in training, so that no identity depends on one.",
        ge=0,
        le=0.9,
    )
    patience: int = setting(
        5,
        "Training stops after this many epochs without better held-out accuracy; 0: never.",
        ge=0,
        le=10_000,
    )
    test: Number = setting(0.2, "Share of detections held out, by whole tracklets.", ge=0, le=0.5)
    dims: int = setting(128, "Length of the embedding.", ge=4, le=1024, multiple_of=4)
    seed: int = setting(0, "Seed of the triplets and the weights.", ge=0, le=2**32 - 1)
