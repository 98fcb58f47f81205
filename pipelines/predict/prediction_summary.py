"""The summary of a video or of a set of images: what was predicted, of what, and how it went."""

import time
from collections.abc import Sequence

import numpy as np

from beampose.core import __version__, files
from beampose.core.infos import PredictionInfo
from beampose.core.infos.video_info import Failure
from beampose.core.wording import counted
from beampose.pipelines.predict import still_ranges
from beampose.pipelines.predict.job_output import Output
from beampose.pipelines.predict.predictor import Results
from beampose.preprocess import stills
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Video


def of_stills(summary: PredictionInfo, source: Stills, results: Results) -> PredictionInfo:
    """The summary with the images' names where one failed."""
    known = sum(still.before >= 0 for still in stills.listed(source.listing))
    lost = {one.frame for one in summary.failures}
    names = {
        row.number: row.still.name
        for row in (still_ranges.rows(source, results) if lost else ())
        if row.number in lost
    }
    failures = [one.replace(image=names[one.frame]) for one in summary.failures]
    said = {"images_root": source.root, "images": source.count, "images_from_before": known}
    return summary.replace(failures=failures, **said)


def of_video(
    output: Output,
    name: str,
    video: Video | Stills,
    frames: np.ndarray,
    failures: Sequence[tuple[int, str]],
) -> PredictionInfo:
    decoded = len(frames) - len(failures)
    if isinstance(video, Stills):
        size, header, differ, fps, height, width = video.bytes, None, "", None, 0, 0
    else:
        size, header = files.size(video.path), video.declared or None
        differ = _difference(video, len(frames), decoded)
        fps, height, width = video.fps, video.height, video.width
    return PredictionInfo(
        made_by=f"beampose {__version__} predict",
        video=video.path,
        video_bytes=size,
        video_fingerprint=video.fingerprint,
        name=name,
        frames_by_header=header,
        frames_by_packets=video.count,
        frames_chosen=len(frames),
        frames_decoded=decoded,
        frames_differ=differ,
        rows=len(frames),
        failures=[Failure(frame=i, why=why) for i, why in failures],
        fps=fps,
        height=height,
        width=width,
        model_digest=output.model_digest,
        settings=output.settings,
        settings_digest=output.settings_digest(video.path),
        finished=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )


def _difference(video: Video, chosen: int, decoded: int) -> str:
    """In which way the counts of a video's frames disagree; nothing if they agree."""
    said = []
    if video.declared and video.declared != video.count:
        said.append(
            f"the header says {counted(video.declared, 'frame')}, the file holds {video.count}"
        )
    if video.missing:
        said.append(
            f"the header says that it goes on for {video.missing:.1f} s after the last frame: was "
            "it cut off?"
        )
    if decoded != chosen:
        said.append(f"{chosen} were requested, {decoded} could be decoded")
    return "; ".join(said)
