"""Sections of an experiment: what is looked at in videos, and what is made of it."""

import dataclasses

from beampose.core.settings.checks import is_crop, one_of, within

COLOR_BY = ("bodypart", "individual")
ALSO = ("crops", "full", "bpt_features")
SIZES = ("keep", "resize", "pad")
BOXES = ("motion", "file")
FILTERS = ("median", "savgol", "kalman")
# FFmpeg's encoders whose pictures an mp4 may hold.
CODECS = ("auto", "libx264", "libx265", "libsvtav1", "mpeg4")
OUTLIERS = ("jump", "uncertain", "fitting", "spread")
PICKS = ("kmeans", "uniform", "extreme")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predict:
    """What to run the model on, and what of it.

    `chunk` is the number of frames one worker takes at a time. Of a video, one frame in `every` is
    looked at, or `fps` a second (0 = all), between `start` and `stop` seconds. `crop` is x1, x2,
    y1, y2 in pixels, as in DeepLabCut's config; coordinates stay those of the frame. Videos of
    another size than the training frames are left as they are by `size: keep`, fitted into their
    size by `resize`, or filled up to it by `pad`. With `dynamic`, a likelihood, the next frames are
    cut to the animal and `margin` pixels around it as long as a bodypart reaches that likelihood.
    `also` is of several animals: what is kept too, `crops` for `reid` (each animal cut out, as
    features) and DeepLabCut's large files `full` and `bpt_features`.
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
    also: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        within("predict.pcutoff", self.pcutoff, 0.0, 1.0)
        within("predict.batch_size", self.batch_size, 1, 4096)
        within("predict.chunk", self.chunk, 1, 1_000_000)
        within("predict.every", self.every, 1, 1_000_000)
        within("predict.fps", self.fps, 0.0, 10_000.0)
        within("predict.start", self.start, 0.0, 1e9)
        within("predict.dynamic", self.dynamic, 0.0, 1.0)
        within("predict.margin", self.margin, 0, 10_000)
        one_of("predict.size", self.size, SIZES)
        for name in self.also:
            one_of("predict.also", name, ALSO)
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(
                f"predict.stop must be behind predict.start, {self.start:g} s. Received: "
                f"{self.stop:g}."
            )
        if self.crop is not None and not is_crop(self.crop):
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
        one_of("boxes.by", self.by, BOXES)
        if (self.by == "file") != (self.path is not None):
            raise ValueError(
                "boxes.path names the boxes of boxes.by: file, and of nothing else. Received: "
                f"by {self.by}, path {self.path}."
            )
        if self.roi is not None and not is_crop(self.roi):
            raise ValueError(
                "boxes.roi must be x1, x2, y1, y2 with 0 <= x1 < x2 and 0 <= y1 < y2. Received: "
                f"{self.roi}."
            )
        within("boxes.min_confidence", self.min_confidence, 0.0, 1.0)
        within("boxes.min_size", self.min_size, 0.0, 1.0)
        within("boxes.learning_rate", self.learning_rate, 0.0, 1.0)
        within("boxes.variance", self.variance, 1.0, 10_000.0)
        within("boxes.background_ratio", self.background_ratio, 0.01, 1.0)
        within("boxes.merge", self.merge, 0.0, 100_000.0)
        within("boxes.opening", self.opening, 0, 101)
        within("boxes.min_area", self.min_area, 0.0, 1e9)
        within("boxes.burn_in", self.burn_in, 1, 10_000)
        within("boxes.pad", self.pad or 0.0, 0.0, 2.0)


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
        within("keep.frames", self.frames, 0, 1_000_000)
        within("keep.gap", self.gap, 0.0, 100_000.0)
        within("keep.buffer", self.buffer, 0.0, 100_000.0)
        within("keep.shortest", self.shortest, 0.0, 100_000.0)


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
        one_of("filter.method", self.method, FILTERS)
        within("filter.fill", self.fill, 0, 1_000_000)
        within("filter.pcutoff", self.pcutoff or 0.0, 0.0, 1.0)
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
        within("filter.order", self.degree, 1, 9)
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
        one_of("outliers.method", self.method, OUTLIERS)
        one_of("outliers.pick", self.pick, PICKS)
        within("outliers.epsilon", self.epsilon, 0.0, 1e6)
        within("outliers.p_bound", self.p_bound, 0.0, 1.0)
        within("outliers.count", 1 if self.count is None else self.count, 1, 100_000)
        within("outliers.seed", self.seed, 0, 2**32 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Render:
    """How labeled videos look.

    Points below `pcutoff` (unset: that of `predict`) are not drawn. `colormap` is one of
    matplotlib's (unset: hues as far apart as they get), `bodyparts` those that are drawn (unset:
    all), `dot_size` a radius (0: by the size of the frame), `trail` the number of past frames drawn
    behind each dot. `start` and `stop` are seconds of the video, `codec` one of FFmpeg's encoders,
    `filtered` draws what `beampose filter` made. `color_by` is bodypart or individual (unset:
    individual where there are several). `images` is of `beampose evaluate`: how many it draws.
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
    color_by: str | None = None
    images: int = 24

    def __post_init__(self):
        within("render.pcutoff", self.pcutoff or 0.0, 0.0, 1.0)
        within("render.dot_size", self.dot_size, 0, 500)
        within("render.trail", self.trail, 0, 10_000)
        within("render.images", self.images, 0, 100_000)
        within("render.start", self.start, 0.0, 1e9)
        one_of("render.codec", self.codec, CODECS)
        if self.color_by is not None:
            one_of("render.color_by", self.color_by, COLOR_BY)
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(
                f"render.stop must be behind render.start, {self.start:g} s. Received: "
                f"{self.stop:g}."
            )
