"""A feature store and a dataset: what `beampose features` says of them."""

from collections.abc import Mapping
from typing import ClassVar

from beampose.core.infos.record import Info, Plain, Record
from beampose.core.name_parts import Part

# Precisions of a backbone.
FLOAT32, INT8 = "float32", "int8"


class Recipe(Record):
    """What decides the features of an image, apart from its pixels.

    Attributes:
      backbone, weights_digest: the network.
      pooled: True for one vector an image, False for maps.
      channels: of the network.
      pca: dimensions kept, 0 = all.
      scale, stride: of maps: of the image before the network; source pixels a cell, scaled.
      taps: of maps: the set of layers they are read from.
      precision: `FLOAT32` or `INT8`, of the network.
      crop_size: of pooled features: side of the square that images are resized to.
    """

    backbone: str
    weights_digest: str
    pooled: bool
    channels: int
    pca: int
    scale: float = 1.0
    stride: int = 8
    taps: str = "expanded"
    precision: str = FLOAT32
    crop_size: int = 0


class Shard(Record):
    """A file of features."""

    file: str
    records: int
    bytes: int
    sha256: str


class StoreInfo(Info):
    """Stored features: how they were made, and a manifest of their files."""

    NAME: ClassVar[str] = "store"
    VERB: ClassVar[str] = "features"
    KEYS: ClassVar[tuple[str, ...]] = ("recipe", "dims", "shards")

    recipe: Recipe
    weights: str
    dims: int
    transform_digest: str
    records: int
    bytes: int
    shards: list[Shard]


class Chosen(Record):
    """What the data chose of a setting that the config leaves open, and why.

    `why` is empty where the setting does nothing, as those of maps for crops.
    """

    value: int | float
    why: str


def worth_telling(chosen: Mapping[str, Chosen]) -> dict[str, Chosen]:
    """The settings among some that do something."""
    return {key: one for key, one in chosen.items() if one.why}


class Counts(Record):
    """Labeled images, their stored copies, labels that were lost, and lines in rejects.jsonl."""

    images: int
    copies: int
    rejected: int
    problems: int


class DatasetInfo(Info):
    """Labels joined to stored features.

    Attributes:
      bodyparts, individuals, edges: of pose; empty for crops.
      unique_bodyparts: those of the scene, in the row of the last individual.
      classes: of crops, the positive one first; empty for pose.
      crop_rule: how crops were cut; None if they were not cut by beampose.
      store: the name of its store.
      split: images by split.
      frames: images kept as files, with their bytes; None if none were asked for.
      chosen: by setting, such as features.scale.
      seconds: that making it took.
      labels_read: digest of the labels as they were read, those that were rejected too; empty in
        datasets of a version before.
    """

    NAME: ClassVar[str] = "dataset"
    VERB: ClassVar[str] = "features"
    KEYS: ClassVar[tuple[str, ...]] = ("store", "labels_digest", "counts")

    task: str
    bodyparts: list[str]
    individuals: list[str]
    edges: list[list[str]]
    classes: list[str]
    store: Part
    counts: Counts
    source: Plain = {}
    unique_bodyparts: list[str] = []
    crop_rule: Plain | None = None
    scorer: str = ""
    project: str = ""
    split: dict[str, int] = {}
    frames: dict[str, int] | None = None
    labels_digest: str = ""
    chosen: dict[str, Chosen] = {}
    seconds: float = 0.0
    labels_read: str = ""
