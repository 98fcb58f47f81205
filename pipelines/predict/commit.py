"""Results of ranges, kept whole or not at all, and put together to the files of a video."""

import json
import time
import zipfile
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from upath import UPath

from pipelines.outputs import deeplabcut
from pipelines.predict.manifest import Range
from preprocess import files
from preprocess.videos import Video
from trainer import artefacts

WORK = ".ranges"
FAILURES_FILE = "failures.jsonl"


class Output(NamedTuple):
    """Where results go and under whose name; `uncertainty` as in the model's info.json."""

    folder: str
    scorer: str
    bodyparts: tuple[str, ...]
    model_digest: str
    config: dict[str, Any]
    uncertainty: dict[str, Any] | None = None


def range_file(output: Output, part: Range) -> UPath:
    """File of a range's results; another model or another video gives another file."""
    video = part.video
    identity = [video.path, files.size(video.path), video.count, output.model_digest]
    file = f"{part.start:09d}-{part.stop:09d}.npz"
    return artefacts.place(output.folder, WORK, part.name, artefacts.digest(identity)[:16], file)


def save_range(file: UPath, keypoints: np.ndarray, failures: list[tuple[int, str]]) -> None:
    """Keeps (frames, bodyparts, 3 or 4) and the reasons of failures.

    The columns are x, y, likelihood and, of several heads, spread; NaN where a frame failed.
    """
    with artefacts.replacing(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, keypoints=keypoints, failures=np.array(json.dumps(failures)))


def load_range(file: UPath) -> tuple[np.ndarray, list[tuple[int, str]]] | None:
    """What `save_range` kept, or None if there is nothing usable."""
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as saved:
            failures = [(int(i), str(why)) for i, why in json.loads(str(saved["failures"]))]
            return saved["keypoints"], failures
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def summary_file(output: Output, name: str) -> UPath:
    return artefacts.place(output.folder, f"{name}{output.scorer}.json")


def stem_of(summary: UPath) -> UPath:
    """What the files of a video begin with, from its summary file."""
    return summary.with_suffix("")


def finished(output: Output, name: str, video: Video) -> bool:
    """Whether the files of a video are there, from this model and this video."""
    file = summary_file(output, name)
    if not file.is_file():
        return False
    summary = artefacts.read_json(file)
    return (
        summary.get("model_digest") == output.model_digest
        and summary.get("video_bytes") == files.size(video.path)
        and file.with_suffix(".h5").is_file()
        and file.with_suffix(".csv").is_file()
    )


def assemble(output: Output, name: str, video: Video, parts: list[Range]) -> dict[str, Any]:
    """Joins the ranges of a video, writes its files and counts; repeatable.

    Raises:
      RuntimeError: a range is missing, or rows and frames differ.
    """
    pieces, failures = [], []
    for part in sorted(parts, key=lambda part: part.start):
        loaded = load_range(range_file(output, part))
        if loaded is None:
            raise RuntimeError(f"{video.path}: frames {part.start} to {part.stop} have no result.")
        pieces.append(loaded[0])
        failures += loaded[1]
    keypoints = np.concatenate(pieces)
    if len(keypoints) != video.count:
        raise RuntimeError(
            f"{video.path}: {len(keypoints)} rows for {video.count} frames. Please report this."
        )
    file = summary_file(output, name)
    table = deeplabcut.table(keypoints[..., :3], output.scorer, output.bodyparts)
    deeplabcut.write(table, stem_of(file))
    if keypoints.shape[-1] > 3:
        _write_spread(keypoints[..., 3], output, stem_of(file))
    deeplabcut.write_meta(
        stem_of(file),
        scorer=output.scorer,
        fps=video.fps,
        height=video.height,
        width=video.width,
        frames=video.count,
        config=output.config,
    )
    missing = int(np.isnan(keypoints).all(axis=(1, 2)).sum())
    summary = {
        "video": video.path,
        "video_bytes": files.size(video.path),
        "name": name,
        "frames_by_packets": video.count,
        "frames_decoded": video.count - len(failures),
        "rows": len(keypoints),
        "rows_without_result": missing,
        "failures": [{"frame": i, "why": why} for i, why in failures],
        "fps": video.fps,
        "height": video.height,
        "width": video.width,
        "scorer": output.scorer,
        "model_digest": output.model_digest,
        "uncertainty": output.uncertainty,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    artefacts.write_json(file, summary)
    artefacts.remove(range_file(output, parts[0]).parent)
    return summary


def _write_spread(spread: np.ndarray, output: Output, stem: UPath) -> None:
    """`<stem>_spread.csv`: pixels by which the heads of the model disagree, a row a frame."""
    with artefacts.replacing(stem.with_name(f"{stem.name}_spread.csv")) as temporary:
        frame = pd.DataFrame(spread, columns=pd.Index(output.bodyparts))
        frame.to_csv(temporary, index_label="frame", float_format="%.3f")
