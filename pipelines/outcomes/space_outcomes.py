"""Results of several cameras: points in space."""

import base64
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from beampose.core import texts
from beampose.core.infos import PointsInfo
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.outcome import Outcome, Rows
from beampose.preprocess.points import Points

# How frames of several cameras are put together.
WAYS = ("number", "times", "light", "motion")


@dataclasses.dataclass(frozen=True, repr=False)
class Triangulated(Outcome):
    """Points in space of a recording.

    Attributes:
      points: in memory.
      info: figures of views and bodyparts, as in the json beside the tables.
      files: paths of the tables, plots and films.
    """

    points: Points
    info: PointsInfo
    files: list[str]

    @property
    def passed(self) -> bool:
        return any(one.found for one in self.info.bodyparts.values())

    def lines(self) -> Iterator[str]:
        info = self.info
        for one in info.views:
            error = "no error known" if one.error_px is None else f"{one.error_px:.2f} px off"
            counts = (
                f"{counted(one.frames, 'frame')}, {counted(one.seen, 'point')}, "
                f"{one.left_out:.1%} left out"
            )
            yield texts.printable(f"{one.view}: {counts}, {error}")
        shares = [one.found for one in info.bodyparts.values()]
        radii = sorted(one.radius for one in info.bodyparts.values() if one.radius is not None)
        middle = radii[len(radii) // 2] if radii else float("nan")
        yield (
            f"{counted(info.instants, 'instant')}, {sum(shares) / max(len(shares), 1):.1%} of "
            "points found, "
            f"radius of nine in ten errors {middle:.3g} (in the unit of the calibration)"
        )
        if info.tied:
            yield f"{counted(info.tied, 'point')} left open: it is not clear which view is wrong"
        yield from (texts.printable(f"NOTE: {remark}") for remark in info.remarks)
        yield from (texts.printable(f"triangulate: {file}") for file in self.files)

    def tables(self) -> Iterator[Rows]:
        cells = [[name, one.found, one.radius] for name, one in self.info.bodyparts.items()]
        yield Rows(("bodypart", "found", "radius"), cells)

    def _repr_html_(self) -> str:
        pictures = [Path(file) for file in self.files if file.endswith(".png")]
        data = [base64.b64encode(one.read_bytes()).decode() for one in pictures if one.is_file()]
        tags = [f'<img src="data:image/png;base64,{one}" style="max-width: 60%">' for one in data]
        return "".join(tags) + super()._repr_html_()


def triangulate(
    config: Config,
    views: Sequence[tuple[str, str]],
    calibration: str | None,
    progress: Callable[[Iterable, int, str], Iterable],
    *,
    film: bool = False,
    **asked: Any,
) -> Triangulated:
    """Finds points in space from the predictions of views, and writes them.

    Args:
      views: names of cameras with their videos.
      calibration: None: the config's.
      film: whether to draw films.
      asked: `to` and `filtered` of `triangulation.run`, and what `Wanted` has.

    Raises:
      FileNotFoundError: a video or the calibration is not there.
      ValueError: something does not fit; the text says what.
    """
    from beampose.pipelines.films import labeled_films
    from beampose.pipelines.space import space_page, triangulation
    from beampose.pipelines.space.recordings import Wanted

    calibration = calibration or config.cameras.calibration
    if calibration is None:
        raise ValueError(
            "triangulate needs the cameras' calibration: give --calibration FILE, or set "
            "cameras.calibration in the config."
        )
    to, filtered = asked.pop("to", None), asked.pop("filtered", False)
    _check(asked)
    wanted = Wanted(
        pcutoff=config.predict.pcutoff,
        edges=tuple((a, b) for a, b in labeled_films.skeleton(config)),
        appearance=config.cameras.appearance != "none",
        **asked,
    )
    done = triangulation.run(config, views, calibration, wanted, to=to, filtered=filtered)
    made = [*done.files, *space_page.write(done, config)]
    if film:
        made += space_page.films(done, config, progress)
    return Triangulated(done.recording.points, done.info, made)


def _check(asked: Mapping[str, Any]) -> None:
    """Raises ValueError for an option of another name, or another way to synchronise."""
    known = ("synchronise", "offsets", "max_error", "smooth", "bones")
    if unknown := sorted(set(asked) - set(known)):
        raise ValueError(f"triangulate has no option {unknown[0]!r}; it has {', '.join(known)}.")
    way = asked.get("synchronise", "number")
    if way not in WAYS:
        raise ValueError(f"synchronise must be one of {', '.join(WAYS)}. Received: {way!r}.")


def named(views: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Views by name as `triangulate` takes them.

    Raises:
      ValueError: fewer than two.
    """
    found = [(name, str(path)) for name, path in views.items()]
    if len(found) < 2:
        raise ValueError(f"views must hold two cameras at least. Received: {len(found)}.")
    return found
