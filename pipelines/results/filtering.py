"""Filtered predictions beside those they are made from: `<stem>_filtered.h5`, `.csv`, `.json`."""

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.results import find, smooth, table
from pipelines.results.find import Found
from preprocess import files
from trainer import artefacts
from trainer.config import Config, to_dict


class Done(NamedTuple):
    """What came of a video: the files' stem, its rows, and points that were bridged."""

    stem: str
    rows: int
    bridged: int


def run(config: Config, paths: Sequence[str]) -> tuple[list[Done], list[tuple[str, str]]]:
    """Filters predictions; those that cannot be used are failures (path, reason).

    Raises:
      FileNotFoundError: a path matches nothing.
    """
    found, failures = find.tables(config, paths)
    done = []
    for one in found:
        try:
            done.append(_one(config, one))
        except (OSError, ValueError) as error:
            failures.append((one.video or one.given, files.why(error)))
    return done, failures


def _one(config: Config, one: Found) -> Done:
    file = one.table()
    read = table.read(file)
    if not len(read.rows):
        raise ValueError("has predictions of no frame: there is nothing to filter")
    settings = config.filter
    pcutoff = config.predict.pcutoff if settings.pcutoff is None else settings.pcutoff
    result = smooth.filtered(read.values, settings, pcutoff=pcutoff, frames=read.frames)
    stem = f"{one.stem}{find.FILTERED}"
    table.write(read._replace(values=result.values), stem)
    artefacts.write_json(
        artefacts.place(f"{stem}.json"),
        {
            "source": file,
            "source_digest": find.digest(file),
            "filter": to_dict(settings),
            "pcutoff": pcutoff,
            "rows": len(read.rows),
            "points_bridged": result.bridged,
        },
    )
    return Done(stem, len(read.rows), result.bridged)


def describe(done: Sequence[Done]) -> str:
    """For a terminal."""
    bridged = sum(one.bridged for one in done)
    points = f", {bridged} points bridged" if bridged else ""
    return f"filter: {len(done)} videos, {sum(one.rows for one in done)} rows{points}"
