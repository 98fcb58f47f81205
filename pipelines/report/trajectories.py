"""Plots of a video's predictions, as DeepLabCut's plot_trajectories: where, when, how sure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from upath import UPath

from beampose.core import storage
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import prediction_tables
from beampose.pipelines import film_names
from beampose.pipelines.film_names import Film, Owner
from beampose.pipelines.report import plots, timeline
from beampose.pipelines.results import result_files
from beampose.pipelines.results.result_files import Found

FOLDER = "plot-poses"
FORMATS = ("png", "svg")
DPI = 150
# A line of more rows is drawn by the lowest and highest of each of this many bins: a plot is no
# wider than that many pixels.
BINS = 1500
# Dots of a bodypart on the map of where it was.
DOTS = 20_000


class Lines(NamedTuple):
    """Lines drawn for one animal.

    Attributes:
      frames: (rows,).
      points: (rows, bodyparts, 2) x, y, NaN below the cutoff.
      likelihood: (rows, bodyparts).
      fps: 0 if it is not known.
    """

    frames: np.ndarray
    points: np.ndarray
    likelihood: np.ndarray
    bodyparts: list[str]
    title: str
    pcutoff: float
    fps: float


def run(
    config: Config, paths: Sequence[str], *, filtered: bool = False
) -> tuple[list[UPath], list[tuple[str, str]]]:
    """Plots predictions into `predictions/plot-poses/<video>/`; failures are (path, reason).

    Raises:
      FileNotFoundError: a path matches nothing.
    """
    done, failures = result_files.each(config, paths, lambda one: _video(config, one, filtered))
    return [file for drawn in done for file in drawn], failures


def _video(config: Config, one: Found, filtered: bool) -> list[UPath]:
    read = prediction_tables.read(one.table(filtered=filtered))
    if not len(read.rows):
        raise ValueError("has no predicted frame: there is nothing to plot")
    fps, folder = one.fps(), _folder(config, one)
    done = []
    for individual in read.individuals:
        chosen = [i for i, (owner, _) in enumerate(read.points) if owner == individual]
        values = read.values[:, chosen]
        sure = values[..., 2:] >= config.predict.pcutoff
        ending = (
            f"{f'_{individual}' if individual else ''}{result_files.FILTERED if filtered else ''}"
        )
        lines = Lines(
            read.frames,
            np.where(sure, values[..., :2], np.nan),
            values[..., 2],
            [read.points[i][1] for i in chosen],
            f"{one.name}{f': {individual}' if individual else ''}"
            f"{' (filtered)' if filtered else ''}",
            config.predict.pcutoff,
            fps,
        )
        for name, plot in PLOTS.items():
            with plots.styled(axes_titlesize=9):
                done += _save(plot(lines), folder, f"{name}{ending}")
    if read.individuals != [""]:
        joined = timeline.joins(one.tracks())
        with plots.styled(axes_titlesize=9):
            figure = timeline.identities(read, joined, one.name)
            done += _save(figure, folder, f"identities{result_files.FILTERED if filtered else ''}")
    return done


def _folder(config: Config, one: Found) -> UPath:
    """Folder of the plots; that of a table whose name another one has is told apart by its path."""
    video, fingerprint = one.film()
    film = Film(one.name, one.given or video, "" if one.given else fingerprint)
    above = storage.place(config.predictions, FOLDER)
    for name in (one.name, f"{one.name}-{storage.digest([film.path, film.fingerprint])[:8]}"):
        folder = above / name
        (owner,) = film_names.recorded(folder) or [Owner(film.path, film.fingerprint)]
        if (owner.fingerprint or owner.video) == (film.fingerprint or film.path):
            break
    film_names.record(folder, film)
    return folder


def trajectory(lines: Lines) -> Any:
    """Plots where each bodypart was, as the camera sees it."""
    figure, axes = plt.subplots(figsize=(6.4, 5.4), layout="constrained")
    every = -(-len(lines.frames) // DOTS)
    for name, color, (x, y) in _each(lines, np.moveaxis(lines.points[::every], -1, 0)):
        # Thousands of dots are one picture inside the SVG.
        axes.scatter(x, y, s=5, color=color, alpha=0.5, lw=0, label=name, rasterized=True)
    axes.set(xlabel="x (px)", ylabel="y (px)", aspect="equal", title=lines.title)
    axes.invert_yaxis()
    _legend(axes)
    return figure


def over_time(lines: Lines) -> Any:
    """x and y of each bodypart, gaps where the model is not sure."""
    figure, axes = plt.subplots(2, 1, figsize=(9, 5.2), sharex=True, layout="constrained")
    for name, color, both in _each(lines, np.moveaxis(lines.points, -1, 0)):
        for axis, values in zip(axes, both, strict=True):
            _line(axis, lines.frames, values, color, name)
    axes[0].set(ylabel="x (px)", title=lines.title)
    axes[1].set(ylabel="y (px)", xlabel="frame")
    _seconds(axes[0], lines.fps)
    _legend(axes[0])
    return figure


def likelihood(lines: Lines) -> Any:
    """Plots the likelihood of each bodypart, and the cutoff."""
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    for name, color, values in _each(lines, lines.likelihood):
        _line(axes, lines.frames, values, color, name)
    axes.axhline(lines.pcutoff, color="#444", lw=1, ls="--")
    axes.set(xlabel="frame", ylabel="likelihood", ylim=(-0.02, 1.02), title=lines.title)
    _seconds(axes, lines.fps)
    _legend(axes)
    return figure


def jumps(lines: Lines) -> Any:
    """Plots how far each bodypart moves from one row to the next: errors are at the far end."""
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    distance = np.linalg.norm(np.diff(lines.points, axis=0), axis=-1)
    farthest = float(np.nanmax(distance)) if np.isfinite(distance).any() else 1.0
    bins = np.linspace(0, max(farthest, 1.0), 60)
    for name, color, values in _each(lines, distance):
        counts, _ = np.histogram(values[np.isfinite(values)], bins)
        axes.stairs(counts, bins, color=color, lw=1.2, label=name)
    step = int(np.median(np.diff(lines.frames))) if len(lines.frames) > 1 else 1
    apart = "from one frame to the next" if step == 1 else f"in {step} frames"
    axes.set(xlabel=f"distance (px) {apart}", ylabel="times", title=lines.title)
    if np.isfinite(distance).any():
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    _legend(axes)
    return figure


PLOTS = {
    "trajectory": trajectory,
    "plot": over_time,
    "plot-likelihood": likelihood,
    "hist": jumps,
}


def thinned(frames: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line with the lowest and the highest value of each of `BINS` parts, in their order.

    Peaks of a single row stay; a gap stays where a whole part is missing.
    """
    if len(values) <= 2 * BINS:
        return frames, values
    size = -(-len(values) // BINS)
    fill = -len(values) % size
    parts = np.pad(values, (0, fill), constant_values=np.nan).reshape(-1, size)
    missing = np.isnan(parts)
    low = np.where(missing, np.inf, parts).argmin(axis=1)
    high = np.where(missing, -np.inf, parts).argmax(axis=1)
    first = np.arange(len(parts))[:, None] * size
    chosen = first + np.sort(np.stack([low, high], axis=1), axis=1)
    chosen = np.minimum(chosen.ravel(), len(values) - 1)
    return frames[chosen], values[chosen]


def _each(lines: Lines, values: np.ndarray):
    """Name, colour and values of each bodypart, which is the last axis of `values`."""
    colors = plots.colors(len(lines.bodyparts))
    for i, (name, color) in enumerate(zip(lines.bodyparts, colors, strict=True)):
        yield name, color, values[..., i]


def _legend(axes: Any) -> None:
    shown = plots.legend_beside(axes, marks=2.5)
    for handle in shown.legend_handles:
        handle.set_alpha(1.0)


def _line(axes: Any, frames: np.ndarray, values: np.ndarray, color: Any, name: str) -> None:
    """A line with gaps; a row between two gaps is a dot."""
    x, y = thinned(frames, values)
    # Squeezed lines become areas, of which none shall hide the others.
    axes.plot(x, y, color=color, lw=0.9, label=name, alpha=0.9 if len(x) == len(frames) else 0.6)
    there = np.pad(np.isfinite(y), 1)
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    axes.plot(x[alone], y[alone], ".", color=color, ms=3)


def _seconds(axes: Any, fps: float) -> None:
    """A second scale above the plot."""
    if fps:
        above = axes.secondary_xaxis("top", functions=(lambda f: f / fps, lambda s: s * fps))
        above.set_xlabel("seconds")
        axes.spines["top"].set_visible(True)


def _save(figure: Any, folder: UPath, name: str) -> list[UPath]:
    done = []
    for kind in FORMATS:
        target = storage.place(folder, f"{name}.{kind}")
        metadata = {"Date": None} if kind == "svg" else None
        with storage.replacing(target) as temporary, temporary.open("wb") as stream:
            figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata, bbox_inches="tight")
        done.append(target)
    plt.close(figure)
    return done
