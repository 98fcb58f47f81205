"""A trained model: what `beampose train` says of it."""

from typing import ClassVar

from beampose.core.infos.dataset_info import Chosen, Recipe
from beampose.core.infos.record import Info, Plain, Record
from beampose.core.name_parts import Part


class Assembly(Record):
    """What assembly must know of a model of several animals; see `trainer.assemble.Rules`.

    Attributes:
      peaks: most of a bodypart that are read from its map.
      apart: source pixels between two of them, at least.
      reach: (bodyparts, bodyparts), None = no limit.
    """

    animals: int
    unique_bodyparts: list[str]
    graph: list[list[str]]
    min_affinity: list[float]
    weights: list[float]
    reach: list[list[float | None]]
    min_likelihood: float
    min_parts: int
    identity: bool
    peaks: int | None = None
    apart: float = 0.0


class Uncertainty(Record):
    """For each bodypart the radius that a new error stays below with probability `level`.

    Attributes:
      radius_px: source pixels; None where there are too few errors to say.
      coverage: share of the errors of folds left out that lie inside.
      coverage_test: share of the held-out errors that do.
      images: by whose errors it is known.
    """

    level: float
    radius_px: dict[str, float | None]
    coverage: float | None
    coverage_test: float | None = None
    images: int | None = None


class SplitSettings(Record):
    """Seed of the split."""

    seed: int


class TrainSettings(Record):
    """Seed of the training, and the radius of a bodypart in source pixels."""

    seed: int
    pos_dist_thresh: float


class Settings(Record):
    """The experiment's settings, as far as a finished model is asked for them."""

    split: SplitSettings
    train: TrainSettings


class ModelInfo(Info):
    """Everything needed to predict that is not in the SavedModel.

    Attributes:
      split: images by split.
      dlc_scorer: DeepLabCut's name for what made the coordinates.
      frame_size: height and width of most labeled images.
      crop_rule: how crops are cut; None if they were not cut by beampose.
      mode: features or finetune.
      pixels_against_stored_features: the largest difference; None if it could not be measured.
      assembly: of several animals.
      heads: how many predict together.
      chosen: what the data chose of the settings, by name.
      config: the experiment's settings, with what was chosen.
      tensors: by signature, the names of inputs and outputs in the graph.
      digest: names the SavedModel by its weights and graph.
      asked: names the labels, features and settings that it was trained on.
      labels: digest of the labels and their split, as in the dataset's info; empty in versions
        before.
    """

    NAME: ClassVar[str] = "model"
    VERB: ClassVar[str] = "train"
    KEYS: ClassVar[tuple[str, ...]] = ("task", "dlc_scorer", "recipe", "transform_digest")

    task: str
    bodyparts: list[str]
    individuals: list[str]
    classes: list[str]
    project: str
    split: dict[str, int]
    dlc_scorer: Part
    store: Part
    recipe: Recipe
    weights: str
    transform_digest: str
    edges: list[list[str]] = []
    scorer: str = ""
    frame_size: list[int] | None = None
    crop_rule: Plain | None = None
    mode: str = "features"
    pixels_against_stored_features: float | None = None
    assembly: Assembly | None = None
    heads: int = 1
    uncertainty: Uncertainty | None = None
    chosen: dict[str, Chosen] = {}
    config: Plain
    versions: dict[str, str] = {}
    tensors: dict[str, dict[str, dict[str, str]]] = {}
    digest: str = ""
    asked: str = ""
    labels: str = ""

    @property
    def settings(self) -> Settings:
        """Those in `config` that are read again."""
        return Settings.model_validate(self.config)


class ExportInfo(Info):
    """A model for another runtime.

    Attributes:
      format_name: as `beampose export --format` has it.
      file: beside this one.
      model_digest: of the SavedModel that it was made of.
      size: height and width of the images it takes; None = any.
      outputs: shapes by name.
      difference_px, difference: from the SavedModel, in pixels (None for crops) and in likelihood.
      milliseconds: of one image, on the machine that exported it.
    """

    NAME: ClassVar[str] = "export"
    VERB: ClassVar[str] = "export"
    KEYS: ClassVar[tuple[str, ...]] = ("format_name", "model_digest", "outputs")

    format_name: str
    file: str
    model_digest: str
    task: str
    bodyparts: list[str]
    individuals: list[str]
    classes: list[str]
    size: list[int] | None
    outputs: dict[str, list[int]]
    bytes: int
    difference_px: float | None
    difference: float
    milliseconds: float
