"""Results of videos: films, tracks, filtered predictions, plots."""

import base64
import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from beampose.core import files
from beampose.core.infos import ReidInfo, TracksInfo
from beampose.core.settings.experiment import Config
from beampose.core.wording import agreed, counted
from beampose.pipelines import still_sets
from beampose.pipelines.outcome import OfVideos, Rows, failed
from beampose.pipelines.results import result_names
from beampose.preprocess import images

if TYPE_CHECKING:
    from beampose.pipelines.tracking.track_videos import TrackFile

LOG = logging.getLogger(__name__)
_ONLY_STILLS = (
    "{} holds photographs: this step takes videos. The tables of photographs are in predictions/."
)


@dataclasses.dataclass(frozen=True, repr=False)
class Written(OfVideos):
    """Files of videos.

    Attributes:
      step: that wrote them, such as render.
      files: their paths.
      last: a line about all of them, or nothing.
    """

    step: str
    files: list[str]
    last: str = ""

    def lines(self) -> Iterator[str]:
        # A plot is one picture, in two formats.
        yield from (f"{self.step}: {file}" for file in self.files if not file.endswith(".svg"))
        yield from failed(self.failures)
        if self.last:
            yield self.last

    def _repr_html_(self) -> str:
        pictures = [Path(file) for file in self.files if file.endswith(".png")]
        data = [base64.b64encode(one.read_bytes()).decode() for one in pictures if one.is_file()]
        tags = [f'<img src="data:image/png;base64,{one}" style="max-width: 48%">' for one in data]
        return "".join(tags) + super()._repr_html_()


@dataclasses.dataclass(frozen=True, repr=False)
class Tracked(OfVideos):
    """Tracks of several animals.

    Attributes:
      videos: of each the `file`, and as `info` numbers of tracks, tracklets and joins, and
        `figures` against labels with identities, if there were any.
    """

    videos: "list[TrackFile]"

    def lines(self) -> Iterator[str]:
        for one in self.videos:
            yield f"track: {one.file}"
            yield from _track_lines(one.info)
        yield from failed(self.failures)

    def tables(self) -> Iterator[Rows]:
        yield track_rows(self.videos)


@dataclasses.dataclass(frozen=True, repr=False)
class Reidentified(Tracked):
    """Tracks by appearance.

    Attributes:
      info: what was learned; `reason` says why nothing was. None if no video could be used.
    """

    info: ReidInfo | None

    def lines(self) -> Iterator[str]:
        reason = self.info.reason if self.info else ""
        if reason:
            yield f"reid: nothing to learn from, so appearance was not used. {reason}"
        elif self.info:
            yield _learned(self.info)
        for one in self.videos:
            yield f"reid: {one.file}"
            yield from _track_lines(one.info)
            if without := one.info.without:
                figures = f"IDF1 {without['idf1']:.3f}, {_whole(without, 'switches', 'switch')}"
                yield f"  without appearance: {figures}"
            if (known := one.info.reid) and known.reason and not reason:
                yield f"  NOTE: appearance was not used: {known.reason}"
        yield from failed(self.failures)


def _learned(info: ReidInfo) -> str:
    judged = "nothing was held out"
    if info.accuracy is not None:
        ways = sorted({one.by for one in info.split.values()})
        judged = (
            f"{info.accuracy:.1%} of {info.test_triplets} held-out triplets right "
            f"(held out by {', '.join(ways)})"
        )
    return f"reid: {counted(info.triplets, 'triplet')}, {judged}, {info.seconds:.0f} s"


def chosen(videos: Sequence[str], config: Config) -> Sequence[str]:
    """The videos that were named, else those of the experiment.

    Raises:
      ValueError: there are none.
    """
    if not (videos or config.predict.videos):
        raise ValueError("No videos: name some after the config, or set predict.videos.")
    return videos or config.predict.videos


def predicted(videos: Sequence[str], config: Config) -> Sequence[str]:
    """The videos that were named, else those of the experiment, else all that were predicted.

    Raises:
      ValueError: there are none.
    """
    named = videos or config.predict.videos
    if named:
        return films_of(named)
    stills = result_names.predicted_stills(config)
    found = result_names.predicted(config)
    if stills and not found:
        raise ValueError(_ONLY_STILLS.format(stills[0].video))
    if stills:
        sets = counted(len(stills), "set")
        what = f"{sets} of photographs {agreed(len(stills), 'are')} left out"
        LOG.warning("NOTE %s, such as %s: this step takes videos", what, stills[0].video)
    return found or chosen((), config)


def films_of(paths: Sequence[str]) -> Sequence[str]:
    """The paths, without photographs: what is done to videos alone leaves these out, and says so.

    Raises:
      ValueError: there are only photographs.
    """
    found, first = _without_stills(paths)
    if not found:
        raise ValueError(_ONLY_STILLS.format(first))
    if first:
        LOG.warning("NOTE %s: its photographs are left out: this step takes videos", first)
    return found


def films_among(paths: Sequence[str]) -> Sequence[str]:
    """The paths, without photographs, which may be all."""
    return _without_stills(paths)[0]


def _without_stills(paths: Sequence[str]) -> tuple[Sequence[str], str]:
    """The paths without photographs, and the first of these, or ""."""
    if not any(files.is_folder(path) or files.suffix(path) in images.SUFFIXES for path in paths):
        return paths, ""
    sources = still_sets.expand(paths)
    return (sources.videos, sources.sets[0].path) if sources.sets else (paths, "")


def render(
    config: Config,
    paths: Sequence[str],
    progress: Callable[..., Iterable],
    *,
    filtered: bool = False,
    detections: bool = False,
) -> Written:
    """Draws predictions into videos.

    Args:
      filtered: those that the step filter made.
      detections: of several animals, every place that was found, before assembly.

    Raises:
      FileNotFoundError: a path matches nothing.
      ValueError: both were asked for, or the encoder is not there.
    """
    from beampose.pipelines.films import detection_film, labeled_films

    if detections and filtered:
        raise ValueError("--detections shows what the model found: remove --filtered.")
    if detections:
        done, failures = detection_film.run(config, paths, progress)
    else:
        done, failures = labeled_films.run(config, paths, progress, filtered=filtered)
    return Written(failures, "render", [*map(str, done)])


def track(
    config: Config,
    paths: Sequence[str],
    progress: Callable[..., Iterable],
    *,
    labels: str | None = None,
    slp: bool = False,
) -> Tracked:
    """Makes tracks of predicted individuals; see `track_videos.run`."""
    from beampose.pipelines.tracking import track_videos

    done, failures = track_videos.run(config, paths, progress, labels=labels, slp=slp)
    return Tracked(failures, done)


def reid(
    config: Config,
    paths: Sequence[str],
    progress: Callable[..., Iterable],
    *,
    labels: str | None = None,
    slp: bool = False,
) -> Reidentified:
    """Learns to tell animals apart, and makes tracks by it; see `reidentify.run`."""
    from beampose.pipelines.tracking import reidentify

    done = reidentify.run(config, paths, progress, labels=labels, slp=slp)
    return Reidentified(done.failures, done.videos, done.info)


def smooth(config: Config, paths: Sequence[str]) -> Written:
    """Smooths predictions and bridges gaps; see `filtering.run`."""
    from beampose.pipelines.results import filtering

    done, failures = filtering.run(config, paths)
    tables = [f"{one.stem}.h5" for one in done]
    return Written(failures, "filter", tables, filtering.describe(done))


def plot(config: Config, paths: Sequence[str], *, filtered: bool = False) -> Written:
    """Plots predictions; see `trajectories.run`."""
    from beampose.pipelines.report import trajectories

    done, failures = trajectories.run(config, paths, filtered=filtered)
    return Written(failures, "plot", [*map(str, done)])


def _track_lines(one: TracksInfo) -> Iterator[str]:
    yield (
        f"  {counted(one.tracks, 'track')} of {counted(one.tracklets, 'tracklet')} in "
        f"{counted(one.rows, 'frame')}, "
        f"{counted(one.joins, 'join')}, {counted(one.detections_left_out, 'detection')} left out"
    )
    found = one.figures
    if found:
        yield (
            f"  against labels of {_whole(found, 'frames', 'frame')}: "
            f"IDF1 {found['idf1']:.3f}, {_whole(found, 'switches', 'switch')}, "
            f"{found['detection_rate']:.1%} of animals found, {found['false']} false, "
            f"MOTA {found['mota']:.3f}"
        )


def _whole(figures: Mapping[str, JsonValue], name: str, noun: str) -> str:
    """A figure that counts, with its noun."""
    count = figures[name]
    return counted(count, noun) if isinstance(count, int) else f"{count} {name}"


def track_rows(videos: "Sequence[TrackFile]") -> Rows:
    """A row a video."""
    keys = ("tracks", "tracklets", "rows", "joins", "detections_left_out")
    figures = ("idf1", "switches", "mota") if any(one.info.figures for one in videos) else ()
    cells = [
        [
            file,
            *(getattr(info, key) for key in keys),
            *((info.figures or {}).get(key) for key in figures),
        ]
        for info, file in videos
    ]
    return Rows(("file", *keys, *figures), cells)
