"""The frames of ranges of one video, from one decoder."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from beampose.pipelines.manifest import Range
from beampose.preprocess import stills, videos
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Frame

# Batches that may wait for frames of their shape.
_WAITING = 4


def _images(part: Range, depth: int) -> Iterator[Frame]:
    assert isinstance(part.video, Stills)
    return (one.frame for one in stills.read(part.video, part.frames, depth))


def split(parts: Sequence[Range], lead: int, depth: int) -> Iterator[tuple[Range, Iterator[Frame]]]:
    """The frames of ranges of one video, each range preceded by the frames that warm up for it.

    Args:
      parts: in order.
      lead: the most frames that a range has before it.
      depth: frames that wait for the consumer.
    """
    video = parts[0].video
    if isinstance(video, Stills):
        yield from ((part, _images(part, depth)) for part in parts)
        return
    wanted: set[int] = set()
    for part in parts:
        wanted.update(part.before)
        wanted.update(part.frames)
    stream = videos.read_ahead(video, min(wanted), parts[-1].stop, depth, wanted)
    # Where one decoder serves several ranges, the end of one is what the next begins with.
    recent: deque[Frame] = deque(maxlen=lead if len(parts) > 1 else 0)

    def of(part: Range) -> Iterator[Frame]:
        before = set(part.before)
        yield from [f for f in recent if f.index in before]
        shown = before.union(part.frames)
        for frame in stream:
            recent.append(frame)
            if frame.index in shown:
                yield frame
            if frame.index == part.stop - 1:
                return

    try:
        for part in parts:
            yield part, of(part)
    finally:
        stream.close()


def batches(
    frames: Iterable[Frame], size: int, failures: list[tuple[int, str]]
) -> Iterator[list[Frame]]:
    """Frames that have pixels, `size` of one shape at a time; of the others number and reason are
    added to the failures.

    Frames of a video have one shape, and stay in order; photographs of other shapes wait for more.
    """
    waiting: dict[tuple[int, ...], list[Frame]] = {}
    for frame in frames:
        if frame.pixels is None:
            failures.append((frame.index, frame.failure))
            continue
        shape = frame.pixels.shape
        batch = waiting.setdefault(shape, [])
        batch.append(frame)
        if len(batch) == size:
            yield waiting.pop(shape)
        elif sum(map(len, waiting.values())) >= _WAITING * size:
            yield waiting.pop(max(waiting, key=lambda one: len(waiting[one])))
    yield from waiting.values()
