"""What to know about a trained model before trusting it: one sentence each, with the remedy."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core.infos import Figures
from beampose.core.task_kinds import TaskKind
from beampose.core.wording import agreed, counted, listed
from beampose.trainer import crop_shares, label_facts, recipe
from beampose.trainer.schema import LabelRecord

RANDOM_NOTE = (
    "Made with RANDOM backbone weights: this proves the wiring, not the accuracy. "
    "For real work leave out features.weights."
)
SAME_FILMS = "The held-out images are of the films it learned from"
# Fewer training images than this are too few; of crops, of each class.
FEW = 20
# Held-out images of which a mean error is no more than a guess.
HELD_OUT = 3
# Share of held-out crops that are nearly equal to one learned from of which a word is said.
ALIKE = 0.05
# A model is underfit if its error on what it learned from is more than this share of the distance
# between neighbouring bodyparts, or of the error of always saying the mean place; or if it finds
# fewer of the points it learned from.
NEAR, SPREAD, FOUND = 0.5, 0.33, 0.7
# Overfit, if held-out errors are so many times those of training and the difference is at least
# this share of the distance between neighbouring bodyparts; of a single one, of the radius.
TIMES, WORSE, WORSE_ALONE = 3.0, 0.25, 0.15
# Animals of one film that are so many times as long as those of another cannot both be seen well at
# one scale; with so many labeled images of each.
LARGER, SOME = 2.0, 3
# A bodypart of so many held-out points is much worse than the others if it is so many times as far
# off in the median, and by half the radius.
MUCH_WORSE, JUDGED = 4.0, 5
# Bodyparts closer than so many pixels are at the same place.
SAME = 0.5
# A bodypart with fewer labels to learn from is hardly known, unless all are so rare.
SCARCE = 5
# Bodyparts or classes that a sentence names, and sentences of one kind.
_NAMED = 5
# Share of images without an animal in which nothing should be seen.
EMPTY = 0.8
# Points that a cutoff should leave, and the difference of accuracies that is overfit.
KEPT, ACCURACY = 0.6, 0.1
# A class is rare if it has less than this share of the crops of the largest. It is missed if this
# share of its held-out crops is not found, so many of them at least.
RARE, MISSED, AT_LEAST = 0.5, 0.3, 3


class Trained(NamedTuple):
    """A model, as far as it is judged here.

    Attributes:
      kind: of its task.
      names: bodyparts or classes.
      train, test: figures of the splits.
      learned, held_out: labels of the splits, without copies.
      radius: `train.pos_dist_thresh`, source pixels.
      pcutoff: of predictions.
      alike: names of held-out crops and of the one learned from that each is nearly equal to.
      scale: of the images that the network sees; 0 = not known.
    """

    kind: TaskKind
    names: Sequence[str]
    train: Figures
    test: Figures
    learned: Sequence[LabelRecord]
    held_out: Sequence[LabelRecord]
    radius: float
    pcutoff: float
    alike: Sequence[tuple[str, str]] = ()
    scale: float = 0.0


def of_labels(learned: str, now: str) -> list[str]:
    """What to know of a model and labels that were changed since it was trained.

    Args:
      learned, now: digests of labels and their split; "" = not known.
    """
    if learned == now or not (learned and now):
        return []
    return [
        "Labels or their split were changed since this model was trained: images of the test split "
        "may be among those it learned from. `beampose train` trains one on the labels of now."
    ]


def sentences(model: Trained) -> list[str]:
    """What is wrong or doubtful; empty if nothing is."""
    found = _of_points(model) if model.kind.points else _of_classes(model)
    return [*found, *_of_split(model)]


def _of_points(model: Trained) -> Iterator[str]:
    truth = np.stack([r.keypoints for r in model.learned])
    own = label_facts.of_animals(truth, [r.video for r in model.learned])
    animals = own.reshape(-1, truth.shape[2], 2)
    near = label_facts.nearest(animals)
    spacing = float(np.nanmedian(near)) if np.isfinite(near).any() else float("nan")
    yield from _underfit(model, animals, spacing)
    train, test = model.train.mean_error_px, model.test.mean_error_px
    if train is not None and test is not None and model.test.images:
        alone = not np.isfinite(spacing)
        worse = WORSE_ALONE * model.radius if alone else WORSE * spacing
        if test > TIMES * train and test - train > worse:
            yield (
                f"Overfit: {test:.1f} px off on held-out images, {train:.1f} px on those it "
                "learned from. Label more frames that differ (`beampose extract-frames`, "
                "`beampose outliers`), or raise features.copies."
            )
    yield from _not_found(model)
    yield from _worst(model)
    figures = model.test if model.test.points else model.train
    kept = figures.share_above_pcutoff
    if kept is not None and kept < KEPT:
        yield (
            f"predict.pcutoff {model.pcutoff:g} keeps only {kept:.0%} of the labeled points: lower "
            "it, or train longer (train.budget) or on more labels."
        )
    yield from _too_close(model, animals)
    yield from _of_sizes(model, own, spacing)
    yield from _unlabeled(model, truth)
    labeled = int(np.isfinite(truth).any(axis=(1, 2, 3)).sum())
    if labeled < FEW:
        yield (
            f"Only {counted(labeled, 'labeled image')} to learn from: label {FEW} or "
            "more, of different poses."
        )


def _not_found(model: Trained) -> Iterator[str]:
    """Animals of held-out images that are missed, and points where there is none."""
    learned, found = model.train.share_found, model.test.share_found
    if learned is not None and found is not None and found < FOUND <= learned:
        yield (
            f"It finds {found:.0%} of the points of held-out images, {learned:.0%} of those it "
            "learned from. Label more frames that differ (`beampose extract-frames`, "
            "`beampose outliers`)."
        )
    empty = model.test.share_negatives_empty
    if empty is not None and empty < EMPTY:
        yield (
            f"In {1 - empty:.0%} of the held-out images without an animal it sees one: add images "
            "without any to learn from, or raise predict.pcutoff."
        )


def _worst(model: Trained) -> Iterator[str]:
    """The bodypart that is much worse than the others, if there is one."""
    medians = {
        name: one.median_error_px
        for name, one in model.test.per_bodypart.items()
        if one.points >= JUDGED and one.median_error_px is not None
    }
    if len(medians) < 2:
        return
    worst = max(medians, key=lambda name: medians[name])
    others = float(np.median([error for name, error in medians.items() if name != worst]))
    if medians[worst] > MUCH_WORSE * others and medians[worst] - others > model.radius / 2:
        yield (
            f"{worst} is {medians[worst]:.1f} px off in the median, the others {others:.1f} px: it "
            "is labeled now here and now there, or often hidden, or looks like something else. "
            "evaluation/labels.csv shows each label, `beampose audit` those that others contradict."
        )


def _underfit(model: Trained, animals: np.ndarray, spacing: float) -> Iterator[str]:
    remedy = "It did not learn its own labels: raise train.budget or train.steps."
    train, found = model.train.mean_error_px, model.train.share_found
    if found is not None and found < FOUND:
        yield (
            f"Underfit: it finds only {found:.0%} of the points it learned from. {remedy} Animals "
            "of a few pixels need a larger features.scale."
        )
        return
    if train is None:
        return
    centred = animals - _mean_place(animals)
    spread = float(np.nanmean(np.linalg.norm(centred, axis=-1)))
    limits = [SPREAD * spread, NEAR * spacing if np.isfinite(spacing) else np.inf]
    if train > min(limits) and train > model.radius / 2:
        compared = (
            f"bodyparts lie {spacing:.0f} px apart"
            if limits[1] <= limits[0]
            else f"always saying the mean place is {spread:.0f} px off"
        )
        yield (
            f"Underfit: {train:.1f} px off on the images it learned from, where {compared}. "
            f"{remedy}"
        )


def _mean_place(animals: np.ndarray) -> np.ndarray:
    known = np.asarray(np.isfinite(animals).all(axis=-1))
    count = np.maximum(known.sum(axis=0), 1)[:, None]
    return np.where(known[..., None], animals, 0).sum(axis=0) / count


def _too_close(model: Trained, animals: np.ndarray) -> Iterator[str]:
    """The two bodyparts that are closest together, if they are closer than the radius."""
    best, pair = np.inf, None
    for i in range(animals.shape[1]):
        for j in range(i):
            length = np.linalg.norm(animals[:, i] - animals[:, j], axis=-1)
            length = length[np.isfinite(length)]
            if len(length) >= 3 and np.median(length) < best:
                best, pair = float(np.median(length)), (j, i)
    if pair is not None and best < model.radius / 2:
        first, second = (model.names[one] for one in pair)
        if best < SAME:
            yield (
                f"{first} and {second} are at the same place in most images: no model tells them "
                "apart. Name one of them alone in source.bodyparts, or correct the labels."
            )
            return
        yield (
            f"{first} and {second} are {best:.1f} px apart in most images, closer than "
            f"train.pos_dist_thresh {model.radius:g}: they may be mixed up. A larger "
            "features.scale sets them apart."
        )


def _of_sizes(model: Trained, animals: np.ndarray, spacing: float) -> Iterator[str]:
    """Of animals (images, individuals, bodyparts, 2) that one scale does not fit."""
    if not np.isfinite(spacing):
        if 0 < model.scale < 1:
            least = recipe.LEAST_EXTENT / model.scale
            yield (
                "No animal has two labeled bodyparts, so nobody knows how large they are: "
                f"features.scale {model.scale:g} fits the size of the images. If animals are "
                f"smaller than {least:.0f} px in them, set a larger one."
            )
        return
    of_film: dict[str, list[float]] = {}
    for record, one in zip(model.learned, animals, strict=True):
        lengths = [n for n in map(label_facts.length, one) if np.isfinite(n)]
        if lengths:
            of_film.setdefault(record.video, []).append(float(np.median(lengths)))
    usual = {film: float(np.median(n)) for film, n in of_film.items() if len(n) >= SOME}
    small, large = (choose(usual, key=lambda f: usual[f], default="") for choose in (min, max))
    if usual and usual[large] >= LARGER * usual[small]:
        yield (
            f"Animals of {small} are {usual[small]:.0f} px long, those of {large} "
            f"{usual[large]:.0f} px, and one features.scale is for all: it fits the usual ones. "
            "Compare their errors in evaluation/labels.csv; a project for each camera fits both."
        )


def _unlabeled(model: Trained, truth: np.ndarray) -> Iterator[str]:
    seen = np.isfinite(truth).all(axis=-1).reshape(-1, truth.shape[2]).sum(axis=0)
    lacking = [name for name, count in zip(model.names, seen, strict=True) if not count]
    if lacking:
        yield (
            f"No image to learn from has a label of {listed(lacking, _NAMED)}: nothing is known of "
            f"{'it' if len(lacking) == 1 else 'them'}. Label some, or name the others in "
            "source.bodyparts."
        )
    scarce = [
        f"{name} ({count})"
        for name, count in zip(model.names, seen, strict=True)
        if 0 < count < min(SCARCE, seen.max() / 2)
    ]
    if scarce:
        yield (
            f"Few labels to learn from of {listed(scarce, _NAMED)}: little is known of "
            f"{'it' if len(scarce) == 1 else 'them'}. Label more, {SCARCE} at the very least, or "
            "name the others in source.bodyparts."
        )


def _of_classes(model: Trained) -> Iterator[str]:
    counts = np.bincount([r.label for r in model.learned], minlength=len(model.names))
    train, test = model.train.accuracy, model.test.accuracy
    largest = counts.max() / max(counts.sum(), 1)
    if train is not None and train < (1 + largest) / 2:
        yield (
            f"Underfit: only {train:.1%} of the crops it learned from are right, where always "
            f"saying {model.names[int(counts.argmax())]} gives {largest:.1%}. Raise train.budget, "
            "or try another features.backbone."
        )
    elif train is not None and test is not None and train - test > ACCURACY:
        yield (
            f"Overfit: {test:.1%} of held-out crops are right, {train:.1%} of those it learned "
            "from. Add crops of other places and days, and look for wrong labels: `beampose audit`."
        )
    yield from _missed(model, counts)
    yield from crop_shares.doubts(model.names, model.test)
    few = [f"{name} ({n})" for name, n in zip(model.names, counts, strict=True) if n < FEW]
    if few:
        yield f"Few crops to learn from: {listed(few, _NAMED)}. Add some, {FEW} or more of each."


def _missed(model: Trained, counts: np.ndarray) -> Iterator[str]:
    """Rare classes that are not found, which a share of all that is right does not show."""
    confusion = np.array(model.test.confusion or np.zeros((len(counts), len(counts)), int))
    held_out, right = confusion.sum(axis=1), confusion.diagonal()
    rare = counts < RARE * counts.max()
    missed = held_out - right >= np.maximum(AT_LEAST, MISSED * held_out)
    lacking: list[int] = np.flatnonzero(rare & missed).tolist()
    lacking.sort(key=lambda one: right[one] - held_out[one])
    for one in lacking[:_NAMED]:
        yield (
            f"Only {right[one]} of {held_out[one]} held-out crops of {model.names[one]} are found; "
            f"it is rare ({counts[one]} of {counts.sum()} to learn from). Add crops of it, or "
            "raise train.balance, by which more is taken for it."
        )
    if rest := [model.names[one] for one in lacking[_NAMED:]]:
        yield f"Crops of other rare classes are missed too: {listed(rest, _NAMED)}."


def _of_split(model: Trained) -> Iterator[str]:
    if not model.held_out:
        yield (
            "No image is held out, so nothing is known of the error on new images: set split.test "
            "to 0.2, or judge by `beampose evaluate --folds 5`."
        )
        return
    if len(model.held_out) < HELD_OUT:
        yield (
            f"Only {counted(len(model.held_out), 'image')} {agreed(len(model.held_out), 'are')} "
            "held out, whose error says little of others: `beampose evaluate --folds 5` judges by "
            "all labeled images."
        )
    if len(model.alike) >= max(ALIKE * len(model.held_out), 1):
        own, other = model.alike[0]
        yield (
            f"{counted(len(model.alike), 'held-out crop')} of {len(model.held_out)} "
            f"{agreed(len(model.alike), 'are')} nearly equal to one it learned from, such as {own} "
            f"to {other}: expect more wrong ones among new crops. split.by: video, where names "
            "tell films, or folders Training and Testing with split.by: folder keep such crops on "
            "one side."
        )
    if model.kind.points:
        yield from _unmeasured(model)
    films = {r.video for r in model.learned}
    if model.kind.points and all(r.video in films for r in model.held_out):
        remedy = "split.by: video holds out whole films."
        if len(films) == 1:
            remedy = "Label a second one and set split.by: video."
        yield f"{SAME_FILMS}: expect larger errors on another film. {remedy}"


def _unmeasured(model: Trained) -> Iterator[str]:
    """Bodyparts that were learned and of which no held-out image says how well."""
    learned, held_out = (
        label_facts.labeled(np.stack([r.keypoints for r in records]))
        for records in (model.learned, model.held_out)
    )
    lacks = np.asarray(learned & ~held_out)
    unknown = [name for name, one in zip(model.names, lacks, strict=True) if one]
    if unknown:
        yield (
            f"No held-out image has a label of {listed(unknown, _NAMED)}: the error of "
            f"{'it' if len(unknown) == 1 else 'them'} is not known. `beampose evaluate --folds 5` "
            "judges by all labeled images."
        )


def of_finetuning(kind: TaskKind, before: Figures, after: Figures) -> Iterator[str]:
    """A sentence if a finetuned model is worse than the head that it started from."""
    if not before or not after:
        return
    old, new = before[kind.score], after[kind.score]
    if old is not None and new is not None and kind.sign * (new - old) < 0:
        yield (
            f"Finetuning made it worse on held-out images ({kind.score_words} {old:.3g} before, "
            f"{new:.3g} after): lower train.finetune_learning_rate, or set train.mode: features."
        )
