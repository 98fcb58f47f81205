"""Errors of a model on unseen videos, where they were measured."""

from collections.abc import Callable, Sequence
from typing import Any

from beampose.core.infos import FoldsInfo
from beampose.pipelines.report import label_summary
from beampose.trainer.schema import LabelRecord

Figures = Callable[[set[str]], dict[str, Any]]


def section(
    records: Sequence[LabelRecord], figures: Figures, folds: FoldsInfo | None
) -> dict[str, Any]:
    """Section on unseen videos: figures and how they were measured, or why there are none.

    Args:
      figures: held-out figures of the images with these names.
      folds: a cross validation of the model's settings, if there is one.
    """
    test = [r for r in records if r.split == "test"]
    trained = {r.video for r in records if r.split == "train"}
    videos = sorted({r.video for r in records})
    if label_summary.films_known(records):
        new = [r for r in test if r.video not in trained]
        if new:
            names = sorted({r.video for r in new})
            found = figures({r.name for r in new})
            return {"how": "split", "videos": names, "seen": len(test) - len(new), **found}
        if folds and folds.by == "video":
            return {"how": "folds", "videos": list(folds.folds), "seen": 0, **folds.all.plain()}
    return {"how": "", "why": why(records, test, videos)}


def why(records: Sequence[LabelRecord], test: Sequence[LabelRecord], videos: list[str]) -> str:
    """Explains why there is no figure for an unseen video, and how to get one."""
    if not label_summary.films_known(records):
        return (
            "the names of the crops do not say which film each is from, so a crop of the same "
            "animal minutes later may be on both sides of the split"
        )
    if len(videos) == 1:
        return (
            "all labels are from one video, and its frames resemble each other. Label some frames "
            "of a second video to learn how far the model carries"
        )
    if not test:
        return "no image is held out. `beampose evaluate CONFIG --by video` measures it"
    return (
        f"the {len(test)} held-out images are from videos that others of the {len(records)} were "
        "learned from. `beampose evaluate CONFIG --by video` measures it, and embeds nothing"
    )
