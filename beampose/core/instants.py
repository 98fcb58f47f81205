"""Which labeled images show one instant in several views, by their names."""

import re
from collections.abc import Sequence


def view_of(name: str, views: Sequence[str]) -> str | None:
    """The view that the name of a video has as a word of its own; None where it has none.

    `trial1-left` is of the view left, `leftover` is not.
    """
    found = [view for view in views if _word(view).search(name)]
    # Of views called cam1 and cam1-top the longer name says more.
    return max(found, key=len) if found else None


def instant(video: str, image: str, views: Sequence[str]) -> tuple[str, str]:
    """Names an instant: the video's name without its view, and the image's without its folders.

    Images of videos that are called alike but for the view, with files called alike, are one
    instant.
    """
    view = view_of(video, views)
    bare = image.replace("\\", "/").rpartition("/")[2]
    if view is None:
        return video, bare
    return _word(view).sub("*", video, count=1), _word(view).sub("*", bare, count=1)


def group(video: str, image: str, views: Sequence[str]) -> str | None:
    """The instant of an image as one name; None where its video's name has no view."""
    if view_of(video, views) is None:
        return None
    return "/".join(instant(video, image, views))


def _word(view: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(view)}(?![^\W_])")
