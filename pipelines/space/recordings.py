"""Points in space of a recording by several cameras, from the predictions of its views."""

import functools
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines import manifest
from beampose.pipelines.results import rts_smoother
from beampose.pipelines.space import (
    animals_across_views,
    bones,
    brightness,
    space_fit,
    synchronise,
    view_looks,
    view_points,
    view_tables,
)
from beampose.pipelines.space.animals_across_views import Matching
from beampose.pipelines.space.bones import Bone
from beampose.pipelines.space.space_fit import Fit
from beampose.pipelines.space.synchronise import Instants
from beampose.pipelines.space.view_looks import Looks
from beampose.pipelines.space.view_points import Seen
from beampose.pipelines.space.view_tables import View
from beampose.preprocess.cameras import Rig
from beampose.preprocess.points import Points

LOG = logging.getLogger(__name__)
# Frames that are fitted to bones at once: a matrix of three times the bodyparts each.
_AT_ONCE = 500
# Share of a film that an offset may be.
_FARTHEST = 0.5
# Share of its points from which on a view that is left out is told.
_OFTEN = 0.5
# Share by which frame rates may differ, which films mostly tell by rounded numbers.
_SAME_RATE = 0.01
# Share of a frame's diagonal that no prediction of a usable model is off in the median.
_FAR = 0.02


class Wanted(NamedTuple):
    """What is asked for.

    Attributes:
      synchronise: number, times, light or motion.
      offsets: by view, frames it is behind; of views named here nothing is searched.
      edges: pairs of bodyparts by name.
      appearance: individuals of several views are also matched by it.
    """

    synchronise: str = "number"
    offsets: dict[str, int] = {}
    pcutoff: float = 0.6
    max_error: float | None = None
    smooth: bool = False
    bones: bool = False
    edges: tuple[tuple[str, str], ...] = ()
    appearance: bool = True


class Recording(NamedTuple):
    """A recording in space.

    Attributes:
      places, covariances: as of `fit`, after bones and smoothing.
      offsets: frames that each view is behind the first.
      remarks: on what may make the results worse.
      matching: of individuals across views; None of one animal.
    """

    rig: Rig
    views: list[View]
    instants: Instants
    seen: Seen
    fit: Fit
    points: Points
    bones: list[Bone]
    offsets: list[int]
    remarks: list[str]
    matching: Matching | None = None


def read(
    config: Config, rig: Rig, views: Sequence[tuple[str, str]], wanted: Wanted, *, filtered: bool
) -> Recording:
    """Triangulates the predictions of views.

    Raises:
      FileNotFoundError: a video is not there.
      ValueError: a view, a camera or its predictions do not fit; the text names them.
    """
    chosen = rig.chosen([name for name, _ in views])
    tables = view_tables.read(config, views, filtered=filtered)
    view_tables.check_sizes(tables, chosen)
    return of_views(chosen, tables, wanted)


def of_views(rig: Rig, views: list[View], wanted: Wanted) -> Recording:
    """As `read`, of tables that are read and cameras in their order."""
    offsets = _offsets(views, wanted)
    instants = _instants(views, wanted, offsets)
    seen = view_points.gather(views, instants, wanted.pcutoff)
    remarks = [*_rates(views, wanted), *_lengths(views, offsets)]
    if alone := view_points.alone(views):
        remarks.append(f"one view alone has {', '.join(alone)}: these have no points in space")
    matching = None
    if len(seen.individuals) > 1:
        look = functools.partial(_looks, views, instants, seen, wanted)
        seen, matching = animals_across_views.matched(rig.cameras, seen, look)
        remarks += animals_across_views.remarks(matching, instants.frames)
    fit = space_fit.fit(rig.cameras, seen, max_error=wanted.max_error)
    fit, used = _with_bones(fit, seen, wanted, remarks)
    if wanted.smooth:
        fit = fit._replace(places=smoothed(fit.places, instants.frames))
    remarks += _doubts(rig, views, seen, fit)
    points = Points(
        places=fit.places,
        radius=fit.radius,
        error=fit.error,
        views=fit.used.sum(axis=-1),
        score=fit.score,
        frames=instants.frames,
        individuals=seen.individuals,
        bodyparts=seen.bodyparts,
        scorer=views[0].table.scorer,
    )
    return Recording(rig, views, instants, seen, fit, points, used, offsets, remarks, matching)


def smoothed(places: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Places (instants, ..., 3) smoothed as by `filter.method: kalman`; gaps stay."""
    flat = places.reshape(len(places), -1)
    there = np.isfinite(flat)
    if not there.any() or len(flat) < 3:
        return places
    # The smoother counts in pixels: here in how far points move between frames.
    step = float(np.nanmedian(np.abs(np.diff(flat, axis=0)))) or 1.0
    apart = np.diff(frames)
    found = rts_smoother.smooth(flat / step, apart / max(np.median(apart), 1), dimensions=3)
    known = there & np.isfinite(found.places)
    return np.where(known, found.places * step, flat).reshape(places.shape)


def _looks(
    views: Sequence[View],
    instants: Instants,
    seen: Seen,
    wanted: Wanted,
    windows: Sequence[slice],
) -> list[Looks] | str:
    """Looks of individuals in each view, or why there are none."""
    if not wanted.appearance:
        return "cameras.appearance is none"
    if why := view_looks.missing(views):
        return why
    names = [one for one in seen.individuals if one != animals_across_views.SCENE]
    try:
        return view_looks.read(views, instants, windows, names)
    except (OSError, ValueError) as error:
        return files.why(error)


def _offsets(views: Sequence[View], wanted: Wanted) -> list[int]:
    names = [one.name for one in views]
    if unknown := sorted(set(wanted.offsets) - set(names)):
        raise ValueError(
            f"--offset names the view {unknown[0]!r}; --views names {', '.join(names)}."
        )
    if wanted.synchronise not in ("light", "motion"):
        return [wanted.offsets.get(name, 0) for name in names]
    films = {}
    signals = []
    for one in views:
        if wanted.synchronise == "motion":
            signals.append(synchronise.motion(one.values[..., :2], one.table.frames))
        else:
            if one.video not in films:
                films[one.video] = brightness.changes(one)
            signals.append(films[one.video])
    found = [wanted.offsets.get(names[0], 0)]
    for one, signal in zip(views[1:], signals[1:], strict=True):
        if one.name in wanted.offsets:
            found.append(wanted.offsets[one.name])
            continue
        most = int(_FARTHEST * min(len(signals[0]), len(signal)))
        got = synchronise.lag(signals[0], signal, most)
        synchronise.check(got, one.name, wanted.synchronise)
        LOG.info("%s is %s behind %s", one.name, counted(got.frames, "frame"), names[0])
        found.append(got.frames + found[0])
    return found


def _instants(views: Sequence[View], wanted: Wanted, offsets: Sequence[int]) -> Instants:
    numbers = [one.table.frames for one in views]
    named = ", ".join(f"{one.name} ({one.video or one.file})" for one in views)
    try:
        if wanted.synchronise == "times":
            found = synchronise.by_time(numbers, [_times(one) for one in views], offsets)
        else:
            found = synchronise.by_number(numbers, offsets)
    except ValueError as error:
        raise ValueError(f"The views {named}: {error}.") from None
    shared = (found.rows >= 0).sum(axis=1) >= 2
    for number, one in enumerate(views):
        if not (shared & (found.rows[:, number] >= 0)).any():
            raise ValueError(
                f"The view {one.name} ({one.video or one.file}) has no frame of an instant that "
                f"another view shows, with an offset of {offsets[number]} frames: correct --offset "
                "or --synchronise, or leave the view out."
            )
    return found


def _times(view: View) -> np.ndarray:
    film = _film(view, "time stamps")
    if not film.times:
        raise ValueError(
            f"{view.video} holds no time stamps that can be trusted. Synchronise by number."
        )
    return manifest.seconds(film)


def _film(view: View, what: str):
    if not view.video:
        raise ValueError(f"the view {view.name} is a table without a video, which has no {what}")
    return manifest.index(view.video)


def _rates(views: Sequence[View], wanted: Wanted) -> list[str]:
    """Says where frames of one number cannot be of one instant."""
    known = [one for one in views if one.fps]
    if wanted.synchronise == "times" or len(known) < 2:
        return []
    slow, fast = (choose(known, key=lambda one: one.fps or 0) for choose in (min, max))
    assert slow.fps and fast.fps
    if fast.fps < (1 + _SAME_RATE) * slow.fps:
        return []
    return [
        f"{fast.name} has {fast.fps:.4g} frames a second and {slow.name} {slow.fps:.4g}, so that "
        "frames of one number are not of one instant: use --synchronise times, and name "
        f"{slow.name} first"
    ]


def _lengths(views: Sequence[View], offsets: Sequence[int]) -> list[str]:
    """Says which views do not last as long as the first."""
    first, said = views[0], []
    last = int(first.table.frames[-1]) - offsets[0]
    for one, offset in zip(views[1:], offsets[1:], strict=True):
        own = int(one.table.frames[-1]) - offset
        if own != last:
            said.append(
                f"{one.name} ends {counted(abs(own - last), 'frame')} "
                f"{'after' if own > last else 'before'} "
                f"{first.name}. If a camera lost frames in between, use --synchronise times."
            )
    return said


def _with_bones(fit: Fit, seen: Seen, wanted: Wanted, remarks: list[str]) -> tuple[Fit, list[Bone]]:
    if not wanted.bones:
        return fit, []
    names = {name: place for place, name in enumerate(seen.bodyparts)}
    edges = [(names[a], names[b]) for a, b in wanted.edges if a in names and b in names]
    if not edges:
        raise ValueError(
            "--bones needs a skeleton: none of its edges joins two of the bodyparts "
            f"{', '.join(seen.bodyparts)}. Add `skeleton:` to the project's config.yaml."
        )
    places, covariances = fit.places.copy(), fit.covariances.copy()
    learned: list[Bone] = []
    for animal in range(len(seen.individuals)):
        found = bones.learn(places[:, animal], covariances[:, animal], edges)
        learned = learned or found
        for start in range(0, len(places) if found else 0, _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            places[rows, animal], covariances[rows, animal] = bones.apply(
                places[rows, animal], covariances[rows, animal], found
            )
    if not learned:
        remarks.append(f"no edge of the skeleton keeps its length in {bones.FEWEST} instants")
    return fit._replace(places=places, covariances=covariances), learned


def _doubts(rig: Rig, views: Sequence[View], seen: Seen, fit: Fit) -> list[str]:
    there = np.all(np.isfinite(seen.pixels), axis=-1)
    # Only where the others agreed on a point.
    judged = there & np.all(np.isfinite(fit.places), axis=-1)[..., None]
    left_out = (judged & ~fit.used).sum(axis=(0, 1, 2)) / np.maximum(judged.sum(axis=(0, 1, 2)), 1)
    said = [
        f"{view.name} was left out of {share:.0%} of the points it saw: is its calibration, its "
        "offset or its film another one?"
        for view, share in zip(views, left_out, strict=True)
        if share > _OFTEN
    ]
    if not fit.used.any():
        said.append("no point was found: the views do not agree. Check --calibration, --offset.")
    sizes = [one.size for one in rig.cameras if one.size]
    if sizes and fit.used.any():
        off = float(np.median(fit.errors[fit.used]))
        if off > _FAR * np.hypot(*sizes[0]):
            said.append(
                f"the views are {off:.0f} px off in the median: are films or names of two cameras "
                "exchanged, or is the calibration another one?"
            )
    enlarged = seen.known & (fit.factors > 3)
    if enlarged.any():
        parts = ", ".join(name for name, odd in zip(seen.bodyparts, enlarged, strict=True) if odd)
        said.append(
            f"the views differ by {np.median(fit.factors[enlarged]):.1f} times what their models "
            f"promise ({parts}): radii were enlarged. Is the calibration still right?"
        )
    return said
