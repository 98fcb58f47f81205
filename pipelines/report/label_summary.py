"""Summary of an experiment's labels: how many, of what, by whom, with a few examples."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from beampose.core import files, task_kinds
from beampose.core.infos import DatasetInfo
from beampose.pipelines.films import drawing
from beampose.pipelines.report import label_overview, worst_frames
from beampose.preprocess import images
from beampose.trainer.schema import LabelRecord

SPLITS = ("train", "test")
EXAMPLES = 6
# Longest side of an example in pixels.
SIDE, CROP_SIDE = 360, 180
_MOST_VIDEOS = 20


def section(dataset: DatasetInfo, records: Sequence[LabelRecord]) -> dict[str, Any]:
    """Section on the labels.

    Args:
      dataset: its info.
      records: the labeled images, without copies.
    """
    points = task_kinds.of_info(dataset).points
    videos = by_video(records)
    sizes = Counter((r.width, r.height) for r in records).most_common()
    return {
        "videos": videos[:_MOST_VIDEOS] if films_known(records) else [],
        "more_videos": max(len(videos) - _MOST_VIDEOS, 0),
        "films_known": films_known(records),
        "sizes": [f"{width} x {height}" for (width, height), _ in sizes[:3]],
        "more_sizes": max(len(sizes) - 3, 0),
        "files": len({r.file for r in records}),
        "negatives": negatives(records) if points else 0,
        "bodyparts": by_bodypart(dataset, records) if points else [],
        "individuals": by_individual(dataset, records) if points else [],
        "classes": [] if points else by_class(dataset.classes, records),
        "examples": examples(dataset, records),
    }


def negatives(records: Sequence[LabelRecord]) -> int:
    """Number of images without any label, from which a model learns to find nothing."""
    return sum(bool(np.isnan(r.keypoints).all()) for r in records)


def films_known(records: Sequence[LabelRecord]) -> bool:
    """True if names tell films apart; those of crops may not, and then each is its own film."""
    if any(r.keypoints.size for r in records):
        return True
    return len({r.video for r in records}) <= max(len(records) // 2, 1)


def by_video(records: Sequence[LabelRecord]) -> list[dict[str, Any]]:
    """Images of each video by split."""
    counts = Counter((r.video, r.split) for r in records)
    return [
        {"name": video, **{split: counts[video, split] for split in SPLITS}}
        for video in sorted({r.video for r in records})
    ]


def by_bodypart(dataset: DatasetInfo, records: Sequence[LabelRecord]) -> list[dict[str, Any]]:
    """Frequency of labels of each bodypart, among animals that have any label."""
    names = dataset.bodyparts
    several = len(dataset.individuals) > 1
    shown = drawing.palette(len(names))
    found = []
    shares = {split: labeled_share([r for r in records if r.split == split]) for split in SPLITS}
    total = labeled_count(records)
    for i, name in enumerate(names):
        entry = {"name": name, "labeled": int(total[i]), "color": f"rgb{shown[i]}"}
        # Of several animals colours are those of individuals.
        if several:
            entry["color"] = None
        found.append({**entry, **{split: _part(shares[split], i) for split in SPLITS}})
    return found


def labeled_count(records: Sequence[LabelRecord]) -> np.ndarray:
    """(bodyparts,) labels, all individuals together."""
    return np.sum([np.isfinite(r.keypoints[..., 0]).sum(axis=0) for r in records], axis=0)


def labeled_share(records: Sequence[LabelRecord]) -> np.ndarray | None:
    """(bodyparts,) share of the animals with any label that have this one; None without any."""
    there = [np.isfinite(animal[..., 0]) for r in records for animal in r.keypoints]
    there = [animal for animal in there if animal.any()]
    return np.mean(there, axis=0) if there else None


def by_individual(dataset: DatasetInfo, records: Sequence[LabelRecord]) -> list[dict[str, Any]]:
    """In how many images each individual is labeled; nothing of a single animal."""
    names = dataset.individuals
    if len(names) < 2:
        return []
    there = np.array([np.isfinite(r.keypoints[..., 0]).any(axis=1) for r in records])
    splits = np.array([r.split for r in records])
    shown = drawing.palette(len(names))
    return [
        {
            "name": name,
            "color": f"rgb{shown[i]}",
            **{split: int(there[splits == split, i].sum()) for split in SPLITS},
        }
        for i, name in enumerate(names)
    ]


def by_class(classes: Sequence[str], records: Sequence[LabelRecord]) -> list[dict[str, Any]]:
    """Crops of each class by split."""
    counts = Counter((r.label, r.split) for r in records)
    return [
        {"name": name, **{split: counts[i, split] for split in SPLITS}}
        for i, name in enumerate(classes)
    ]


def examples(dataset: DatasetInfo, records: Sequence[LabelRecord]) -> list[dict[str, str]]:
    """A few training images with their labels, of all videos or classes in turn."""
    found = []
    for record in spread(records):
        if len(found) == EXAMPLES:
            break
        try:
            image = images.load(record.image_uri)[0].copy()
        except (OSError, ValueError):
            # Gone since it was embedded: another one will do.
            continue
        if task_kinds.of_info(dataset).points:
            words, image = files.name(record.name), _drawn(dataset, image, record)
            # Frames of several films may have one name.
            caption = "/".join(record.name.split("/")[-2:])
        else:
            words, image = dataset.classes[record.label], worst_frames.fitted(image, CROP_SIDE)
            caption = words
        found.append({"data": label_overview.uri(image), "words": words, "caption": caption})
    return found


def spread(records: Sequence[LabelRecord]) -> list[LabelRecord]:
    """Training images, of each video or class in turn, far apart within it."""
    groups: dict[Any, list[LabelRecord]] = {}
    for record in sorted(records, key=lambda r: r.name):
        if record.split == "train":
            groups.setdefault(record.label if record.label >= 0 else record.video, []).append(
                record
            )
    ordered = []
    for group in groups.values():
        each = max(len(group) // EXAMPLES, 1)
        rest = [r for i, r in enumerate(group) if i % each]
        ordered += list(enumerate([*group[::each], *rest]))
    return [record for _, record in sorted(ordered, key=lambda one: one[0])]


def _drawn(dataset: DatasetInfo, image: np.ndarray, record: LabelRecord) -> np.ndarray:
    """The labels as dots on an image made small first: its dots shall not be."""
    small = worst_frames.fitted(image, SIDE)
    scale = np.array([small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]])
    names, individuals = dataset.bodyparts, dataset.individuals
    several = len(individuals) > 1
    edges = [(names.index(a), names.index(b)) for a, b in dataset.edges]
    for i, animal in enumerate(record.keypoints * scale):
        shown = drawing.palette(len(individuals if several else names))
        drawing.skeleton(small, animal, edges)
        drawing.dots(
            small, animal, [shown[i]] * len(names) if several else shown, 2 if several else 3
        )
    return small


def _part(shares: np.ndarray | None, i: int) -> float | None:
    return None if shares is None else float(shares[i])
