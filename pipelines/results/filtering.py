"""Filtered predictions beside those they are made from: `<stem>_filtered.h5`, `.csv`, `.json`."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from beampose.core import __version__, artefacts, files
from beampose.core.infos import FilterInfo
from beampose.core.settings.experiment import Config, to_dict
from beampose.core.wording import counted
from beampose.formats.deeplabcut import prediction_tables
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines import manifest
from beampose.pipelines.results import result_files, smoothing
from beampose.pipelines.results.result_files import Found

LOG = logging.getLogger(__name__)


class Done(NamedTuple):
    """Result for a video: the files' stem, its rows, and points that were bridged."""

    stem: str
    rows: int
    bridged: int


def run(config: Config, paths: Sequence[str]) -> tuple[list[Done], list[tuple[str, str]]]:
    """Filters predictions; those that cannot be used are failures (path, reason).

    Raises:
      FileNotFoundError: a path matches nothing.
    """
    return result_files.each(config, paths, lambda one: _one(config, one))


def _one(config: Config, one: Found) -> Done:
    file = one.table()
    read = prediction_tables.read(file)
    if not len(read.rows):
        raise ValueError("has no predicted frame: there is nothing to filter")
    video, fingerprint = one.film()
    # Ours were counted when they were made.
    if one.summary() is None and video and files.exists(video):
        _say_other_length(one, read, video)
    settings = config.filter
    pcutoff = config.predict.pcutoff if settings.pcutoff is None else settings.pcutoff
    result = smoothing.filtered(read.values, settings, pcutoff=pcutoff, frames=read.frames)
    stem = f"{one.stem}{result_files.FILTERED}"
    prediction_tables.write(read._replace(values=result.values), stem)
    info = FilterInfo(
        made_by=f"beampose {__version__} filter",
        source=file,
        source_digest=result_files.digest(file),
        filter=to_dict(settings),
        pcutoff=pcutoff,
        rows=len(read.rows),
        points_bridged=result.bridged,
        video=video,
        video_fingerprint=fingerprint,
    )
    artefacts.write_info(f"{stem}.json", info)
    return Done(stem, len(read.rows), result.bridged)


def _say_other_length(one: Found, read: Table, video: str) -> None:
    try:
        count = manifest.index(video).count
    except (OSError, ValueError):
        # A film that cannot be read: its predictions can be filtered all the same.
        return
    differs = result_files.other_length(one, read, count)
    if differs:
        LOG.warning("NOTE %s: %s", video, differs)


def describe(done: Sequence[Done]) -> str:
    """For a terminal."""
    bridged = sum(one.bridged for one in done)
    points = f", {counted(bridged, 'point')} bridged" if bridged else ""
    return (
        f"filter: {counted(len(done), 'video')}, "
        f"{counted(sum(one.rows for one in done), 'row')}{points}"
    )
