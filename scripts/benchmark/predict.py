"""Video prediction against a plain loop over the same SavedModel; prints one JSON line.

Usage: python scripts/benchmark/predict.py CONFIG VIDEO [--frames 500]
CONFIG names a trained pose model. The Beam side runs on a copy of the video's first frames, with
its start-up, and writes its results to a folder that is removed again.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import sides

SIDES = ("decode", "plain", "beam", "beam_by_frame")


def parser() -> argparse.ArgumentParser:
    made = sides.parser(__doc__, SIDES)
    made.add_argument("config", nargs="?", help="config of a trained pose model")
    made.add_argument("video", nargs="?", help="a video")
    return made


def main() -> int:
    arguments = parser().parse_args()
    if arguments.side:
        run_side(arguments.side, Path(arguments.folder))
        return 0
    if not (arguments.config and arguments.video):
        parser().error("CONFIG and VIDEO are needed.")
    with tempfile.TemporaryDirectory() as folder:
        frames, size = cut(arguments.video, Path(folder) / "video.mp4", arguments.frames)
        (Path(folder) / "config").write_text(str(Path(arguments.config).absolute()))
        results = {side: sides.run(__file__, side, folder) for side in SIDES}
    ratio = results["beam_by_frame"]["frames_per_s"] / results["plain"]["frames_per_s"]
    print(json.dumps({"frames": frames, "size": size, **results, "ratio": round(ratio, 3)}))
    return 0


def cut(video: str, target: Path, frames: int) -> tuple[int, str]:
    """Copies the first packets of a video, without coding them again; from the start if too few."""
    import av

    written = offset = 0
    with av.open(video) as source, av.open(str(target), "w") as copy:
        stream = source.streams.video[0]
        out = copy.add_stream_from_template(stream)
        while written < frames:
            if written:
                source.seek(0, stream=stream)
            shift, end = offset, offset
            for packet in source.demux(stream):
                if packet.dts is None or packet.pts is None or written == frames:
                    break
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                end = max(end, packet.pts + (packet.duration or 1))
                packet.stream = out
                copy.mux(packet)
                written += 1
            offset = end
        return written, f"{stream.width}x{stream.height}"


def run_side(side: str, folder: Path) -> None:
    from beampose.core.settings import experiment
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    loaded = experiment.load((folder / "config").read_text())
    run = {"decode": decode, "plain": plain, "beam": beam, "beam_by_frame": beam_by_frame}[side]
    sides.report(*run(loaded, folder))


def decode(_, folder: Path) -> tuple[int, float]:
    """Decoding alone."""
    from beampose.preprocess import videos

    video = videos.index(str(folder / "video.mp4"))
    began = time.perf_counter()
    count = sum(frame.pixels is not None for frame in videos.read(video, 0, video.count))
    return count, time.perf_counter() - began


def plain(loaded, folder: Path) -> tuple[int, float]:
    """Decode a batch, run the SavedModel on it, drop the result, and so on."""
    import numpy as np

    from beampose.preprocess import videos
    from beampose.trainer.frame_predictor import FramePredictor

    model = FramePredictor(loaded.model)
    size = loaded.predict.batch_size
    video = videos.index(str(folder / "video.mp4"))
    model.predict(np.zeros((size, video.height, video.width, 3), np.uint8))
    began = time.perf_counter()
    batch = []
    for frame in videos.read(video, 0, video.count):
        batch.append(frame.pixels)
        if len(batch) == size:
            model.predict(np.stack(batch))
            batch = []
    if batch:
        model.predict(np.stack(batch))
    return video.count, time.perf_counter() - began


def beam_by_frame(loaded, folder: Path) -> tuple[int, float]:
    """The whole job on whole frames, as the plain loop looks at them."""
    return beam(loaded, folder, look="frame")


def beam(loaded, folder: Path, look: str = "auto") -> tuple[int, float]:
    """The whole job, with its start-up: index, load, decode, predict, write the video's files."""
    from beampose.core.settings import experiment
    from beampose.pipelines.predict import prediction_job

    # Results go beside the video, the model stays where it is.
    out = folder / f"out-{look}"
    target = experiment.changed(loaded, output=str(out), predict={"look": look})
    out.mkdir()
    Path(target.model).symlink_to(Path(loaded.model).absolute())
    summary = prediction_job.run(target, [str(folder / "video.mp4")])
    return summary.frames, summary.seconds


if __name__ == "__main__":
    sys.exit(main())
