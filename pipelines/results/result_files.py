"""Finds the tables of predictions that a command line names: of videos, or files themselves."""

import glob
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from beampose.core import artefacts, files, storage
from beampose.core.infos import FilterInfo, ModelInfo, PredictionInfo, ProofreadInfo, TracksInfo
from beampose.core.names import INFO
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted, listed
from beampose.formats import individuals_file
from beampose.formats.deeplabcut import track_writer
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines import manifest
from beampose.pipelines.results import result_names
from beampose.preprocess import unpickle

LOG = logging.getLogger(__name__)
T = TypeVar("T")
FILTERED = "_filtered"
# What a person corrected on the page of `beampose label`; it is read in place of the predictions.
PROOFREAD = "_proofread"
# Suffixes after the scorer in names of files made from predictions.
_MADE = (FILTERED, PROOFREAD, "_spread", "_skeleton", "_labeled")


class Found(NamedTuple):
    """Predictions of a video.

    Attributes:
      name: of the video, as predictions are called; may have a folder.
      stem: what its files begin with.
      video: its path; empty if a file of predictions was named.
      given: the file that was named.
      fingerprint: of the video; empty if it is not there, or if a file was named.
      tracked: of tracks, what the files of the predictions begin with that they were made from.
    """

    name: str
    stem: str
    video: str = ""
    given: str = ""
    tracked: str = ""
    fingerprint: str = ""

    def table(self, *, filtered: bool = False) -> str:
        """The file to read; of predictions that a person corrected, the corrected ones.

        Raises:
          ValueError: there is none, or the filtered one was made from other predictions.
        """
        stem = f"{self.stem}{FILTERED if filtered else ''}"
        there = [stem + e for e in (".h5", ".csv") if files.exists(stem + e)]
        if not filtered:
            there = [self.given] if self.given else there
        if not there and files.suffix(self.video) in (".pickle", ".pkl"):
            raise ValueError(
                "is a pickle, no film and no table: name the .h5 or .csv that DeepLabCut wrote of "
                "its tracks or predictions."
            )
        if not there:
            what, verb = (
                ("filtered predictions", "filter") if filtered else ("predictions", "predict")
            )
            if self.tracked:
                what, verb = ("filtered tracks", "filter") if filtered else ("tracks", "track")
            raise ValueError(f"has no {what}. Run `beampose {verb}` first.")
        tracks = self.tracks() if self.tracked else None
        if self.tracked and (not tracks or tracks.source != individuals_file.source(self.tracked)):
            raise ValueError(
                "was predicted again since it was tracked. Run `beampose track` again."
            )
        made = artefacts.find_info(f"{stem}.json", FilterInfo) if filtered else None
        if made and made.source_digest != digest(self.table()):
            raise ValueError(
                "was predicted again since it was filtered. Run `beampose filter` again."
            )
        return there[0] if filtered or self.given else self._corrected(there[0])

    def _corrected(self, file: str) -> str:
        """The corrected table of predictions, if there is one of these."""
        made = artefacts.find_info(f"{self.stem}{PROOFREAD}.json", ProofreadInfo)
        if made is None:
            return file
        if made.source_digest != digest(file):
            LOG.warning(
                "NOTE %s was predicted again since a person corrected it: the corrections "
                "(%s%s) are not used. Proofread it again with `beampose label`.",
                self.name,
                self.stem,
                PROOFREAD,
            )
            return file
        return f"{self.stem}{PROOFREAD}.h5"

    def predicted(self) -> str:
        """The file of predictions as they were made. Raises: as `table`."""
        found = self.table()
        corrected = f"{self.stem}{PROOFREAD}.h5"
        if found != corrected:
            return found
        return next(self.stem + e for e in (".h5", ".csv") if files.exists(self.stem + e))

    def summary(self) -> PredictionInfo | TracksInfo | FilterInfo | ProofreadInfo | None:
        """Summary by the verb that made the files; None where DeepLabCut made them."""
        kinds = (PredictionInfo, TracksInfo, FilterInfo, ProofreadInfo)
        return artefacts.find_info(f"{self.stem}.json", *kinds)

    def film(self) -> tuple[str, str]:
        """Path and fingerprint of the video, as far as they are known."""
        said = self.summary()
        if said is None or not said.video:
            return self.video, self.fingerprint
        return self.video or said.video, said.video_fingerprint

    def fps(self) -> float:
        """Frames per second of the video; 0 if not known."""
        said = self.summary()
        return (said.fps or 0.0) if isinstance(said, (PredictionInfo, TracksInfo)) else 0.0

    def tracks(self) -> TracksInfo | None:
        """Summary by `track` or `reid`; None of other predictions."""
        said = self.summary()
        return said if isinstance(said, TracksInfo) else None


def offset(one: Found) -> tuple[int, int]:
    """x and y to be added to reach pixels of the frame.

    DeepLabCut's own predictions count from the crop that its metadata tell, and so do tracks and
    what was filtered or corrected; ours, which have a summary, count from the frame.
    """
    stems = list(_bases(one.stem))
    ours = [one._replace(stem=stem).summary() for stem in stems]
    if any(isinstance(said, (PredictionInfo, TracksInfo)) for said in ours):
        return 0, 0
    metas = [f"{stem}_meta.pickle" for stem in stems]
    meta = next((file for file in metas if files.exists(file)), "")
    if not meta:
        return 0, 0
    try:
        data = unpickle.loads(files.read_bytes(meta))["data"]
        x1, _, y1, _ = data["cropping_parameters"] if data.get("cropping") else (0, 0, 0, 0)
        return int(x1), int(y1)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{meta} is not DeepLabCut's metadata: {error}") from None


def size_and_rate(one: Found) -> tuple[tuple[int, int] | None, float | None]:
    """Height and width of the video's frames, and frames a second; None if nothing says them.

    Raises:
      ValueError: there is no summary, and the video cannot be read.
    """
    said = one.summary()
    if isinstance(said, (PredictionInfo, TracksInfo)):
        return (said.height, said.width), said.fps
    video, _ = one.film()
    if video and files.exists(video):
        film = manifest.index(video)
        return (film.height, film.width), film.fps
    return None, None


def _bases(stem: str) -> Iterator[str]:
    """What files of predictions begin with, and those that they were made from."""
    yield stem
    looks = track_writer.ENDINGS["transformer"]
    tracks = tuple(ending for ending in track_writer.ENDINGS.values() if ending != looks)
    for endings in ((PROOFREAD, FILTERED), (looks,), tracks):
        if stem.endswith(endings):
            stem = stem[: stem.rindex("_")]
            yield stem


def check_frames(one: Found, table: Table, count: int) -> None:
    """Says where predictions of other programs end long before their film does.

    Args:
      count: frames of the film.

    Raises:
      ValueError: they have frames that the film has not.
    """
    differs = other_length(one, table, count)
    if differs and table.frames[-1] >= count:
        raise ValueError(f"{differs}. Predict again.")
    if differs:
        LOG.warning("NOTE %s: %s", one.video or one.name, differs)


def other_length(one: Found, table: Table, count: int) -> str:
    """In what predictions and their film, which has `count` frames, differ; empty if in nothing."""
    if not len(table.rows):
        return ""
    last, has = int(table.frames[-1]), f"has {counted(count, 'frame')}"
    if last >= count:
        return (
            f"{has}, its predictions have others, up to number {last}: they are of another film, "
            "or of another version of it"
        )
    if one.summary() is not None or count - last <= table.step:
        return ""
    return (
        f"{has}, its predictions end with number {last}: are they of this film, and of this "
        f"version of it? {table.file}"
    )


def digest(file: str) -> str:
    """Of a table's numbers: those of the h5 and of the csv beside it are the same."""
    import hashlib

    csv = file.removesuffix(".h5") + ".csv"
    # Bytes of an h5 hold times; the csv, where there is one, does not.
    return hashlib.sha256(files.read_bytes(csv if files.exists(csv) else file)).hexdigest()


def each(
    config: Config, paths: Sequence[str], work: Callable[[Found], T]
) -> tuple[list[T], list[tuple[str, str]]]:
    """What `work` makes of each of `tables`; continues after a failure. Raises: as `tables`."""
    found, failures = tables(config, paths)
    done = []
    for one in found:
        try:
            done.append(work(one))
        except (OSError, ValueError) as error:
            failures.append((one.video or one.given, files.why(error)))
    return done, failures


def tables(config: Config, paths: Sequence[str]) -> tuple[list[Found], list[tuple[str, str]]]:
    """Predictions of videos, and files of predictions that stand among them; and failures.

    Raises:
      FileNotFoundError: a glob, a folder or a list without videos.
      ValueError: a list that is no text, or an experiment with crops.
    """
    if not config.kind.points:
        raise ValueError(
            f"Only pose models predict keypoints. Received: task {config.task!r}, whose results "
            "`beampose predict` leaves."
        )
    given = [path for path in paths if is_table(path)]
    videos = manifest.expand([path for path in paths if path not in given])
    found, failures = [], []
    for film in result_names.of_experiment(config, videos):
        try:
            if film.problem:
                raise ValueError(film.problem)
            one = of_video(config, film.name, film.path)
            found.append(one._replace(fingerprint=film.fingerprint))
        except ValueError as error:
            failures.append((film.path, str(error)))
    _tell_others(config, found)
    for path in given:
        whole = files.absolute(path)
        stem = whole[: -len(files.suffix(path))]
        found.append(Found(files.name(stem), stem, given=whole))
    return found, failures


def _tell_others(config: Config, found: Sequence[Found]) -> None:
    """Says which predictions are not those of the experiment's model."""
    model = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    others = [one for one in found if of_another_model(one.tracked or one.stem, model)]
    if others:
        LOG.warning(
            "NOTE predicted by another model than %s: %s. `beampose predict --overwrite` predicts "
            "again.",
            config.model,
            listed([one.video or one.name for one in others], 3),
        )


def of_another_model(stem: str, model: ModelInfo | None) -> bool:
    """Whether predictions were made by another model; False too where that is not known.

    Args:
      stem: what their files begin with.
    """
    known = model.digest if model else ""
    said = Found("", stem).summary() if known else None
    return isinstance(said, PredictionInfo) and said.is_of_another(known)


def is_table(path: str) -> bool:
    """Returns True for a file of predictions, False for a video or a list of videos."""
    if files.suffix(path) == ".h5":
        return True
    if files.suffix(path) != ".csv" or not files.exists(path):
        return False
    with files.open_file(path) as stream:
        return stream.read(10).removeprefix(b"\xef\xbb\xbf").startswith(b"scorer,")


def of_video(config: Config, name: str, video: str) -> Found:
    """Predictions of a video: those of the model, of several animals their tracks, by appearance
    if there are such; else the only ones that DeepLabCut left in `predictions/` or beside it.

    Raises:
      ValueError: DeepLabCut left several.
    """
    model = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    own = f"{config.predictions}/{name}{model.dlc_scorer}" if model else ""
    if model and model.assembly:
        stem = f"{own}{track_writer.ENDINGS[config.track.similarity]}"
        looks = f"{stem}{track_writer.ENDINGS['transformer']}"
        return Found(name, looks if _of_same(looks, stem) else stem, video, tracked=own)
    if own and any(files.exists(own + ending) for ending in (".h5", ".csv")):
        return Found(name, own, video)
    places = [files.join(config.predictions, name)]
    places += [files.join(files.parent(video), files.stem(video))] if video else []
    for place in places:
        stems = _left(place)
        if len(stems) > 1:
            raise ValueError(
                f"has predictions of several scorers: {', '.join(sorted(stems))}. Name the "
                "file of one."
            )
        if stems:
            return Found(name, stems.pop(), video)
    return Found(name, own or f"{config.predictions}/{name}", video)


def _of_same(looks: str, stem: str) -> bool:
    """Returns True if tracks by appearance were made from the same tracklets as the others."""
    if not files.exists(f"{looks}.h5") or not files.exists(f"{stem}.json"):
        return False
    said = [artefacts.read_info(f"{one}.json", TracksInfo) for one in (looks, stem)]
    return (said[0].source, said[0].settings) == (said[1].source, said[1].settings)


def _left(place: str) -> set[str]:
    folder, name = files.parent(place), files.name(place)
    if not files.is_folder(folder):
        return set()
    there = [
        file
        for scorer in ("DLC_", "DeepCut_", "_superanimal_")
        for ending in (".h5", ".csv")
        for file in files.matching(f"{glob.escape(folder)}/{glob.escape(name)}{scorer}*{ending}")
        if is_table(file)
    ]
    stems = {file[: -len(files.suffix(file))] for file in there}
    return {stem for stem in stems if not stem.endswith(_MADE)}
