"""Makes a demo data set: a rendered mouse, as a DeepLabCut project and as folders of crops."""

import argparse
import multiprocessing
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import av
import numpy as np
import pandas as pd
import yaml
from av.error import FFmpegError
from demo_scene import (
    BODYPARTS,
    FPS,
    HEIGHT,
    SPINE,
    WIDTH,
    Take,
    Walk,
    make_take,
    render,
    seen,
    spine,
    xy,
)
from PIL import Image

SCORER, VIDEO, MARKER = "demo", "walk", ".beampose-demo"
SKELETON = [["nose", "leftear"], ["nose", "rightear"], ["leftear", "tailbase"]]
SKELETON += [["rightear", "tailbase"]]
# A take is a walk at a place, from its number. No two kinds of data share one.
VIDEO_TAKE, LABELED_TAKES = 0, (1, 2, 3)
# The video and the labeled frames show one arena; every take of crops is another place.
ARENA = 0
CROP_TAKES = {"Training": (4, 5, 6, 7), "Testing": (8,)}
TEST, NEGATIVES, CROP_SIDES = 0.2, 1.5, (60, 140)
STRIDE, SPARE = 12, 10  # Frames from one that is used to the next; how many may be unfit.


def usable(take: Take, count: int) -> list[int]:
    """Frames far enough from each other in which at least half of the bodyparts are seen."""
    frames = range(0, len(take.walk.nose), STRIDE)
    return [f for f in frames if np.isnan(seen(take, f)[:, 0]).sum() <= len(BODYPARTS) / 2][:count]


def shares(total: int, takes: Sequence[int]) -> list[tuple[int, int]]:
    """Each take and how many of the total come from it."""
    parts = np.array_split(np.arange(total), len(takes))
    return [(take, len(part)) for take, part in zip(takes, parts, strict=True)]


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=92)


def write_config(project: Path) -> None:
    """config.yaml as DeepLabCut 2 writes it, moved since: its project_path is no longer true."""
    config = {"Task": "demo", "scorer": SCORER, "date": "Jan1"}
    config |= {"multianimalproject": False, "identity": None}
    config |= {"project_path": "/data/lab/demo-demo-2020-01-01"}
    config |= {"video_sets": {f"videos/{VIDEO}.mp4": {"crop": f"0, {WIDTH}, 0, {HEIGHT}"}}}
    config |= {"bodyparts": list(BODYPARTS), "start": 0, "stop": 1, "numframes2pick": 20}
    config |= {"skeleton": SKELETON, "skeleton_color": "black", "pcutoff": 0.6, "dotsize": 8}
    config |= {"alphavalue": 0.7, "colormap": "rainbow", "TrainingFraction": [0.95]}
    config |= {"iteration": 0, "default_net_type": "resnet_50", "default_augmenter": "default"}
    config |= {"snapshotindex": -1, "batch_size": 8, "cropping": False}
    config |= {"x1": 0, "x2": WIDTH, "y1": 0, "y2": HEIGHT}
    config |= {"corner2move2": [50, 50], "move2corner": True}
    project.mkdir(parents=True)
    (project / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")


def write_labels(project: Path, number: int, count: int, seed: int) -> None:
    """The labeled frames of a take in a folder, with their CollectedData files."""
    levels = [[SCORER], list(BODYPARTS), ["x", "y"]]
    columns = pd.MultiIndex.from_product(levels, names=["scorer", "bodyparts", "coords"])
    take = make_take(number, seed, (count + SPARE) * STRIDE, place=ARENA)
    rows = {}
    for frame in usable(take, count):
        name = f"labeled-data/take{number}/img{frame:03d}.png"
        save(render(take, frame), project / name)
        rows[name] = seen(take, frame).ravel()
    table = pd.DataFrame(np.array(list(rows.values())), list(rows), columns)
    file = project / f"labeled-data/take{number}/CollectedData_{SCORER}"
    table.to_csv(file.with_suffix(".csv"))
    table.to_hdf(file.with_suffix(".h5"), key="df_with_missing", format="table", mode="w")


def write_video(project: Path, truth: Path, frames: int, seed: int) -> None:
    """The video, and where its bodyparts are in each frame; empty where they cannot be seen."""
    take = make_take(VIDEO_TAKE, seed, frames, place=ARENA)
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    (project / "videos").mkdir()
    options = {"movflags": "+faststart"}
    with av.open(str(project / f"videos/{VIDEO}.mp4"), "w", options=options) as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "19"} if codec == "libx264" else {"qscale": "4"}
        for frame in range(frames):
            picture = av.VideoFrame.from_ndarray(render(take, frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    columns = [f"{bodypart}_{axis}" for bodypart in BODYPARTS for axis in "xy"]
    table = pd.DataFrame([seen(take, frame).ravel() for frame in range(frames)], columns=columns)
    table.to_csv(truth, index_label="frame")


def cut(pixels: np.ndarray, center: np.ndarray, size: np.ndarray) -> np.ndarray:
    """A box (width, height) of an image about a place, moved inside."""
    x, y = np.clip(center - size / 2, 0, np.array([WIDTH, HEIGHT]) - size).astype(int)
    return pixels[y : y + size[1], x : x + size[0]]


def random_box(rng: np.random.Generator, walk: Walk, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre and size (width, height) of a box around the animal, as a detector would be off."""
    points = xy(spine(walk, frame)[SPINE < 1.2])
    low, high = (points.min(0) - 12).clip(0), (points.max(0) + 12).clip(0, (WIDTH, HEIGHT))
    size = ((high - low) * rng.uniform(1.0, 1.4, 2)).clip(*CROP_SIDES).astype(int)
    return (low + high) / 2 + rng.uniform(-0.08, 0.08, 2) * size, size


def write_crops(folder: Path, number: int, count: int, seed: int) -> None:
    """Boxes around the animal of a take, and boxes of the same sizes of the place without it."""
    take = make_take(number, seed, (count + SPARE) * STRIDE)
    rng = np.random.default_rng([seed, number, 1])
    boxes = {frame: random_box(rng, take.walk, frame) for frame in usable(take, count)}
    sizes = [size for _, size in boxes.values()]
    for frame, box in boxes.items():
        name = f"take{number}_{frame:03d}_0.jpg"
        save(cut(render(take, frame), *box), folder / "Positive" / name)
    for i in range(round(NEGATIVES * count)):
        frame = (count + SPARE + i) * STRIDE
        center = rng.choice(take.clutter) if i % 2 else rng.uniform(0, 1, 2) * (WIDTH, HEIGHT)
        pixels = cut(render(take, frame, empty=True), center, sizes[i % len(sizes)])
        save(pixels, folder / "Negative" / f"take{number}_{frame:03d}_0.jpg")


def write_all(folder: Path, *, frames: int, labeled: int, positives: int, seed: int) -> None:
    """Draws all takes, the longest first, on all cores: each has its own files."""
    pose, crops = folder / "pose", folder / "crops"
    testing = max(round(TEST * positives), 1)
    work = [partial(write_video, pose, folder / "truth.csv", frames, seed)]
    work += [partial(write_labels, pose, *share, seed) for share in shares(labeled, LABELED_TAKES)]
    for split, total in (("Training", positives - testing), ("Testing", testing)):
        shared = shares(total, CROP_TAKES[split])
        work += [partial(write_crops, crops / split, *share, seed) for share in shared]
    # Spawned, as OpenCV and FFmpeg have threads of their own.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in [pool.submit(one) for one in work]:
            done.result()


def clear(folder: Path) -> None:
    """Makes the folder, or empties one that this script has made.

    Raises:
      FileExistsError: it holds something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / MARKER
    if any(folder.iterdir()) and not marker.exists():
        raise FileExistsError(
            f"{folder} must be empty, or a demo this script has made (with a file {MARKER}). "
            "Remove it or name another folder."
        )
    marker.unlink(missing_ok=True)
    for made in (folder / "pose", folder / "crops"):
        if made.exists():
            shutil.rmtree(made)


def at_least(low: int):
    """An argparse type: whole numbers from `low`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"must be a whole number from {low}. Received: {text}")
        return int(text)

    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the demo; 0 if it is there."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--frames", type=at_least(1), default=240, help="of the video")
    parser.add_argument("--labeled", type=at_least(3), default=120, help="frames, of three takes")
    parser.add_argument("--crops", type=at_least(5), default=120, help="positives; negatives x 1.5")
    parser.add_argument("--seed", type=at_least(0), default=0, help="another seed, another demo")
    args = parser.parse_args(argv)
    pose, crops, truth = (args.folder / name for name in ("pose", "crops", "truth.csv"))
    try:
        clear(args.folder)
        write_config(pose)
        write_all(
            args.folder,
            frames=args.frames,
            labeled=args.labeled,
            positives=args.crops,
            seed=args.seed,
        )
        (args.folder / MARKER).write_text("Made by scripts/make_demo.py.\n", "utf-8")
    except (OSError, FFmpegError) as error:
        print(f"make_demo: {error}", file=sys.stderr)
        return 1
    print(f"Made {pose}, {crops} and {truth}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
