"""Uploads that became models."""

from typing import ClassVar

from beampose.core.infos.record import Info, Plain


class UploadInfo(Info):
    """The result of an uploaded zip that `beampose watch` or the service worked on.

    Attributes:
      upload, generation: the zip, and its version.
      attempt: number of the one that succeeded.
      started, updated: UTC.
      metrics: note, images by split, held-out figures.
      problems: labels that could not be used, or not in full.
    """

    NAME: ClassVar[str] = "upload"
    VERB: ClassVar[str] = "watch"
    KEYS: ClassVar[tuple[str, ...]] = ("upload", "generation", "attempt")

    upload: str
    generation: str
    attempt: int
    started: str
    updated: str
    error: str | None = None
    metrics: Plain
    problems: int
