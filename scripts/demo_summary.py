"""Prints what the quick start made: errors, seconds, and where things are."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from beampose.core import artefacts, storage
from beampose.core.infos import ModelInfo
from beampose.formats.deeplabcut import prediction_writer


def main(argv: list[str]) -> int:
    if len(argv) != 1:
        print("usage: demo_summary.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(argv[0])
    pose, crops = (storage.read_json(folder / f"runs/{k}/model/metrics.json") for k in KINDS)
    rows = [
        ("", "pose", "crops"),
        ("images to learn from", pose["split"]["train"], crops["split"]["train"]),
        ("images held out", pose["split"]["test"], crops["split"]["test"]),
        (
            "on held-out images",
            f"median error {pose['test']['median_error_px']:.1f} px",
            f"accuracy {crops['test']['accuracy']:.3f}",
        ),
        ("on the new video", f"median error {video_error(folder):.1f} px", "-"),
        ("frozen network", pose["backbone"], crops["backbone"]),
        ("seconds for features", *(f"{m['seconds']['features']:.0f}" for m in (pose, crops))),
        ("seconds of training", *(f"{m['seconds']['train']:.0f}" for m in (pose, crops))),
    ]
    widths = [max(len(str(row[i])) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join(f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True)))
    print(f"\nlabeled video  {labeled_video(folder)}")
    for kind in KINDS:
        print(f"{kind:<5}          {folder}/runs/{kind}/report.html")
        print(f"               {folder}/runs/{kind}/model/saved_model")
    print("\nBoth networks came with what was installed. With a connection at hand, see whether")
    print("ImageNet's ResNet-50 (a download of 94 MB, and slower) finds the points better:")
    print(f"  beampose run {folder}/pose.yaml --set features.backbone=resnet50")
    print("\nYour own labels need a file of five lines, as README.md has it: beampose run it.")
    return 0


KINDS = ("pose", "crops")


def video_error(folder: Path) -> float:
    """Median distance of the prediction from the truth of the rendered video, in pixels."""
    (file,) = predictions(folder, ".csv")
    keypoints, bodyparts = prediction_writer.keypoints(prediction_writer.read(file))
    truth = pd.read_csv(folder / "truth.csv")
    distance = [
        np.hypot(keypoints[:, i, 0] - truth[f"{name}_x"], keypoints[:, i, 1] - truth[f"{name}_y"])
        for i, name in enumerate(bodyparts)
    ]
    return float(np.nanmedian(np.concatenate(distance)))


def labeled_video(folder: Path) -> str:
    (file,) = predictions(folder, "_labeled.mp4")
    return str(file)


def predictions(folder: Path, ending: str) -> list[Path]:
    info = artefacts.require(folder / "runs/pose/model", ModelInfo)
    return [folder / f"runs/pose/predictions/walk{info.dlc_scorer}{ending}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
