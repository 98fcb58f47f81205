"""The sections of an experiment about several animals in a video: their tracks, and who is who."""

import dataclasses

from beampose.core.settings.checks import one_of, within

SIMILARITIES = ("skeleton", "ellipse", "box")
APPEARANCES = ("none", "descriptors")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Track:
    """How individuals become tracks: docs/animals.md. Times are looked-at frames.

    `animals` unset means as many as the project has. A detection goes on as the animal it is most
    alike by `similarity`, if by `min_similarity` at least (unset: the similarity's own); an animal
    may be out of sight for `max_age`. Tracklets of fewer than `min_hits` detections are dropped,
    those of fewer than `min_length` take no part in stitching, which joins tracklets over `max_gap`
    (unset: any) by where they go and, unless `appearance` is none, how they look: `descriptors` are
    the features under their keypoints. Gaps of up to `fill` in a track are filled by lines of
    likelihood 0.
    """

    animals: int | None = None
    similarity: str = "skeleton"
    min_similarity: float | None = None
    max_age: int = 5
    min_hits: int = 1
    min_length: int = 1
    max_gap: int | None = None
    appearance: str = "descriptors"
    fill: int = 0

    def __post_init__(self):
        one_of("track.similarity", self.similarity, SIMILARITIES)
        one_of("track.appearance", self.appearance, APPEARANCES)
        within("track.animals", 1 if self.animals is None else self.animals, 1, 10_000)
        if self.min_similarity is not None:
            within("track.min_similarity", self.min_similarity, 0.001, 1.0)
        within("track.max_age", self.max_age, 0, 1_000_000)
        within("track.min_hits", self.min_hits, 1, 1_000_000)
        within("track.min_length", self.min_length, 1, 1_000_000)
        within("track.max_gap", 1 if self.max_gap is None else self.max_gap, 1, 100_000_000)
        within("track.fill", self.fill, 0, 1_000_000)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reid:
    """How a network learns to tell animals apart: docs/animals.md.

    `triplets` are drawn from the tracklets of a video, `test` is the share of tracklets held out,
    `dims` are numbers an animal is told by. Training ends early when held-out accuracy has not
    risen for `patience` epochs (0: never). `hide` is the share of bodyparts left out at random in
    training, so that no identity hangs on one.
    """

    triplets: int = 1000
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-4
    weight_decay: float = 5e-4
    hide: float = 0.2
    patience: int = 5
    test: float = 0.2
    dims: int = 128
    seed: int = 0

    def __post_init__(self):
        within("reid.triplets", self.triplets, 1, 1_000_000)
        within("reid.epochs", self.epochs, 1, 10_000)
        within("reid.batch_size", self.batch_size, 1, 4096)
        within("reid.learning_rate", self.learning_rate, 1e-8, 1.0)
        within("reid.weight_decay", self.weight_decay, 0.0, 1.0)
        within("reid.hide", self.hide, 0.0, 0.9)
        within("reid.patience", self.patience, 0, 10_000)
        within("reid.test", self.test, 0.0, 0.5)
        within("reid.dims", self.dims, 4, 1024)
        within("reid.seed", self.seed, 0, 2**32 - 1)
        if self.dims % 4:
            raise ValueError(f"reid.dims must be a multiple of 4. Received: {self.dims}.")
