"""Times of the frames of a video whose rate varies, beside its rows: `<stem>_times.csv`.

Numbers of frames over the average rate are times only where frames come evenly, as they do not from
telephones, webcams and cameras that skip what does not change.
"""

import numpy as np
from upath import UPath

from beampose.core import storage
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict.predictor import Result
from beampose.preprocess.stills import Stills

ENDING = "_times.csv"
# Of a range, beside what the model says.
SECONDS = "seconds"
# A frame may be off its even place by this many ticks of the clock, which rounds, or by this share
# of the time from frame to frame.
_TICKS, _SHARE = 1.5, 0.1


def with_times(part: Range, result: Result) -> Result:
    """A result of a video's range with the seconds of its frames, if they can be trusted."""
    video = part.video
    if isinstance(video, Stills) or not video.times or not video.tick:
        return result
    ticks = [video.times[number - video.first] - video.zero for number in part.frames]
    seconds = np.array(ticks, np.float64) * video.tick
    return result._replace(arrays={**result.arrays, SECONDS: seconds})


def apart(result: Result) -> tuple[Result, np.ndarray | None]:
    """A result as its predictor made it, and the seconds of its frames."""
    arrays = dict(result.arrays)
    seconds = arrays.pop(SECONDS, None)
    return result._replace(arrays=arrays), seconds


def vary(frames: np.ndarray, seconds: np.ndarray, tick: float) -> bool:
    """Whether frames come at a rate that varies.

    Args:
      frames: numbers of the frames, in order.
      seconds: of each.
      tick: seconds of one unit of the file's clock.
    """
    if len(frames) < 3:
        return False
    each = (seconds[-1] - seconds[0]) / (frames[-1] - frames[0])
    even = seconds[0] + (frames - frames[0]) * each
    return bool(np.abs(seconds - even).max() > max(_TICKS * tick, _SHARE * each))


def write(stem: UPath, frames: np.ndarray, seconds: np.ndarray) -> None:
    """A row for each frame: its number and when it is shown, the first of the video at 0."""
    rows = (f"{n},{s:.6f}\n" for n, s in zip(frames.tolist(), seconds.tolist(), strict=True))
    file = stem.with_name(stem.name + ENDING)
    storage.write_text(file, "frame,seconds\n" + "".join(rows))
