"""Plots of points in space: where they were, when, and how well the views agree."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from beampose.pipelines.report import plots
from beampose.preprocess.points import COORDS, Points

# Instants of which the paths are drawn, and the share of points that a view of space holds.
_PATHS, _HELD = 3000, 0.98
# Pixels of a frame of a film, height and width, and turns of the eye around the scene a film.
_FRAME, _TURNS = (720, 960), 0.5


def space(points: Points, edges: Sequence[tuple[str, str]]) -> Any:
    """The paths of all bodyparts, and the animals in the instant in which most is found."""
    figure = plt.figure(figsize=(7.5, 6), layout="constrained")
    axes = _axes(figure, points)
    thin = max(len(points) // _PATHS, 1)
    for part, color in enumerate(plots.colors(len(points.bodyparts))):
        for animal in range(len(points.individuals)):
            path = points.places[::thin, animal, part]
            axes.plot(*path.T, color=color, lw=0.5, alpha=0.4)
        axes.plot([], [], "o", color=color, label=plots.plain(points.bodyparts[part]))
    _pose(axes, points, int(points.found.sum(axis=(1, 2)).argmax()), edges)
    told = axes.get_legend_handles_labels()
    figure.legend(*told, loc="outside right upper", frameon=False, fontsize=8)
    return figure


def over_time(points: Points) -> Any:
    """x, y, z and the radius of each bodypart of the first individual."""
    figure, rows = plt.subplots(4, 1, figsize=(8, 7), sharex=True, layout="constrained")
    for part, color in enumerate(plots.colors(len(points.bodyparts))):
        name = plots.plain(points.bodyparts[part])
        for axis, row in enumerate(rows[:3]):
            row.plot(
                points.frames, points.places[:, 0, part, axis], color=color, lw=0.8, label=name
            )
        rows[3].plot(points.frames, points.radius[:, 0, part], color=color, lw=0.8)
    for row, name in zip(rows, (*COORDS, "radius"), strict=True):
        row.set_ylabel(name)
    rows[3].set_xlabel("frame")
    if len(points.individuals) > 1:
        rows[0].set_title(plots.plain(points.individuals[0]), fontsize=10)
    told = rows[0].get_legend_handles_labels()
    figure.legend(*told, loc="outside right upper", frameon=False, fontsize=8)
    return figure


def errors(by_view: dict[str, np.ndarray]) -> Any:
    """Reprojection errors of each view, as shares of points that are off by less."""
    known = {name: values[np.isfinite(values)] for name, values in by_view.items()}
    figure, axes = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
    most = max((float(np.quantile(one, 0.98)) for one in known.values() if len(one)), default=1.0)
    for name, one in known.items():
        if len(one):
            axes.plot(np.sort(one), np.linspace(0, 1, len(one)), lw=1.5, label=plots.plain(name))
    axes.set(xlim=(0, max(most, 0.01)), ylim=(0, 1), xlabel="reprojection error (px)")
    axes.set_ylabel("share of points below")
    if any(map(len, known.values())):
        axes.legend(frameon=False, fontsize=8)
    return figure


def film(points: Points, edges: Sequence[tuple[str, str]]) -> Iterator[np.ndarray]:
    """Pictures (height, width, 3) of each instant, the eye moving half around the scene."""
    with plots.styled():
        height, width = _FRAME
        figure = plt.figure(figsize=(width / 100, height / 100), dpi=100)
        try:
            axes = _axes(figure, points)
            fixed = len(axes.collections), len(axes.lines)
            for instant in range(len(points)):
                for artists, count in zip((axes.collections, axes.lines), fixed, strict=True):
                    for artist in list(artists)[count:]:
                        artist.remove()
                _pose(axes, points, instant, edges)
                turn = 360 * _TURNS * instant / max(len(points) - 1, 1)
                axes.view_init(elev=25, azim=-60 + turn)
                axes.set_title(f"frame {points.frames[instant]}", fontsize=10)
                figure.canvas.draw()
                yield np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # pyright: ignore
        finally:
            plt.close(figure)


def _axes(figure: Any, points: Points) -> Any:
    """Axes of one scale that hold nearly all points."""
    axes = figure.add_subplot(projection="3d")
    flat = points.places.reshape(-1, 3)
    flat = flat[np.all(np.isfinite(flat), axis=1)]
    if not len(flat):
        flat = np.array([[0.0, 0, 0], [1, 1, 1]])
    rest = (1 - _HELD) / 2
    low, high = np.quantile(flat, [rest, 1 - rest], axis=0)
    middle, side = (low + high) / 2, max(float((high - low).max()) / 2 * 1.1, 1e-6)
    limits = [(value - side, value + side) for value in middle]
    axes.set(xlim=limits[0], ylim=limits[1], zlim=limits[2], xlabel="x", ylabel="y", zlabel="z")
    axes.set_box_aspect((1, 1, 1))
    axes.tick_params(labelsize=7)
    return axes


def _pose(axes: Any, points: Points, instant: int, edges: Sequence[tuple[str, str]]) -> None:
    names = list(points.bodyparts)
    colors = plots.colors(len(names))
    for pose in points.places[instant]:
        for a, b in edges:
            if a in names and b in names:
                axes.plot(*pose[[names.index(a), names.index(b)]].T, color="0.35", lw=1.5)
        there = np.all(np.isfinite(pose), axis=1)
        chosen = [color for color, known in zip(colors, there, strict=True) if known]
        axes.scatter(*pose[there].T, c=chosen, s=28, depthshade=False)
