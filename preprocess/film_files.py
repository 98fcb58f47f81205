"""Files of films as FFmpeg opens them: which containers, what they may name, how large they are."""

import contextlib
import logging
import math
import struct
from collections.abc import Iterator
from typing import Any, cast

import av
import numpy as np
from av.stream import Disposition

from beampose.core import file_kinds, files
from beampose.preprocess import pixel_limit

LOG = logging.getLogger(__name__)
# FFmpeg's names of the containers that are read. Others name files or addresses to be played
# (playlists, scripts of joins, streams), or record this machine's screen.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "avi",
    "matroska,webm",
    "mpegts",
    "mpeg",
    "asf",
    "flv",
    "ogg",
    "mxf",
    "dv",
    "nut",
    "ivf",
    "rm",
    "gif",
    "apng",
    "yuv4mpegpipe",
    # Pictures in a row, without a container.
    "h264",
    "hevc",
    "m4v",
    "mpegvideo",
    "mjpeg",
    "obu",
)
# Of a path alone: FFmpeg would take `http:`, `concat:` and others for orders.
_OPTIONS = {
    "format_whitelist": ",".join(_CONTAINERS),
    "protocol_whitelist": "file",
    # Of the frame that tells what the container does not; `set_up` has the limit of all others.
    "max_pixels": str(pixel_limit.MOST),
}
# Titles and the like are not read, and may be of any encoding; PyAV 19 takes them as they are.
_TITLES: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)
# Of these the length is what the header says, not what was found in the file.
_LENGTHS = ("matroska,webm", "flv")
# How files that name others begin.
_LISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"v=0", b"[playlist]", b"[Reference]")
UNREADABLE = (av.FFmpegError, OSError, ValueError)


class NoDecoder(ValueError):
    """FFmpeg has no decoder for a stream."""


@contextlib.contextmanager
def opened(path: str) -> Iterator[Any]:
    """A container of a path or an address; of an address only the parts that are used are read.

    Raises:
      ValueError: it is a web address, or no file.
    """
    with contextlib.ExitStack() as stack:
        if not files.is_in_storage(path):
            raise ValueError(f"{path} is a web address: download it first.")
        if files.is_address(path):
            source: Any = stack.enter_context(files.open_file(path))
        else:
            files.check_file(path)
            source = f"file:{path}"
        found = av.open(source, options=dict(_OPTIONS), **_TITLES)
        yield stack.enter_context(found)


def set_up(container: Any) -> Any:
    """The stream whose frames are decoded, by threads, within the limit of pixels."""
    stream = container.streams.video[0]
    pixel_limit.check(*size(stream), frames=True)
    stream.thread_type = "AUTO"
    # Frames may be larger than their container says, and a stream may change its size on the way.
    stream.codec_context.options = {"max_pixels": str(pixel_limit.most_pixels(frames=True))}
    return stream


def decoded(container, strict: bool = False) -> Iterator[av.VideoFrame]:
    """Decodes frames; continues after damaged packets unless `strict`."""
    stream = container.streams.video[0]
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            if strict:  # Frames are numbered by counting, and one of them is lost.
                return
            continue
        yield from frames


def pixels(frame: av.VideoFrame) -> np.ndarray:
    """Upright, uint8 (height, width, 3), RGB."""
    found = frame.to_ndarray(format="rgb24")
    mirrored, quarter_turns = upright(frame)
    if not (mirrored or quarter_turns):
        return found
    return np.ascontiguousarray(np.rot90(found[:, ::-1] if mirrored else found, quarter_turns))


def upright(frame: av.VideoFrame) -> tuple[bool, int]:
    """Whether left and right are changed first, and quarter turns counterclockwise then: phones
    film sideways, some cameras as a mirror, and say so in the file."""
    # Looked up by its name: what the container iterates over differs from version to version.
    matrix = cast(Any, frame.side_data).get("DISPLAYMATRIX")
    if matrix is None:
        return False, 0
    # A point (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    mirrored = a * d - b * c < 0
    sign = -1 if mirrored else 1
    return mirrored, round(-math.degrees(math.atan2(sign * b, sign * a)) / 90) % 4


def size(stream: Any) -> tuple[int, int]:
    """Width and height of a stream. Raises NoDecoder: its encoding is not known."""
    if stream.codec_context is None:
        raise NoDecoder("holds a video stream of an encoding that is not read")
    return stream.width, stream.height


def seconds(container: Any) -> float:
    """Seconds of the film by what Matroska and Flash write into their headers, 0 if not known.

    The whole file's are those of the longest stream, so they count only where it has one.
    """
    hours, *rest = container.streams.video[0].metadata.get("DURATION", "").split(":")
    try:
        return float(hours) * 3600 + float(rest[0]) * 60 + float(rest[1])
    except (ValueError, IndexError):
        alone = len(container.streams) == 1 and container.format.name in _LENGTHS
        return (container.duration or 0) / av.time_base if alone else 0.0


def tell_others(path: str, container: Any) -> None:
    """Says that a file holds several films, of which the first is read; a cover is none."""
    films = [
        one
        for one in container.streams.video
        if not int(one.disposition) & int(Disposition.attached_pic)
    ]
    if len(films) > 1:
        known = ["x".join(map(str, size(one))) if one.codec_context else "?" for one in films]
        sizes = ", ".join(known)
        LOG.warning(
            "NOTE %s: holds %d films (%s), of which the first is read", path, len(films), sizes
        )


def tell_mirror(path: str) -> None:
    """Says that other programs show a film otherwise, which only turn it by its header.

    OpenCV 4 takes the angle of the matrix alone, which is 180 degrees of one that exchanges left
    and right, and 0 of one that exchanges up and down.
    """
    LOG.warning(
        "NOTE %s: its header mirrors it, and it is read as players show it. DeepLabCut and OpenCV "
        "do not mirror it: left and right, or up and down, are exchanged in labels and predictions "
        "made there, which do not fit. Draw the mirror into the frames (ffmpeg -i FILM NEW.mp4), "
        "and use NEW.mp4 in all programs",
        path,
    )


def unreadable(path: str, error: av.FFmpegError) -> ValueError:
    """The error that says why FFmpeg cannot read a file."""
    return ValueError(f"{path} cannot be read as a video: {_why(path, error)}.")


def _why(path: str, error: av.FFmpegError) -> str:
    try:
        # Not by a file that is opened: in a bucket that is two more questions.
        start = next(iter(files.read_pieces(path, [(0, file_kinds.BEGINNING)])))
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_LISTS):
            return "it names other files to be played; give those"
        if file_kinds.is_blank(start):
            what = "begins with nothing but zeros" if start else "is empty"
            return f"it {what}, as a copy that did not end: copy it again"
        kind = file_kinds.name(start)
        if kind and "film" not in kind:
            return f"it is {kind}, none of the formats that are read"
        if isinstance(error, av.InvalidDataError):
            return _damage(kind)
    except OSError:
        pass
    # What FFmpeg says of a container that is not in the list.
    unknown = isinstance(error, av.ArgumentError)
    return "it has none of the formats that are read" if unknown else str(error.strerror)


def _damage(kind: str) -> str:
    """Why data that FFmpeg calls invalid may be that."""
    if kind == file_kinds.MP4:
        return (
            f"it is {kind} without the list of its frames, which comes last: a recording or a copy "
            "did not end. Copy it again, or repair it with the camera's program"
        )
    if kind:
        return f"it is {kind} whose beginning is damaged: copy it again"
    return "it is no film of any format that is read, or its beginning is damaged"
