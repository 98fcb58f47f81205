"""The table of tasks: facts about each, without TensorFlow, so that no code asks for a task's name.

What a task does stands in tables of the same names: `beampose.trainer.tasks`,
`beampose.pipelines.predict.predictors`.
"""

import dataclasses

from beampose.core.infos import DatasetInfo, ModelInfo

# Side in pixels of the square in which a model of several animals looks at one that was cut out.
ANIMAL_CROP = 128


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskKind:
    """A task.

    Attributes:
      name: by which the tables of what it does know it.
      setting: what a config and an info call it, under `task`.
      formats: of sources that hold labels for it.
      labels: `bodyparts` or `classes`: where an info lists the names of what is labeled.
      several: whether an image holds several animals.
      pooled: whether the features of an image are one vector, not a map.
      sections: of a config, that apply only to it.
      predict, render: settings of these sections that apply only to it.
      backbone, pca, copies, layers: what these settings are where a config leaves them out.
      score: held-out figure that decides which weights are kept.
      maximize: whether a higher score is better.
      score_words: names the score, with its unit.
      error: of one label, in a learning curve: see `outcomes.Curve`.
      figures: held-out ones that a terminal shows.
      unit: of a difference between two predictions.
      summary: whether metrics.json says the held-out figures at its top level too.
    """

    name: str
    setting: str
    formats: tuple[str, ...]
    labels: str
    several: bool
    pooled: bool
    sections: tuple[str, ...]
    predict: tuple[str, ...]
    render: tuple[str, ...]
    backbone: str
    pca: int
    copies: int
    layers: int
    score: str
    maximize: bool
    score_words: str
    error: str
    figures: tuple[str, ...]
    unit: str
    summary: bool

    @property
    def points(self) -> bool:
        """True if labels are keypoints, False if they are classes of whole images."""
        return self.labels == "bodyparts"

    @property
    def sign(self) -> float:
        """1 if a higher score is better, else -1."""
        return 1.0 if self.maximize else -1.0


POSE = TaskKind(
    name="pose",
    setting="pose",
    formats=("deeplabcut", "imagej", "sleap", "coco"),
    labels="bodyparts",
    several=False,
    pooled=False,
    sections=("track", "reid", "cameras"),
    predict=("crop", "size", "look", "dynamic", "also"),
    render=("bodyparts", "colormap", "dot_size", "trail", "skeleton", "filtered", "color_by"),
    backbone="resnet_compact",
    pca=64,
    copies=2,
    layers=3,
    score="mean_error_px",
    maximize=False,
    score_words="mean error (px)",
    error="px",
    figures=("mean_error_px", "median_error_px", "mean_error_px_pcutoff"),
    unit="px",
    summary=False,
)
# mAP stays 0 for long and jumps; the score of several animals, which picks the weights, does not.
ANIMALS = dataclasses.replace(
    POSE,
    name="animals",
    several=True,
    score="oks_f1",
    maximize=True,
    score_words="OKS, F1",
    error="missed",
    figures=(*POSE.figures, "mAP", "mAR"),
)
CROPS = TaskKind(
    name="crops",
    setting="crops",
    formats=("crops", "csv"),
    labels="classes",
    several=False,
    pooled=True,
    sections=("boxes", "keep"),
    predict=(),
    render=(),
    backbone="efficientnet_lite0",
    pca=0,
    copies=0,
    layers=1,
    score="accuracy",
    maximize=True,
    score_words="accuracy",
    error="wrong",
    figures=("accuracy", "precision", "recall", "auc"),
    unit="in probability",
    summary=True,
)
KINDS = (POSE, ANIMALS, CROPS)


def of_setting(task: str) -> TaskKind:
    """The first kind that a config calls so: right in all that does not depend on individuals."""
    return next(kind for kind in KINDS if kind.setting == task)


def of_info(info: DatasetInfo | ModelInfo) -> TaskKind:
    """The kind of the info.json of a dataset or a model, by its `task` and its `individuals`."""
    return of_names(info.task, len(info.individuals))


def of_names(task: str, individuals: int) -> TaskKind:
    """The kind of labels with this number of names of individuals."""
    kind = of_setting(task)
    several = kind.points and individuals > 1
    return next(one for one in KINDS if (one.setting, one.several) == (task, several))
