"""A DeepLabCut project of tests, edited, and what reading it says."""

import fakes
import numpy as np

NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
CSV = f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"


def keypoints(labels) -> np.ndarray:
    return np.concatenate([item.keypoints for item in labels.items])


def whats(labels) -> list[str]:
    return [problem.what for problem in labels.problems]


def edit(root, old: str, new: str, file: str = CSV) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))
