"""The Beam feature job against a plain loop over the same function; prints one JSON line.

Usage: python scripts/benchmark/features.py [--frames 500] [--height 480] [--width 640]
           [--backbone mobilenet_v2_0.35] [--weights random:0]
Each side runs in a process of its own, so that the peak memory is its own too. The transform of the
store is learned before the clock starts: it is made once a store, from a sample of fixed size.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sides

SIDES = ("plain", "beam")


def parser() -> argparse.ArgumentParser:
    made = sides.parser(__doc__, SIDES)
    made.add_argument("--height", type=int, default=480)
    made.add_argument("--width", type=int, default=640)
    made.add_argument("--backbone", default="mobilenet_v2_0.35")
    made.add_argument("--weights", default="random:0")
    return made


def main() -> int:
    arguments = parser().parse_args()
    if arguments.side:
        run_side(arguments)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder), arguments.frames, arguments.height, arguments.width)
        prepare(Path(folder), arguments)
        results = {side: sides.run(__file__, side, folder) for side in SIDES}
    plain, beam = (results[side]["frames_per_s"] for side in SIDES)
    print(
        json.dumps(
            {
                "frames": arguments.frames,
                "size": f"{arguments.width}x{arguments.height}",
                "backbone": arguments.backbone,
                **results,
                "ratio": round(beam / plain, 3),
            }
        )
    )
    return 0


def write_project(folder: Path, frames: int, height: int, width: int) -> None:
    """A DeepLabCut project of smooth random frames: PNG of such compresses as real frames do."""
    import cv2
    import numpy as np
    from PIL import Image

    place = folder / "project/labeled-data/film"
    place.mkdir(parents=True)
    (folder / "project/config.yaml").write_text(
        "Task: bench\nscorer: me\ndate: Jan1\nbodyparts: [nose, tail]\n"
    )
    lines = ["scorer,me,me,me,me", "bodyparts,nose,nose,tail,tail", "coords,x,y,x,y"]
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (height, 2 * width, 3), np.uint8), (0, 0), 3)
    for i in range(frames):
        start = int(rng.integers(width))
        noise = rng.integers(0, 6, (height, width, 3), np.uint8)
        image = scene[:, start : start + width] // 2 + noise
        Image.fromarray(image).save(place / f"img{i:05d}.png", compress_level=1)
        lines.append(f"labeled-data/film/img{i:05d}.png,{i % width},5,9,{i % height}")
    (place / "CollectedData_me.csv").write_text("\n".join(lines) + "\n")


def prepare(folder: Path, arguments: argparse.Namespace) -> None:
    """Writes the config and makes an empty store with its transform."""
    (folder / "bench.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: project}\noutput: out\n"
        f"features: {{backbone: {arguments.backbone}, weights: '{arguments.weights}'}}\n"
    )
    code = (
        "import sys\n"
        "from beampose.pipelines.features import feature_job, labeled_source\n"
        "from beampose.core.settings import experiment\n"
        "loaded = experiment.load(sys.argv[1])\n"
        "feature_job.open_store(loaded, *labeled_source.read(loaded))\n"
    )
    subprocess.run([sys.executable, "-c", code, folder / "bench.yaml"], check=True)


def run_side(arguments: argparse.Namespace) -> None:
    from beampose.core.settings import experiment
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    loaded = experiment.load(Path(arguments.folder) / "bench.yaml")
    sides.report(*{"plain": plain, "beam": beam}[arguments.side](loaded))


def plain(loaded) -> tuple[int, float]:
    """Decode and embed in batches, one after the other, and drop the result."""
    from beampose.core import files
    from beampose.pipelines.features import embedding_worker, labeled_source
    from beampose.preprocess import images

    (folder,) = Path(loaded.store).iterdir()
    model = embedding_worker.build(embedding_worker.store_spec(loaded, str(folder / "transform")))
    size = loaded.features.batch_size
    items = labeled_source.read(loaded)[0].items
    warm_up(model, images.decode(files.read_bytes(items[0].image)), size)
    began = time.perf_counter()
    for start in range(0, len(items), size):
        frames = [images.decode(files.read_bytes(i.image)) for i in items[start : start + size]]
        model.frames(embedding_worker.fixed(frames, size)).numpy()
    return len(items), time.perf_counter() - began


def beam(loaded) -> tuple[int, float]:
    """The whole job, with its start-up: read, check, digest, embed, write store and dataset."""
    from beampose.pipelines.features import feature_job

    summary = feature_job.run(loaded)
    assert summary.embedded == summary.images, summary
    return summary.images, summary.seconds


def warm_up(model, frame, size: int) -> None:
    from beampose.pipelines.features import embedding_worker

    model.frames(embedding_worker.fixed([frame], size)).numpy()


if __name__ == "__main__":
    sys.exit(main())
