"""Points in space of a recording by several cameras."""

from typing import ClassVar

from beampose.core.infos.record import Info, Plain, Record


class ViewFigures(Record):
    """A view of a recording, and how well it agrees with the others.

    Attributes:
      view: the name of its camera.
      table: its predictions; `table_digest` of their numbers.
      offset: frames it is behind the first view.
      frames: instants in which it has a frame.
      seen: points of which it saw something; `left_out`: share of these that was not used.
      error_px: middle reprojection error of those used; None if none was.
    """

    view: str
    video: str
    video_fingerprint: str
    table: str
    table_digest: str
    offset: int
    frames: int
    seen: int
    left_out: float
    error_px: float | None


class PointFigures(Record):
    """Points in space of a bodypart.

    Attributes:
      found: share of instants in which it is found.
      radius: the middle one, in the unit of the calibration.
      deviation_px: of a sure prediction in a view, the mean of the views.
      agreement: share of points whose views differ no more than 90 % of points should.
    """

    found: float
    radius: float | None
    deviation_px: float
    agreement: float | None


class PointsInfo(Info):
    """Points in space of a recording.

    Attributes:
      calibration, calibration_digest: the file of the cameras; `calibration_error_px` as it says.
      settings: of the command.
      instants: rows of the tables.
      tied: points left open because two choices of views explain them alike.
      bones: by edge, the length that the data told, and its spread; empty without --bones.
      remarks: on what may make the results worse.
      matching: of several animals, how many windows were matched across views by what; `guessed`
        are instants from which on nothing decides.
    """

    NAME: ClassVar[str] = "points"
    VERB: ClassVar[str] = "triangulate"
    KEYS: ClassVar[tuple[str, ...]] = ("calibration", "views", "instants")

    calibration: str
    calibration_digest: str
    calibration_error_px: float | None
    views: list[ViewFigures]
    settings: Plain
    instants: int
    individuals: list[str]
    bodyparts: dict[str, PointFigures]
    tied: int
    bones: dict[str, list[float]] = {}
    remarks: list[str] = []
    matching: Plain | None = None
