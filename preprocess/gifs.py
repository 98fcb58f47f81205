"""GIFs: one picture is a photograph, several are a film."""

from beampose.core import files
from beampose.core.answering import Unanswered
from beampose.preprocess import decoding

SUFFIX = ".gif"


def is_photo(path: str) -> bool:
    """Whether a file is a GIF of one picture; False of what cannot be read."""
    if files.suffix(path) != SUFFIX:
        return False
    try:
        with (
            files.open_file(path) as stream,
            decoding.refused(),
            decoding.opened(stream, decoding.PHOTOS) as image,
        ):
            return not getattr(image, "is_animated", False)
    except Unanswered:
        raise
    except (OSError, ValueError):
        return False
