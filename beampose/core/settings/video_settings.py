"""Sections of an experiment: the part of a video that is analyzed, and what is made of it."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from beampose.core.settings.section import (
    LIKE_A_NUMBER,
    PATH,
    BatchSize,
    Crop,
    Number,
    Seconds,
    Section,
    Share,
    setting,
)

# FFmpeg's encoders whose pictures an mp4 may hold.
Codec = Literal["auto", "libx264", "libx265", "libsvtav1", "mpeg4"]
CODECS: tuple[str, ...] = get_args(Codec)
Start = Annotated[Seconds, Field(description="Where to begin, in seconds of the video.")]
Stop = Annotated[Number | None, Field(description="Where to end, in seconds; unset: at the end.")]


class Predict(Section):
    """Videos to predict, and the frames and regions to use: docs/videos.md."""

    videos: Annotated[list[str], PATH] = setting([], "Videos, folders or patterns.")
    pcutoff: Share = setting(0.6, "Likelihood above which a point counts as seen.")
    batch_size: BatchSize = setting(8, "Frames that go through the model at a time.")
    chunk: int = setting(512, "Frames that one worker takes at a time.", ge=1, le=1_000_000)
    every: int = setting(1, "Analyze one frame in this many.", ge=1, le=1_000_000)
    fps: Number = setting(0.0, "Or this many frames per second; 0: see `every`.", ge=0, le=10_000)
    start: Start = 0.0
    stop: Stop = None
    crop: Crop | None = setting(
        None,
        "x1, x2, y1, y2 in pixels, as in DeepLabCut's config; coordinates stay those of the frame.",
    )
    size: Literal["keep", "resize", "pad"] = setting(
        "keep",
        "Videos of another size than the training frames are left as they are, fitted into "
        "their size, or filled up to it.",
    )
    look: Literal["auto", "window", "frame"] = setting(
        "auto",
        "Where animals are searched: in windows around where they were, and in the whole frame "
        "where that may not be enough; auto: by windows that are at most half of the frame.",
    )
    dynamic: Share = setting(
        0.0,
        "As DeepLabCut's dynamic cropping, `look: window` by this likelihood instead of "
        "`pcutoff`; 0: by `look`.",
    )
    margin: int = setting(10, "More pixels around the animal for `dynamic`.", ge=0, le=10_000)
    also: list[Literal["crops", "full", "bpt_features"]] = setting(
        [],
        "Also kept for several animals: crops for `reid` (each animal cut out, "
        "as features), and DeepLabCut's large files full and bpt_features.",
    )

    @model_validator(mode="after")
    def _check(self) -> "Predict":
        _later("predict", self.start, self.stop)
        if self.dynamic and self.look == "frame":
            raise ValueError(
                "predict.look: frame looks at whole frames, predict.dynamic at parts of them: "
                f"remove one of the two. Received: dynamic {self.dynamic}."
            )
        return self


class Boxes(Section):
    """Candidate boxes of a crop model in a video: docs/crops-on-videos.md."""

    by: Literal["motion", "file"] = setting("motion", "Source of the boxes.")
    path: Annotated[str | None, PATH] = setting(
        None,
        "A MegaDetector JSON or DeepMeerkat's annotations.csv, a folder with one for each "
        "video, or a pattern with {video}.",
    )
    min_confidence: Share = setting(0.2, "Boxes of a file with less confidence are ignored.")
    categories: list[str] = setting([], "Categories of a file to use; none: all.")
    roi: Crop | None = setting(None, "x1, x2, y1, y2 in pixels: where motion is searched.")
    min_size: Share = setting(0.01, "Smallest area of a box, as a share of the frame.")
    learning_rate: Share = setting(0.02, "Rate at which the background follows changes.")
    variance: Number = setting(
        20.0, "How far a pixel must be from its background.", ge=1, le=10_000
    )
    background_ratio: Number = setting(
        0.7, "Share of the time that a pixel shows its background.", ge=0.01, le=1
    )
    merge: Number = setting(
        75.0, "Boxes closer than this many pixels are merged.", ge=0, le=100_000
    )
    opening: int = setting(9, "Size in pixels of specks that are removed.", ge=0, le=101)
    min_area: Number = setting(50.0, "Smallest area in pixels that moves.", ge=0, le=1e9)
    burn_in: int = setting(
        50, "Analyzed frames from which the background is learned.", ge=1, le=10_000
    )
    burst: Number = setting(
        0.0,
        "Photographs so many seconds apart at most are a burst, and what moves in it has boxes; "
        "0: whole photographs are classified.",
        ge=0,
        le=86_400,
    )
    pad: Annotated[float, Field(ge=0, le=2), LIKE_A_NUMBER] | None = setting(
        None,
        "Margin around a box, in sides of it; unset: as in the training crops.",
    )
    square: bool | None = setting(
        None, "Whether crops are square; unset: as the training crops are."
    )

    @model_validator(mode="after")
    def _check(self) -> "Boxes":
        if (self.by == "file") != (self.path is not None):
            raise ValueError(
                "boxes.path names the boxes of boxes.by: file, and applies to nothing else. "
                f"Received: by {self.by}, path {self.path}."
            )
        if self.burst and self.by == "file":
            raise ValueError(
                "boxes.burst looks for motion, and boxes.by: file has boxes: remove one of them. "
                f"Received: {self.burst:g}."
            )
        return self


class Keep(Section):
    """Files kept of a video besides tables: docs/crops-on-videos.md."""

    frames: int = setting(0, "The best frames with a hit, kept as jpg.", ge=0, le=1_000_000)
    clips: bool = setting(False, "Keep a clip of each run of hits.")
    gap: Number = setting(
        20.0, "Hits at most so many seconds apart are one clip.", ge=0, le=100_000
    )
    buffer: Number = setting(1.0, "Seconds kept at both ends.", ge=0, le=100_000)
    shortest: Number = setting(2.0, "A clip of fewer seconds is dropped.", ge=0, le=100_000)


class Filter(Section):
    """Smoothing of keypoints over time: docs/results.md. Widths are rows of the table."""

    method: Literal["median", "savgol", "kalman"] = setting("median", "The filter.")
    window: int | None = setting(
        None, "Odd width of median (unset: 5) and savgol (unset: 9), from 3 to 10001."
    )
    order: int | None = setting(None, "Degree of savgol's polynomials; unset: 3.", ge=1, le=9)
    pcutoff: Share | None = setting(
        None,
        "Points below it are gaps for kalman, and for the others with `fill`; unset: that of "
        "`predict`.",
    )
    fill: int = setting(
        0, "Gaps of up to so many rows between two sure points are bridged.", ge=0, le=1_000_000
    )

    @model_validator(mode="after")
    def _check(self) -> "Filter":
        applies = {
            "window": self.method != "kalman",
            "order": self.method == "savgol",
            "pcutoff": self.method == "kalman" or bool(self.fill),
        }
        for name, allowed in applies.items():
            if getattr(self, name) is not None and not allowed:
                raise ValueError(
                    f"filter.{name} does not apply to method {self.method} with fill {self.fill}: "
                    "see docs/results.md."
                )
        if not 3 <= self.rows <= 10_001 or self.rows % 2 == 0:
            raise ValueError(
                f"filter.window must be odd and from 3 to 10001. Received: {self.window}."
            )
        if self.method == "savgol" and self.degree >= self.rows:
            raise ValueError(
                f"filter.order must be below filter.window, {self.rows}. Received: {self.degree}."
            )
        return self

    @property
    def rows(self) -> int:
        """Rows of a window."""
        return (9 if self.method == "savgol" else 5) if self.window is None else self.window

    @property
    def degree(self) -> int:
        """Of savgol's polynomials."""
        return 3 if self.order is None else self.order


class Outliers(Section):
    """Choice of predicted frames to label next: docs/results.md. Distances are pixels."""

    method: Literal["jump", "uncertain", "fitting", "spread"] = setting(
        "jump", "Criterion by which frames are candidates."
    )
    epsilon: Number = setting(
        20.0, "Distance from which a point is an outlier.", ge=0, le=1_000_000
    )
    p_bound: Share = setting(0.01, "Likelihood below which a point is uncertain.")
    pick: Literal["kmeans", "uniform", "extreme"] = setting(
        "kmeans", "Choice of frames among the candidates."
    )
    count: int | None = setting(
        None, "Frames of a video; unset: the project's numframes2pick.", ge=1, le=100_000
    )
    bodyparts: list[str] | None = setting(None, "Bodyparts to judge; unset: all.")
    seed: int = setting(0, "Seed of the random choice.", ge=0, le=2**32 - 1)


class Render(Section):
    """Appearance of labeled videos."""

    pcutoff: Share | None = setting(
        None, "Points below it are not drawn; unset: that of `predict`."
    )
    colormap: str | None = setting(
        None, "One of matplotlib's; unset: hues as far apart as they get."
    )
    bodyparts: list[str] | None = setting(None, "Bodyparts that are drawn; unset: all.")
    dot_size: int = setting(0, "Radius in pixels; 0: by the size of the frame.", ge=0, le=500)
    trail: int = setting(10, "Past frames drawn as a tail of each dot.", ge=0, le=10_000)
    skeleton: bool = setting(True, "Draw the lines between bodyparts.")
    start: Start = 0.0
    stop: Stop = None
    codec: Codec = setting("auto", "One of FFmpeg's encoders.")
    filtered: bool = setting(False, "Draw the predictions that `beampose filter` wrote.")
    color_by: Literal["bodypart", "individual"] | None = setting(
        None, "What a color stands for; unset: individuals where there are several."
    )
    images: int = setting(24, "Images that `beampose evaluate` draws.", ge=0, le=100_000)

    @model_validator(mode="after")
    def _check(self) -> "Render":
        _later("render", self.start, self.stop)
        return self


def _later(section: str, start: float, stop: float | None) -> None:
    if stop is not None and stop <= start:
        raise ValueError(
            f"{section}.stop must be later than {section}.start, {start:g} s. Received: {stop:g}."
        )
