"""The real sets that benchmarks of accuracy train on, and how each is split."""

from pathlib import Path
from typing import Any

OPENFIELD, REACHING = "openfield-Pranav-2018-10-30", "Reaching-Mackenzie-2018-08-30"
# Name: task, folder, how it is split, scale. A block is the last fifth of a video's frames.
SETS = {
    "openfield-image": ("pose", OPENFIELD, "image", 1.0),
    "openfield-block": ("pose", OPENFIELD, "block", 1.0),
    "reaching-image": ("pose", REACHING, "image", 1.0),
    "reaching-block": ("pose", REACHING, "block", 1.0),
    "flies": ("pose", "flies-clip-sleap", "image", 0.5),
    "birdfeeder": ("crops", "crops-birdfeeder", "folder", 1.0),
    "pollenbees": ("crops", "crops-pollenbees", "folder", 1.0),
}


def values(data: str, which: str, output: str) -> dict[str, Any]:
    """An experiment on a set, as a config's values: batches of 8, of 64 for crops."""
    task, place, by, scale = SETS[which]
    return {
        "task": task,
        "source": {
            "format": "deeplabcut" if task == "pose" else "crops",
            "path": str(Path(data).absolute() / place),
        },
        "split": {"by": by, "test": 0.2, "seed": 0},
        "features": {"backbone": "resnet_compact", "weights": "builtin", "scale": scale},
        "train": {"batch_size": 8 if task == "pose" else 64},
        "output": output,
    }
