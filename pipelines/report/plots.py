"""Plots of reports, as figures for `gallery`: axes have units, colours are safe to tell apart."""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from beampose.core.infos.evaluation_infos import CurvePoint
from beampose.pipelines.films import drawing, letters

SIZE = (6.4, 3.0)
# Letters stay letters, so that a paper's own font can take their place.
STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 9,
    "font.family": letters.families(),
    "svg.fonttype": "none",
    "svg.hashsalt": "beampose",
}
DPI = 200
INK, DIM, FIRST, SECOND = "#1c2733", "#7a8794", "#c2410c", "#0072b2"
# Those of an axis that is logarithmic far out; where colours come again, lines differ by dashes.
_TICKS = (0, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_DASHES = ("-", "--", ":", "-.")
# Bodyparts or classes up to which each has a line, or a row of a single column; and how many of
# more stand out.
MANY, _WORST = 24, 8
# Classes up to which every count of a confusion has its number.
_FEW = 4
# Inches that a legend's row is high, that a mark with the space around it is wide, and a letter.
_LEGEND_ROW, _LEGEND_MARK, _LETTER = 0.17, 0.55, 0.07


def losses(history: Sequence[dict[str, Any]], score: str, unit: str) -> Any:
    """Loss and held-out score over training steps."""
    figure, left = plt.subplots(figsize=SIZE, layout="constrained")
    left.plot(*_lost(history), color=DIM, label="loss")
    left.set(xlabel="training step", ylabel="loss (train)", yscale="log")
    scored = [entry for entry in history if entry.get(score) is not None]
    if scored:
        right = left.twinx()
        right.spines["right"].set_visible(True)
        right.grid(False)
        right.plot(
            [entry["step"] for entry in scored],
            [entry[score] for entry in scored],
            color=FIRST,
            marker="o",
            markersize=3,
        )
        right.set_ylabel(f"held out: {unit}", color=FIRST)
    return figure


def fold_losses(histories: Sequence[Sequence[dict[str, Any]]]) -> Any:
    """Loss of each fold's head over training steps."""
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    for i, (history, color) in enumerate(zip(histories, colors(len(histories)), strict=True)):
        dash = _DASHES[i % len(_DASHES)]
        axes.plot(*_lost(history), dash, color=color, label=f"head {i + 1}")
    axes.set(xlabel="training step", ylabel="loss (train)", yscale="log")
    axes.legend(frameon=False, fontsize=8, ncols=2)
    return figure


def ranking(scored: Sequence[tuple[str, float]], unit: str) -> Any:
    """A dot for each named score, the first on top."""
    height = 0.9 + 0.26 * max(len(scored), 1)
    figure, axes = plt.subplots(figsize=(SIZE[0], height), layout="constrained")
    places = list(range(len(scored)))
    axes.plot([score for _, score in scored], places, "o", color="#0f766e")
    axes.set_yticks(places, [plain(name) for name, _ in scored])
    axes.set(xlabel=unit, ylim=(len(scored) - 0.5, -0.5))
    return figure


def cumulative(errors: dict[str, np.ndarray]) -> Any:
    """Share of held-out points within a distance, one line a bodypart; NaN is within none.

    Of many bodyparts those that are worst in the median stand out.
    """
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    known = _known(errors)
    edge = max(float(np.percentile(known, 98)) * 1.1, 1.0) if len(known) else 1.0
    many = len(errors) > MANY
    shown = _worst(errors, _WORST) if many else list(errors)
    for name in errors.keys() - set(shown):
        _steps(axes, errors[name], edge, "-", color=DIM, alpha=0.3, lw=0.8)
    for i, (name, color) in enumerate(zip(shown, colors(len(shown)), strict=True)):
        dash = _DASHES[i % len(_DASHES)] if len(shown) > 7 else "-"
        _steps(axes, errors[name], edge, dash, color=color, label=plain(name))
    axes.set(xlabel="error (px)", ylabel="held-out points within (%)", ylim=(0, 101))
    if len(known):
        axes.set_xlim(0, edge)
        legend_beside(axes, "largest medians" if many else None)
    return figure


def by_bodypart(errors: dict[str, np.ndarray]) -> Any:
    """A box of the errors of each bodypart, and every error as a dot; many in two columns."""
    columns = 2 if len(errors) > MANY else 1
    rows = max(-(-len(errors) // columns), 1)
    figure, panels = plt.subplots(
        1,
        columns,
        figsize=(columns * SIZE[0], 0.9 + 0.34 * rows),
        layout="constrained",
        sharex=True,
        squeeze=False,
    )
    known, names = _known(errors), list(errors)
    for i, axes in enumerate(panels[0]):
        _boxes(axes, {name: errors[name] for name in names[i * rows : (i + 1) * rows]}, rows)
        axes.set_xlabel("error on held-out images (px)")
        # Some errors a hundred times the others would squeeze all boxes into a line.
        if len(known) and known.max() > 12 * max(np.median(known), 0.5):
            axes.set_xscale("symlog", linthresh=max(float(np.median(known)) * 2, 1.0))
            ticks = [tick for tick in _TICKS if tick <= known.max() * 1.2]
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
            axes.set_xlabel("error on held-out images (px; far errors on a logarithmic scale)")
        axes.set_xlim(left=0)
    return figure


def reliability(curves: dict[str, Sequence[Any]], score: str, share: str, enough: int) -> Any:
    """Share of right answers against their score; what lies on the diagonal is calibrated.

    Args:
      curves: `calibration.Bin` of each tolerance, by its name.
      enough: bins of fewer answers are hollow.
    """
    figure, axes = plt.subplots(figsize=(4.6, 4.0), layout="constrained")
    axes.plot([0, 1], [0, 1], color=DIM, lw=1, ls="--", label="as sure as right")
    marks = (("o", FIRST), ("s", SECOND))
    for i, (name, bins) in enumerate(curves.items()):
        mark, color = marks[i]
        # A little apart, so that the bars of one do not hide those of the other.
        x = [one.score + 0.008 * i for one in bins]
        y = [one.share for one in bins]
        axes.plot(x, y, color=color, lw=1.2, label=name)
        spread = [[one.share - one.least for one in bins], [one.most - one.share for one in bins]]
        axes.errorbar(x, y, yerr=np.abs(spread), fmt="none", ecolor=color, alpha=0.45, lw=1)
        for place, one in zip(x, bins, strict=True):
            face = color if one.count >= enough else "white"
            axes.plot(place, one.share, mark, color=color, mfc=face, ms=5)
    axes.set(xlabel=plain(score), ylabel=plain(share), xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(frameon=False, fontsize=8, loc="best")
    return figure


def cutoffs(kept: Sequence[Any], pcutoff: float) -> Any:
    """Plots the share that a cutoff keeps, and its error.

    Args:
      kept: `calibration.Kept`, ascending.
    """
    figure, axes = plt.subplots(2, 1, figsize=(4.6, 4.0), sharex=True, layout="constrained")
    x = [one.cutoff for one in kept]
    axes[0].plot(x, [100 * one.share for one in kept], color=SECOND, label="labeled points")
    invented = [100 * one.invented for one in kept]
    if np.isfinite(invented).any():
        axes[0].plot(x, invented, "--", color=DIM, label="unlabeled points")
        axes[0].legend(frameon=False, fontsize=8, loc="best")
    axes[0].set(ylabel="kept (%)", ylim=(-2, 103))
    axes[1].plot(x, [one.mean for one in kept], color=FIRST, label="mean")
    axes[1].plot(x, [one.median for one in kept], "--", color=FIRST, label="median")
    axes[1].set(ylabel="error of the kept (px)", xlabel="cutoff of the likelihood", xlim=(0, 1))
    axes[1].set_ylim(bottom=0)
    axes[1].legend(frameon=False, fontsize=8, loc="best")
    for axis in axes:
        axis.axvline(pcutoff, color=INK, lw=1, ls=":")
    axes[0].set_title(f"dotted: pcutoff {pcutoff:g}", loc="right", fontsize=8)
    return figure


def rates(found: Sequence[Any], threshold: float) -> Any:
    """Precision and recall against the threshold of the score.

    Args:
      found: `calibration.Rate`, ascending.
    """
    figure, axes = plt.subplots(figsize=(4.6, 4.0), layout="constrained")
    x = [one.threshold for one in found]
    axes.plot(x, [100 * one.recall for one in found], color=SECOND, label="recall: found")
    axes.plot(
        x, [100 * one.precision for one in found], "--", color=FIRST, label="precision: right"
    )
    axes.axvline(threshold, color=INK, lw=1, ls=":")
    axes.set(xlabel="threshold of the score", ylabel="crops (%)", xlim=(0, 1), ylim=(-2, 103))
    axes.legend(frameon=False, fontsize=8, loc="best")
    return figure


def learning(points: Sequence[CurvePoint], label: str, *, percent: bool) -> Any:
    """Held-out error against the number of labeled images, with its interval."""
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    factor = 100.0 if percent else 1.0
    shown = [point for point in points if point.error is not None]
    x = [point.images for point in shown]
    y = np.array([point.error for point in shown], float) * factor
    axes.plot(x, y, color=FIRST, marker="o", ms=4)
    known = [i for i, point in enumerate(shown) if point.low is not None]
    low, high = (
        np.array([getattr(shown[i], end) for i in known], float) * factor for end in ("low", "high")
    )
    axes.fill_between([x[i] for i in known], low, high, color=FIRST, alpha=0.15, lw=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(x, [str(images) for images in x])
    axes.minorticks_off()
    axes.set(xlabel="labeled training images (each step doubles)", ylabel=label)
    axes.set_ylim(bottom=0)
    return figure


def trajectory(
    keypoints: np.ndarray,
    bodyparts: Sequence[str],
    pcutoff: float,
    fps: float,
    frames: np.ndarray,
) -> Any:
    """x and y of each bodypart over time, gaps where the model is not sure.

    Args:
      fps: of the film; 0 if it is not known.
      frames: (rows,), numbers of the rows' frames in the film.
    """
    sure = keypoints[..., 2:] >= pcutoff
    points = np.where(sure, keypoints[..., :2], np.nan)
    time = frames / (fps or 1.0)
    figure, axes = plt.subplots(2, 1, figsize=(SIZE[0], 3.6), sharex=True, layout="constrained")
    for i, (name, color) in enumerate(zip(bodyparts, colors(len(bodyparts)), strict=True)):
        for axis in (0, 1):
            axes[axis].plot(time, points[:, i, axis], color=color, lw=0.8, label=plain(name))
    axes[0].set_ylabel("x (px)")
    axes[1].set(ylabel="y (px)", xlabel="time (s)" if fps else "frame")
    legend_beside(axes[0])
    return figure


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Any:
    """Counts of true (rows) and predicted (columns) classes."""
    values = np.array(matrix)
    side = 2.2 + 0.4 * len(classes)
    figure, axes = plt.subplots(figsize=(side + 0.4, side), layout="constrained")
    axes.grid(False)
    axes.imshow(values, cmap="Blues", vmin=0)
    several = len(classes) > _FEW
    for i, row in enumerate(values):
        for j, count in enumerate(row):
            if several and not count:
                continue
            shade = "white" if count > values.max() / 2 else "black"
            axes.text(j, i, str(count), ha="center", va="center", color=shade, fontsize=12)
    ticks = range(len(classes))
    names = [plain(name) for name in classes]
    # Names of few classes have room along the sides.
    axes.set_xticks(ticks, names, rotation=90 if several else 0)
    axes.set_yticks(ticks, names, rotation=0 if several else 90, va="center")
    axes.set(xlabel="predicted class (crops)", ylabel="true class (crops)")
    return figure


def plain(name: str) -> str:
    """A name as matplotlib shows it and not as mathematics, which a dollar begins."""
    return name.replace("$", r"\$")


def colors(count: int) -> list[tuple[float, ...]]:
    # The colours of the dots, darker: they stand on white here.
    return [tuple(0.8 * c / 255 for c in color) for color in drawing.palette(count)]


def legend_beside(axes: Any, title: str | None = None, *, marks: float = 1.0) -> Any:
    """A legend that hides no line; for more names than are room the figure becomes wider.

    Args:
      marks: how many times as large as in the plot.
    """
    figure, names = axes.figure, axes.get_legend_handles_labels()[1]
    height = (figure.get_figheight() - 0.6) / axes.get_gridspec().nrows
    rows = max(int(height / _LEGEND_ROW), 1)
    columns = max(-(-len(names) // rows), 1)
    column = _LEGEND_MARK + _LETTER * max(map(len, names), default=0)
    figure.set_figwidth(figure.get_figwidth() + (columns - 1) * column)
    return axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        title=title,
        frameon=False,
        fontsize=8,
        ncols=columns,
        markerscale=marks,
    )


@contextlib.contextmanager
def styled(**more: Any) -> Iterator[None]:
    """A context in which figures are made and saved.

    Args:
      more: settings of matplotlib, with `_` for their dots.
    """
    style = {**STYLE, **{name.replace("_", "."): value for name, value in more.items()}}
    with plt.rc_context(style), warnings.catch_warnings():
        # A letter that no font has is a box, which shows it; matplotlib before 3.11 warns as well.
        warnings.filterwarnings("ignore", r"Glyph .* missing from (font|current font)")
        yield


def svg(figure: Any) -> str:
    """A figure as SVG text, from its first tag; the figure is closed."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    # Its metadata are nothing but addresses of vocabularies.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text[text.index("<svg") :]


def _lost(history: Sequence[dict[str, Any]]) -> tuple[list[int], list[float]]:
    """Steps and losses."""
    # Finetuning is judged before its first step too, where there is no loss yet.
    lost = [entry for entry in history if "loss" in entry]
    return [entry["step"] for entry in lost], [entry["loss"] for entry in lost]


def _known(errors: dict[str, np.ndarray]) -> np.ndarray:
    every = np.concatenate([*errors.values(), np.empty(0)])
    return every[np.isfinite(every)]


def _steps(axes: Any, every: np.ndarray, edge: float, dash: str, **look: Any) -> None:
    """A line of `cumulative`."""
    known = np.sort(every[np.isfinite(every)])
    if len(known):
        share = np.arange(len(known) + 1) / len(every)
        # From nothing at 0 to the edge, where the last share stays.
        x, y = [0.0, *known, max(edge, known[-1])], [*share, share[-1]]
        axes.step(x, 100 * np.array(y), dash, where="post", **look)


def _worst(errors: dict[str, np.ndarray], count: int) -> list[str]:
    """Bodyparts of the largest medians, the worst first; those without an error come last."""

    def median(name: str) -> float:
        known = errors[name][np.isfinite(errors[name])]
        return float(np.median(known)) if len(known) else -1.0

    return sorted(errors, key=median, reverse=True)[:count]


def _boxes(axes: Any, errors: dict[str, np.ndarray], rows: int) -> None:
    """Rows of `by_bodypart`; room for `rows`."""
    shown = [values[np.isfinite(values)] for values in errors.values()]
    places, dim = np.arange(len(shown)), {"color": DIM}
    axes.boxplot(
        shown,
        positions=places.tolist(),
        orientation="horizontal",
        widths=0.55,
        showfliers=False,
        medianprops={"color": FIRST, "lw": 1.6},
        boxprops=dim,
        whiskerprops=dim,
        capprops=dim,
    )
    rng = np.random.default_rng(0)
    for place, values in zip(places, shown, strict=True):
        beside = place + rng.uniform(-0.18, 0.18, len(values))
        axes.plot(values, beside, ".", color=SECOND, alpha=0.7, ms=6, mew=0)
    axes.set_yticks(places, [plain(name) for name in errors])
    axes.set_ylim(rows - 0.5, -0.5)
