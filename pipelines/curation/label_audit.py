"""Labels most likely to be wrong, written as a page and a csv."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from upath import UPath

from beampose.core import __version__, artefacts, csv_cells, files, storage
from beampose.core.infos import AuditInfo, DatasetInfo
from beampose.core.settings.experiment import Config
from beampose.pipelines.curation import suspects
from beampose.pipelines.curation.suspects import Evidence, Suspicion
from beampose.pipelines.films import drawing
from beampose.pipelines.report import label_overview, pages
from beampose.preprocess import images

FOLDER = "audit"
SHEET, PROPOSALS = "audit.html", "corrections.csv"
COLUMNS = (
    "apply",
    "rank",
    "score",
    "kind",
    "image",
    "bodypart",
    "x",
    "y",
    "new_x",
    "new_y",
    "likelihood",
    "reason",
)
CROP_COLUMNS = ("apply", "rank", "score", "kind", "image", "label", "new_label", "reason")
YES, NO = "yes", "no"


class Scores(NamedTuple):
    """Of suspicions, by what is labeled.

    Attributes:
      listed: below it a label is as good as any other.
      likely: from it on, a proposal of a head as sure as `SURE` comes marked; a person has the
        word.
    """

    listed: float
    likely: float


SURE = 0.8
POINTS, CLASSES = Scores(listed=2.5, likely=6.0), Scores(listed=0.5, likely=0.9)
# Side of a picture on the sheet, and of the smallest window it shows, in pixels.
SIDE, WINDOW = 300, 60

Progress = Callable[[Iterable, int, str], Iterable]


def suspicions(evidence: Evidence) -> list[Suspicion]:
    """All labels, the likeliest wrong one first."""
    return (suspects.of_points if evidence.truth.ndim == 3 else suspects.of_crops)(evidence)


def write(
    evidence: Evidence,
    found: Sequence[Suspicion],
    config: Config,
    *,
    top: int,
    progress: Progress = lambda items, total, what: items,
) -> tuple[UPath, UPath, int]:
    """Writes `<output>/audit`: the csv of what is suspicious, and the sheet of the first `top`.

    Returns:
      both files, and how many suspicions the csv lists.
    """
    folder = artefacts.begin(storage.place(config.output, FOLDER))
    scores = POINTS if config.kind.points else CLASSES
    listed = [one for one in found if one.score >= scores.listed]
    target = folder / PROPOSALS
    with storage.replacing(target) as temporary, temporary.open("w", newline="") as stream:
        writer = csv_cells.Writer(stream)
        writer.writerow(COLUMNS if config.kind.points else CROP_COLUMNS)
        for rank, one in enumerate(listed, 1):
            writer.writerows(rows(evidence, one, rank))
    shown = listed[:top]
    cards = [
        _card(evidence, one, rank)
        for rank, one in enumerate(progress(shown, len(shown), "pictures"), 1)
    ]
    page = pages.render(
        "audit.html",
        kind=config.kind,
        title=artefacts.require(config.dataset, DatasetInfo).project,
        labels=count(found),
        images=len(evidence.records),
        suspicious=count(listed),
        cards=cards,
        csv=PROPOSALS,
        side=SIDE,
        views=_against_views(evidence),
    )
    storage.write_text(folder / SHEET, page)
    info = AuditInfo(
        made_by=f"beampose {__version__} audit", suspicious=len(listed), labels=count(found)
    )
    artefacts.complete(folder, info)
    return folder / SHEET, target, len(listed)


def _against_views(evidence: Evidence) -> float | None:
    """Median of the pixels that labels are from what other views allow; None without any."""
    known = np.zeros(0) if evidence.views is None else evidence.views[np.isfinite(evidence.views)]
    return float(np.median(known)) if len(known) else None


def count(found: Sequence[Suspicion]) -> int:
    """Labels in some suspicions: two bodyparts that may be exchanged are two."""
    return sum(max(len(one.parts), 1) for one in found)


def marked(evidence: Evidence, one: Suspicion) -> bool:
    """Returns True if a proposal comes marked to be applied."""
    scores = CLASSES if one.kind == suspects.CLASS else POINTS
    if one.kind == suspects.VIEWS and not suspects.this_view(evidence, one.image, one.parts[0]):
        return False
    if one.kind != suspects.CLASS and suspects.elsewhere(evidence, one.image):
        return False
    return one.score >= scores.likely and one.likelihood >= SURE


def rows(evidence: Evidence, one: Suspicion, rank: int) -> list[list[Any]]:
    """Rows of the csv: one a point."""
    record = evidence.records[one.image]
    apply = YES if marked(evidence, one) else NO
    first = [apply, rank, f"{one.score:.2f}", one.kind, record.name]
    if isinstance(one.proposal, int):
        label = int(evidence.truth[one.image])
        return [[*first, evidence.names[label], evidence.names[one.proposal], one.reason]]
    found = []
    for part, new in zip(one.parts, np.asarray(one.proposal), strict=True):
        x, y = evidence.truth[one.image, part]
        likelihood = evidence.predicted[one.image, part, 2]
        numbers = [f"{v:.3f}" for v in (x, y, *new)]
        found.append(
            [*first, evidence.names[part], *numbers, f"{likelihood:.3f}", one.reason],
        )
    return found


def _card(evidence: Evidence, one: Suspicion, rank: int) -> dict[str, Any]:
    record = evidence.records[one.image]
    if one.parts:
        what = " and ".join(evidence.names[part] for part in one.parts)
    else:
        what = evidence.names[int(evidence.truth[one.image])]
    return {
        "rank": rank,
        "what": what,
        "name": record.name,
        "where": f"{files.name(record.file)}:{record.row}" if record.row else "",
        "score": one.score,
        "reason": one.reason,
        "marked": marked(evidence, one),
        "data": _picture(evidence, one),
    }


def _picture(evidence: Evidence, one: Suspicion) -> str | None:
    """None if the image is gone since it was embedded."""
    record = evidence.records[one.image]
    try:
        pixels = images.load(record.image_uri)[0]
    except (OSError, ValueError):
        return None
    if not one.parts:
        factor = SIDE / max(pixels.shape[:2])
        return label_overview.uri(cv2.resize(pixels, None, fx=factor, fy=factor))
    parts = list(one.parts)
    labels = evidence.truth[one.image]
    answers = evidence.predicted[one.image, :, :2]
    shown = np.concatenate([labels[parts], answers[parts]])
    line = None
    if one.kind == suspects.VIEWS and evidence.lines is not None:
        line = evidence.lines[one.image, parts[0]]
        shown = np.concatenate([shown, line.mean(axis=0, keepdims=True)])
    window, corner, factor = drawing.close_up(pixels, shown, side=SIDE, least=WINDOW)
    colors = drawing.palette(len(evidence.names))
    if line is not None:
        drawing.skeleton(window, (line - corner) * factor, [(0, 1)])
    # The others thin, for orientation.
    others = [i for i in range(len(colors)) if i not in parts]
    for numbers, radius in ((others, 4), (parts, 9)):
        chosen = [colors[i] for i in numbers]
        drawing.crosses(window, (labels[numbers] - corner) * factor, chosen, radius)
    drawing.dots(window, (answers[parts] - corner) * factor, [colors[i] for i in parts], 5)
    return label_overview.uri(window, 85)


def ranking(evidence: Evidence) -> list[tuple[int, int]]:
    """Labeled points (image, bodypart), the likeliest wrong one first."""
    return [(one.image, part) for one in suspects.of_points(evidence) for part in one.parts]
