"""The learning curve: heads on fewer and fewer labeled images, judged by the same held-out ones."""

import copy
import hashlib
import logging
from collections.abc import Sequence

from beampose.core import storage, task_kinds
from beampose.core.settings.experiment import Config
from beampose.trainer.dataset import Dataset
from beampose.trainer.outcomes import Curve, Point
from beampose.trainer.schema import LabelRecord

LOG = logging.getLogger(__name__)
# Fewer labeled images than this teach a head nothing that a curve could show.
LEAST = 5


def learning_curve(config: Config, dataset: Dataset, *, sizes: int, work: str) -> Curve:
    """Trains a head on each of some nested subsets of the training images; nothing is embedded.

    All heads take the settings of the config, as many steps, and their last step: nothing is chosen
    by the images that judge. An augmented copy goes with its image.

    Args:
      sizes: how many subsets: all images, half of them, a quarter, …
      work: folder for checkpoints: a killed run continues with the head it was in.

    Raises:
      ValueError: the experiment finetunes, holds out nothing, or has too few images for a curve.
    """
    from beampose.trainer.training import train

    _check(config, dataset, sizes)
    test = dataset.of("test")
    order = nested(dataset.of("train"), config.split.seed)
    kind = task_kinds.of_info(dataset.info)
    counts = subset_sizes(len(order), sizes, _least(order))
    points, seconds = [], 0.0
    for number, images in enumerate(counts, 1):
        folder = storage.place(work, f"{images}-of-{len(order)}")
        LOG.info("%d of %d: %d of %d training images", number, len(counts), images, len(order))
        result = train(
            config,
            subset(dataset, order[:images]),
            checkpoints=str(folder / "checkpoints"),
            logs=str(folder / "logs"),
        )
        predicted = result.task.predict(test, config.head.batch_size)
        judge = result.task.judge
        found = judge.measure(test, predicted)
        total, count = judge.tally(test, predicted, near=config.head.pos_dist_thresh)
        points.append(Point(images, found, total, count))
        seconds += result.seconds
    return Curve(points, kind.error, config.head.pos_dist_thresh, seconds)


def subset_sizes(total: int, sizes: int, least: int = LEAST) -> list[int]:
    """All of `total` images, half, a quarter, …, ascending; those below `least` are left out."""
    found = {-(-total // 2**i) for i in range(sizes)}
    return sorted(size for size in found if size >= min(least, total))


def nested(records: Sequence[LabelRecord], seed: int) -> list[LabelRecord]:
    """The records in an order of which every beginning is a fair sample.

    By a hash, so that more labels later keep the order of those there are; classes of crops take
    turns in proportion to their size, after one crop of each.
    """
    ranked = sorted(
        records, key=lambda r: hashlib.sha256(f"curve:{seed}:{r.name}".encode()).digest()
    )
    sizes: dict[int, int] = {}
    for record in ranked:
        sizes[record.label] = sizes.get(record.label, 0) + 1
    seen: dict[int, int] = {}
    place = []
    for record in ranked:
        rank = seen.get(record.label, 0)
        seen[record.label] = rank + 1
        place.append((rank > 0, (rank + 0.5) / sizes[record.label]))
    return [ranked[i] for i in sorted(range(len(ranked)), key=place.__getitem__)]


def subset(dataset: Dataset, chosen: Sequence[LabelRecord]) -> Dataset:
    """The dataset with no training images but these and their copies; held-out ones stay."""
    names = {r.name for r in chosen}
    view = copy.copy(dataset)
    view.records = [r for r in dataset.records if r.split != "train" or r.name in names]
    return view


def _check(config: Config, dataset: Dataset, sizes: int) -> None:
    if config.train.mode == "finetune":
        raise ValueError(
            "--curve trains heads on stored features; a finetuned network would have to be "
            "finetuned once for each size. Give --set train.mode=features for the curve of heads."
        )
    if not 2 <= sizes <= 10:
        raise ValueError(f"--curve takes from 2 to 10 sizes. Received: {sizes}.")
    order = dataset.of("train")
    if not dataset.of("test"):
        raise ValueError(
            "A learning curve needs held-out images, and none is held out: raise split.test and "
            "run `beampose features` again, which embeds nothing again."
        )
    least = _least(order)
    if len(subset_sizes(len(order), sizes, least)) < 2:
        raise ValueError(
            f"A learning curve needs at least {2 * least - 1} training images, so that half of "
            f"them are {least} or more. There are {len(order)}."
        )


def _least(records: Sequence[LabelRecord]) -> int:
    """Enough images that each class of crops has one."""
    return max(LEAST, len({r.label for r in records}))
