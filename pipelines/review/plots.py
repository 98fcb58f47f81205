"""Plots for the report, as SVG text."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from pipelines.review import draw

_SIZE = (6.4, 3.0)
STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 9,
    "svg.hashsalt": "beampose",
}


def losses(history: Sequence[dict[str, Any]], score: str, unit: str) -> str:
    """Loss and held-out score over training steps."""
    with plt.rc_context(STYLE):
        figure, left = plt.subplots(figsize=_SIZE, layout="constrained")
        # Finetuning is judged before its first step too, where there is no loss yet.
        lost = [entry for entry in history if "loss" in entry]
        steps = [entry["step"] for entry in lost]
        left.plot(steps, [entry["loss"] for entry in lost], color="#7a8794", label="loss")
        left.set(xlabel="training step", ylabel="loss (train)", yscale="log")
        scored = [entry for entry in history if entry.get(score) is not None]
        if scored:
            right = left.twinx()
            right.spines["right"].set_visible(True)
            right.grid(False)
            right.plot(
                [entry["step"] for entry in scored],
                [entry[score] for entry in scored],
                color="#c2410c",
                marker="o",
                markersize=3,
            )
            right.set_ylabel(f"held out: {unit}", color="#c2410c")
        return _svg(figure)


def ranking(scored: Sequence[tuple[str, float]], unit: str) -> str:
    """A dot for each named score, the first on top."""
    with plt.rc_context(STYLE):
        height = 0.9 + 0.26 * max(len(scored), 1)
        figure, axes = plt.subplots(figsize=(_SIZE[0], height), layout="constrained")
        places = range(len(scored))
        axes.plot([score for _, score in scored], list(places), "o", color="#0f766e")
        axes.set_yticks(list(places), [name for name, _ in scored])
        axes.set(xlabel=unit, ylim=(len(scored) - 0.5, -0.5))
        return _svg(figure)


def error_histogram(distance: np.ndarray, bodyparts: Sequence[str]) -> str:
    """Cumulative share of held-out points within a distance, one line a bodypart."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=_SIZE, layout="constrained")
        for i, (name, color) in enumerate(zip(bodyparts, colors(len(bodyparts)), strict=True)):
            known = np.sort(distance[:, i][np.isfinite(distance[:, i])])
            if len(known):
                share = np.arange(1, len(known) + 1) / len(known)
                axes.step(known, 100 * share, where="post", color=color, label=name)
        known = distance[np.isfinite(distance)]
        axes.set(xlabel="error (px)", ylabel="held-out points within (%)", ylim=(0, 101))
        if len(known):
            axes.set_xlim(0, max(float(np.percentile(known, 98)) * 1.1, 1.0))
        axes.legend(frameon=False, fontsize=8, ncols=2)
        return _svg(figure)


def trajectory(keypoints: np.ndarray, bodyparts: Sequence[str], pcutoff: float, fps: float) -> str:
    """x and y of each bodypart over time, gaps where the model is not sure."""
    sure = keypoints[..., 2:] >= pcutoff
    points = np.where(sure, keypoints[..., :2], np.nan)
    time = np.arange(len(points)) / (fps or 1.0)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2, 1, figsize=(_SIZE[0], 3.6), sharex=True, layout="constrained"
        )
        for i, (name, color) in enumerate(zip(bodyparts, colors(len(bodyparts)), strict=True)):
            for axis in (0, 1):
                axes[axis].plot(time, points[:, i, axis], color=color, lw=0.8, label=name)
        axes[0].set_ylabel("x (px)")
        axes[1].set(ylabel="y (px)", xlabel="seconds" if fps else "frame")
        axes[0].legend(frameon=False, fontsize=8, ncols=4, loc="upper right")
        return _svg(figure)


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Counts of true (rows) and predicted (columns) classes."""
    values = np.array(matrix)
    with plt.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = plt.subplots(figsize=(3.4, 3.0), layout="constrained")
        axes.imshow(values, cmap="Blues", vmin=0)
        for i, row in enumerate(values):
            for j, count in enumerate(row):
                shade = "white" if count > values.max() / 2 else "black"
                axes.text(j, i, str(count), ha="center", va="center", color=shade, fontsize=12)
        ticks = range(len(classes))
        axes.set_xticks(ticks, list(classes))
        axes.set_yticks(ticks, list(classes))
        axes.set(xlabel="predicted", ylabel="true")
        return _svg(figure)


def colors(count: int) -> list[tuple[float, ...]]:
    # The colours of the dots, darker: they stand on white here.
    return [tuple(0.8 * c / 255 for c in color) for color in draw.palette(count)]


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    # The metadata block holds nothing but addresses of its vocabularies.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text[text.index("<svg") :]
