"""Video frames by number, with exact accounting: every frame of a range is an image or a reason.

Frames count from 0 in display order. A range is read by a fresh decoder that seeks to the key frame
before it and recognises frames by their timestamps, so that ranges join without drift.
"""

import logging
from collections.abc import Container, Generator, Iterator, Sequence
from typing import Any, NamedTuple

import av
import numpy as np

from beampose.core import files, fingerprints
from beampose.core.answering import Unanswered
from beampose.preprocess import ahead, film_files, h264_fields, pixel_limit, tiff_stacks
from beampose.preprocess.tiff_stacks import Page

LOG = logging.getLogger(__name__)
# Of files in the containers below; TIFF stacks are films, too, see `is_video`.
SUFFIXES = (
    *(".mp4", ".avi", ".mov", ".webm", ".mkv", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts"),
    *(".3g2", ".3gp", ".264", ".265", ".apng", ".asf", ".av1", ".avc", ".divx", ".dv", ".f4v"),
    *(".flv", ".gif", ".h264", ".h265", ".hevc", ".insv", ".ivf", ".lrv", ".m1v", ".m2t"),
    *(".m2ts", ".m2v", ".mj2", ".mjpeg", ".mjpg", ".mk3d", ".mod", ".mpe", ".mpv", ".mxf"),
    *(".nut", ".obu", ".ogg", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".tod", ".ts", ".vob"),
    *(".xvid", ".y4m"),
)
# Frames decoded at indexing to see whether packets and frames carry the same timestamps.
_PROBED = 40
# How many frames before a range decoding begins, tried in turn until its first frame appears:
# 16 is the longest run of B-frames, 300 a common distance of key frames.
_BACKS = (0, 20, 300)
# Frames this far apart are sought one by one; on average a seek decodes half of the usual distance
# of key frames (250), and opens the file.
_FAR = 200


class Video(NamedTuple):
    """Index of a video, from a pass over its packets.

    Attributes:
      path: as given.
      width, height: pixels of a decoded frame, upright.
      fps: average frames a second, 0 if the file does not say.
      count: frames, by packets.
      times: timestamp of each frame in display order; empty if they cannot be trusted, as in avi
        with B-frames: such a video is read from its beginning.
      tick: seconds of one unit of `times`.
      declared: frames by the file's own header, 0 if it does not say.
      first: number of the frame that `times` begins with, see `window`.
      fingerprint: of the content, see `core.fingerprints`.
      zero: the first of all timestamps, which is second 0.
      pages: of a TIFF stack, that of each frame, from `first`; empty of other films.
      missing: seconds between the last frame and the end that the header says, where it tells no
        number of frames; 0 if they agree.
    """

    path: str
    width: int
    height: int
    fps: float
    count: int
    times: tuple[int, ...]
    tick: float = 0.0
    declared: int = 0
    first: int = 0
    fingerprint: str = ""
    zero: int = 0
    pages: tuple[Page, ...] = ()
    missing: float = 0.0

    @property
    def sought(self) -> bool:
        """True if a frame is reached without decoding all before it."""
        return bool(self.times or self.pages)


class Frame(NamedTuple):
    """A frame's number, and its pixels (uint8 height, width, 3, RGB) or None and the reason.

    A photograph of a burst may have boxes int32 (n, 4) of what moved, see `bursts`.
    """

    index: int
    pixels: np.ndarray | None
    failure: str = ""
    boxes: np.ndarray | None = None


def index(path: str) -> Video:
    """Counts the frames of a video without decoding them.

    Raises:
      ValueError: not a video, or one without frames; the text names the file.
    """
    if files.suffix(path) in tiff_stacks.SUFFIXES:
        return _stack(path)
    try:
        with film_files.opened(path) as container:
            # Before anything else is read: a file that changes meanwhile is found out by it.
            fingerprint = fingerprints.of_file(path)
            if not container.streams.video:
                raise ValueError(f"{path} holds no video stream.")
            stream = container.streams.video[0]
            film_files.tell_others(path, container)
            packets, halves = _packets(container, stream)
            # After a seek a file that lost packets may give other timestamps, and so do program
            # streams (mpg), where FFmpeg guesses those of most frames.
            said = stream.frames in (0, len(packets) + halves)
            steady = said and container.format.name != "mpeg"
            fps = float(stream.average_rate or stream.base_rate or 0)
            tick, declared = float(stream.time_base or 0), stream.frames
            if declared and said:
                # A header that counts fields tells their rate as well.
                fps *= len(packets) / declared
                declared = len(packets)
            seconds = 0.0 if declared else film_files.seconds(container)
        first, mirrored = _first_frames(path)
        if mirrored:
            film_files.tell_mirror(path)
    except av.FFmpegError as error:
        raise film_files.unreadable(path, error) from None
    except (pixel_limit.TooLarge, film_files.NoDecoder) as error:
        raise ValueError(f"{path} {error}.") from None
    # A cut without encoding leaves frames before the cut in the file, marked to be dropped.
    times = [pts for pts, dropped in packets if not dropped]
    if not times or not first:
        raise ValueError(
            f"{path} holds no frame that can be decoded: it is damaged, or its frames have more "
            f"than {pixel_limit.most_pixels(frames=True):,} pixels ({pixel_limit.SETTING})."
        )
    known = [t for t in times if t is not None]
    ordered = tuple(sorted(known))
    found = [t for t, _ in first]
    trusted = (
        steady
        and len(known) == len(times)
        and len(set(known)) == len(known)
        # A damaged frame may be absent.
        and found == [t for t in ordered if t in set(found)]
    )
    height, width = first[0][1]
    kept = ordered if trusted else ()
    zero = min(kept, default=0)
    return Video(
        *(path, width, height, fps, len(times), kept, tick, declared),
        fingerprint=fingerprint,
        zero=zero,
        # Headers count from second 0 or from the first frame, which may come later.
        missing=_missing(seconds, (kept[-1] - min(zero, 0)) * tick, fps) if kept else 0.0,
    )


def _packets(container: Any, stream: Any) -> tuple[list[tuple[int | None, bool]], int]:
    """Timestamp of each frame and whether it is dropped, and the number of second fields."""
    found, halves = [], 0
    context, fields = stream.codec_context, None
    if context is not None and context.name == "h264":
        fields = h264_fields.SecondFields(context.extradata)
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if fields and fields.possible and fields.is_second(bytes(packet)):
            halves += 1
        else:
            found.append((packet.pts, packet.is_discard))
    return found, halves


def _missing(said: float, last: float, fps: float) -> float:
    """Seconds without frames at the end; an end within a few frames is no matter."""
    left = said - last - 1 / fps if fps else 0.0
    return left if left > max(0.5, 5 / (fps or 1), 0.01 * said) else 0.0


def is_video(path: str) -> bool:
    """Whether a file is one by its suffix; of a TIFF its pages decide: several are a film."""
    return files.suffix(path) in SUFFIXES or tiff_stacks.is_stack(path)


def _stack(path: str) -> Video:
    if not files.is_in_storage(path):
        raise ValueError(f"{path} is a web address: download it first.")
    fingerprint = fingerprints.of_file(path)
    try:
        found = tiff_stacks.index(path)
        pixel_limit.check(found.width, found.height, frames=True)
    except pixel_limit.TooLarge as error:
        raise ValueError(f"{path} {error}.") from None
    if len(found.pages) == 1:
        raise ValueError(f"{path} holds one image: it is a photograph, not a film.")
    for note in found.notes:
        LOG.warning("NOTE %s: %s", path, note)
    return Video(
        *(path, found.width, found.height, found.fps, len(found.pages), ()),
        declared=found.said,
        fingerprint=fingerprint,
        pages=found.pages,
    )


def declared(path: str) -> int:
    """Frames of a video by its header alone, without reading it; 0 if that does not tell.

    Raises:
      ValueError: not a video.
    """
    if files.suffix(path) in tiff_stacks.SUFFIXES:
        return len(tiff_stacks.index(path).pages)
    try:
        with film_files.opened(path) as container:
            if not container.streams.video:
                return 0
            stream = container.streams.video[0]
            rate = float(stream.average_rate or stream.base_rate or 0)
            seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
            seconds = seconds or (container.duration or 0) / av.time_base
            return stream.frames or round(seconds * rate)
    except av.FFmpegError as error:
        raise film_files.unreadable(path, error) from None


def frame_size(path: str) -> tuple[int, int]:
    """Height and width of a video's frames by its header alone; rotation is not looked at.

    Raises:
      ValueError: not a video.
    """
    if files.suffix(path) in tiff_stacks.SUFFIXES:
        stack = tiff_stacks.index(path)
        return stack.height, stack.width
    try:
        with film_files.opened(path) as container:
            if not container.streams.video:
                raise ValueError(f"{path} holds no video.")
            width, height = film_files.size(container.streams.video[0])
            return height, width
    except film_files.NoDecoder as error:
        raise ValueError(f"{path} {error}.") from None
    except av.FFmpegError as error:
        raise film_files.unreadable(path, error) from None


def window(video: Video, start: int, stop: int) -> Video:
    """The same video with the timestamps or pages alone that reading `start` to `stop` asks for.

    Those of a day of film are many megabytes, which need not travel with every range.
    """
    if video.pages:
        return video._replace(
            pages=video.pages[start - video.first : stop - video.first], first=start
        )
    first = max(start - max(_BACKS), video.first)
    if not video.times:
        return video
    return video._replace(times=video.times[first - video.first : stop - video.first], first=first)


def read(
    video: Video, start: int, stop: int, only: Container[int] | None = None
) -> Iterator[Frame]:
    """Frames `start` to `stop` (not included), or `only` some of them; in order, each once."""
    numbers = (i for i in range(start, stop) if only is None or i in only)
    expected = next(numbers, None)
    if expected is None:
        return
    for number, pixels in _decode(video, expected, stop, only):
        while expected is not None and expected < number:
            yield Frame(expected, None, "the decoder gave no such frame")
            expected = next(numbers, None)
        if pixels is None:
            yield Frame(number, None, "the frame is damaged")
        elif pixels.shape[:2] != (video.height, video.width):
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            yield Frame(number, None, f"is {size}, not {video.width}x{video.height}")
        else:
            yield Frame(number, pixels)
        expected = next(numbers, None)
    while expected is not None:
        yield Frame(expected, None, "the video ends or breaks before this frame")
        expected = next(numbers, None)


def read_some(video: Video, numbers: Sequence[int]) -> Iterator[Frame]:
    """Frames of these numbers, which rise; what lies far between two of them is not decoded."""
    first = 0
    for i, number in enumerate(numbers, 1):
        # Without timestamps every range is decoded from the beginning of the video.
        if i == len(numbers) or (video.times and numbers[i] - number > _FAR):
            start, stop = numbers[first], number + 1
            yield from read(window(video, start, stop), start, stop, set(numbers[first:i]))
            first = i


def read_ahead(
    video: Video, start: int, stop: int, depth: int, only: Container[int] | None = None
) -> Generator[Frame, None, None]:
    """`read` in a thread, at most `depth` frames ahead of the consumer."""
    return ahead.ahead(read(video, start, stop, only), depth)


def _first_frames(path: str) -> tuple[list[tuple[int | None, tuple[int, int]]], bool]:
    """Timestamp and height, width of the first frames, and whether the header mirrors them."""
    found, mirrored = [], False
    with film_files.opened(path) as container:
        film_files.set_up(container)
        for frame in film_files.decoded(container):
            mirrored, turns = film_files.upright(frame)
            size = (frame.width, frame.height) if turns % 2 else (frame.height, frame.width)
            found.append((frame.pts, size))
            if len(found) == _PROBED:
                break
    return found, mirrored


def _decode(
    video: Video, start: int, stop: int, only: Container[int] | None
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Numbers and pixels (None if damaged) of what the decoder gives inside a range, in order."""
    if video.pages:
        yield from _decode_pages(video, start, stop, only)
        return
    if video.times:
        stop = min(stop, video.first + len(video.times))
    if start >= stop:
        return
    # A seek may land after the frames asked for: on the key frame they precede (open groups of
    # pictures, B-frames in avi), or between key frames (mpeg and transport streams).
    origins = [start - back for back in _BACKS if start > back] if video.times else []
    for origin in [*origins, 0]:
        found = _decode_from(video, origin, start, stop, only)
        first = next(found, None)
        if origin == 0 or (first is not None and first[0] == start and first[1] is not None):
            if first is not None:
                yield first
            yield from found
            return


def _decode_pages(
    video: Video, start: int, stop: int, only: Container[int] | None
) -> Iterator[tuple[int, np.ndarray | None]]:
    last = min(stop, video.first + len(video.pages))
    numbers = [i for i in range(start, last) if only is None or i in only]
    wanted = [(i, video.pages[i - video.first]) for i in numbers]
    try:
        for number, pixels, _ in tiff_stacks.decoded(video.path, wanted):
            yield number, pixels
    except Unanswered:
        raise
    except OSError:
        # Accounted for by the caller, frame by frame.
        return


def _decode_from(
    video: Video, origin: int, start: int, stop: int, only: Container[int] | None
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Decodes the frames of a range, starting at the key frame before `origin`."""
    numbers: dict[int | None, int] | None = None
    if video.times:
        numbers = {time: video.first + i for i, time in enumerate(video.times)}
        end = video.times[stop - 1 - video.first]
    try:
        with film_files.opened(video.path) as container:
            stream = film_files.set_up(container)
            if origin:
                # The first packet may say which encoder to make allowance for: 4:4:4 H.264 of old
                # x264 decodes to noise without it (openfield's m3v1mp4.mp4).
                next(film_files.decoded(container), None)
                container.seek(
                    video.times[origin - video.first], stream=stream, backward=True, any_frame=False
                )
            last = -1
            # Without a sound key frame decoders draw on gray. The file's first frame is trusted.
            keyed = not origin
            for count, frame in enumerate(film_files.decoded(container, strict=numbers is None)):
                keyed = keyed or bool(frame.key_frame and not frame.is_corrupt)
                number = count if numbers is None else numbers.get(frame.pts, -1)
                if number >= stop or (numbers and frame.pts is not None and frame.pts > end):
                    return
                if number < start or number <= last or not keyed:
                    continue
                last = number
                if only is not None and number not in only:
                    continue
                yield number, None if frame.is_corrupt else film_files.pixels(frame)
    except Unanswered:
        raise
    except film_files.UNREADABLE:
        # What is missing is accounted for by the caller, frame by frame.
        return
