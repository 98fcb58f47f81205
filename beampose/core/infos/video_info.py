"""Results of a video: what `predict`, `track`, `reid` and `filter` say of them."""

from typing import ClassVar

import pydantic

from beampose.core.infos.model_info import Uncertainty
from beampose.core.infos.record import Info, Plain, Record


class Failure(Record):
    """A frame without a result, and why; of a set of images also which image."""

    frame: int
    why: str
    image: str = ""


class FilmInfo(Info):
    """Film that the frames, crops or plots of a folder belong to: `film.json`.

    Attributes:
      fingerprint: of its content, see `core.fingerprints`; empty where a table was named instead.
      bytes: of its file.
      told, frames: its path, which may be of another machine, and its length in the labels that
        its frames came with.
    """

    NAME: ClassVar[str] = "film"
    VERB: ClassVar[str] = "extract-frames"
    KEYS: ClassVar[tuple[str, ...]] = ("video", "fingerprint", "bytes")

    video: str
    fingerprint: str
    bytes: int = 0
    told: str = ""
    frames: int = 0


class PredictionInfo(Info):
    """Predictions of a video.

    Attributes:
      name: of its files; may have a folder.
      video_fingerprint: of the content, see `core.fingerprints`; empty before November 2026.
      frames_by_header, frames_by_packets: what the header says and what the file holds.
      frames_differ: in which way the counts disagree; empty if they agree.
      settings, settings_digest: what the results depend on beside the model.
      scorer, uncertainty: of keypoints.
      individuals, individuals_found, frames_by_individuals: of several animals.
      rows_without_result: frames in which nothing was found.
      rows_by_window: frames of which a part around the animal was looked at.
      boxes, hits, frames_with_hits, dismissed, return_rate, classes, clips: of crops.
      rate_varies: whether the times of its frames stand in a csv of their own.
      images, images_root: of a set of photographs, how many, and the folder their names count from.
      images_turned, images_with_time: by EXIF.
      images_from_before: whose results an earlier run had, before the set grew.
      remark: on what may make the results worse.
      sums: checksums of its files, by their endings, to notice those that were damaged.
    """

    NAME: ClassVar[str] = "prediction"
    VERB: ClassVar[str] = "predict"
    KEYS: ClassVar[tuple[str, ...]] = ("video", "settings_digest", "model_digest")

    video: str
    video_bytes: int
    name: str
    frames_by_header: int | None
    frames_by_packets: int
    frames_chosen: int
    frames_decoded: int
    frames_differ: str
    rows: int
    failures: list[Failure]
    fps: float | None
    height: int
    width: int
    model_digest: str
    settings: Plain
    settings_digest: str
    finished: str
    scorer: str = ""
    uncertainty: Uncertainty | None = None
    individuals: list[str] = []
    individuals_found: int = 0
    frames_by_individuals: dict[str, int] = {}
    rows_without_result: int = 0
    rows_by_window: int = 0
    boxes: int = 0
    hits: int = 0
    frames_with_hits: int = 0
    dismissed: int = 0
    return_rate: float = 0.0
    classes: dict[str, int] = {}
    frames_kept: int = 0
    clips: list[str] = []
    clips_left_out: str = ""
    rate_varies: bool = False
    images: int = 0
    images_root: str = ""
    images_turned: int = 0
    images_with_time: int = 0
    images_from_before: int = 0
    remark: str = ""
    video_fingerprint: str = ""
    sums: dict[str, str] = {}

    def is_of_another(self, model_digest: str) -> bool:
        """Whether another model predicted it; False too where the model's digest is not known."""
        return bool(model_digest) and self.model_digest != model_digest


class TrackJoin(Record):
    """Where two tracklets were joined: a track, a frame, the tracklets' ids, and the cost."""

    track: int
    frame: int
    before: int
    after: int
    cost: float


class Calibration(Record):
    """From how alike two tracklets look to how likely they are one animal; why not, if unknown."""

    slope: float
    offset: float
    same: int = 0
    different: int = 0
    accuracy: float | None = None
    reason: str = ""


class Appearance(Record):
    """What re-identification knew: of its network, and of the video."""

    accuracy: float | None
    reason: str
    calibration: Calibration


class TracksInfo(Info):
    """Tracks of a video.

    Attributes:
      source: names the individuals they were made of.
      frames, rows: of the video; that were looked at.
      frames_by_tracks: how many frames hold how many tracks.
      costliest_joins: at most 10.
      figures, without: how well animals are kept apart, by labels; without appearance.
    """

    NAME: ClassVar[str] = "tracks"
    VERB: ClassVar[str] = "track"
    KEYS: ClassVar[tuple[str, ...]] = ("video", "tracklets", "joins")

    video: str
    name: str
    fps: float | None
    height: int
    width: int
    scorer: str
    source: str
    settings: Plain
    frames: int
    rows: int
    tracks: int
    individuals: list[str]
    tracklets: int
    tracklets_refused: int
    detections_left_out: int
    frames_by_tracks: dict[str, int]
    joins: int
    # Called dearest_joins before November 2026.
    costliest_joins: list[TrackJoin] = pydantic.Field(
        validation_alias=pydantic.AliasChoices("costliest_joins", "dearest_joins")
    )
    reid: Appearance | None = None
    seconds: dict[str, float] = {}
    figures: Plain | None = None
    without: Plain | None = None
    video_fingerprint: str = ""


class HeldOut(Record):
    """How tracklets of a video were held out, and why not otherwise."""

    by: str
    why: str


class ReidInfo(Info):
    """A network that tells animals apart.

    Attributes:
      descriptors: digest of the model whose features it takes.
      dims, out: of the features of a bodypart, and of its own.
      reason: why there is no network.
    """

    NAME: ClassVar[str] = "re-identification network"
    VERB: ClassVar[str] = "reid"
    KEYS: ClassVar[tuple[str, ...]] = ("triplets", "descriptors", "version")

    settings: Plain = {}
    videos: list[str] = []
    split: dict[str, HeldOut] = {}
    bodyparts: list[str]
    descriptors: str
    triplets: int = 0
    test_triplets: int = 0
    accuracy: float | None = None
    best_epoch: int = 0
    history: list[dict[str, float | None]] = []
    seconds: float = 0.0
    reason: str = ""
    version: int = 1
    dims: int = 0
    out: int = 0


class ProofreadInfo(Info):
    """Predictions that a person corrected; `source_digest` is of the table they are of."""

    NAME: ClassVar[str] = "proofread"
    VERB: ClassVar[str] = "label"
    KEYS: ClassVar[tuple[str, ...]] = ("source_digest", "corrections")

    source: str
    source_digest: str
    corrections: int
    video: str = ""
    video_fingerprint: str = ""


class FilterInfo(Info):
    """Filtered predictions; `source_digest` is of the table they were made from.

    `video` and its fingerprint are empty where a table without a summary was filtered.
    """

    NAME: ClassVar[str] = "filter"
    VERB: ClassVar[str] = "filter"
    KEYS: ClassVar[tuple[str, ...]] = ("source_digest", "points_bridged")

    source: str
    source_digest: str
    filter: Plain
    pcutoff: float
    rows: int
    points_bridged: int
    video: str = ""
    video_fingerprint: str = ""
