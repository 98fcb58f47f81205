"""The recipe of a model: what a config leaves open, chosen by rules from the labels.

How many steps a head trains is chosen by training itself: `beampose.trainer.steps`.
"""

from collections.abc import Mapping

import numpy as np

from beampose.core import task_kinds
from beampose.core.infos import Chosen, DatasetInfo
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.core.settings.section import Formerly
from beampose.core.settings.train_settings import Features
from beampose.core.wording import counted
from beampose.trainer.cells import STRIDE
from beampose.trainer.label_facts import LabelFacts

# Scales that are chosen: steps of about 1.4, so that a few more labels seldom choose another one,
# for which every image would have to be embedded again.
SCALES = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
# The largest of them where bodyparts are so many pixels apart by it.
USUAL, APART = 2.0, 10.0
# Of the scaled image: pixels between neighbouring bodyparts at least, and of a whole image at most.
SPACING, MOST_PIXELS = 14.0, 700_000
# Pixels between neighbouring bodyparts at most: a cell that sees too little of an animal takes one
# part of it for another. Of a whole animal of so many scaled pixels it sees enough: where only its
# nose and its tail are labeled, these are far apart.
FARTHEST, WHOLE_ANIMAL = 56.0, 300.0
# Animals of fewer scaled pixels cannot be told from their surroundings; their images may be larger.
LEAST_EXTENT, TINY_PIXELS = 40.0, 9_000_000
# Animals seen in more directions than this are turned fully; see `LabelFacts.turning`.
TURNING = 0.05
# Where nobody knows how large an animal is, a larger image shows small ones, too.
UNKNOWN_PIXELS = 2_100_000
# Images and copies that a store of an experiment should hold, and copies of an image.
STORED, COPIES = 400, (2, 8)
# Sides of windows that copies show; they hold animals this much larger than the typical one and
# so many scaled pixels around them, and are shares of a frame between these: less would show too
# little of what is no animal.
WINDOWS = (128, 192, 256, 320, 384, 512, 640, 768, 1024, 1536, 2048)
ROOM, AROUND, SHARES = 1.25, 32, (0.05, 0.2)
# Why a setting is what it is where it does nothing.
NOTHING = ""
WHOLE = Chosen(value=0, why="as before: copies of whole frames")
# What is kept where new labels would change it little.
LASTING = ("features.scale", "features.copies", "features.rotation", "features.window")
# Cells within this share of the distance between neighbouring bodyparts count as one, at least so
# many cells and at most.
NEAR, CELLS = 1.0, (1.1, 2.15)
WINDOW = 16
LEARNING_RATE = 0.004
POOLED_BATCH, MAP_BATCH = 64, 8


def of_features(
    config: Config, facts: LabelFacts | None, most: float = TINY_PIXELS
) -> dict[str, Chosen]:
    """What decides the features of images and copies, where the config leaves it open.

    Args:
      facts: of the labels of the training split; None for crops.
      most: scaled pixels of an image, where animals are tiny.
    """
    if facts is None:
        found = {
            "features.copies": Chosen(value=0, why=NOTHING),
            "features.rotation": Chosen(value=25.0, why=NOTHING),
            "features.window": Chosen(value=0, why=NOTHING),
        }
    else:
        found = {
            "features.scale": _scale(facts, most),
            "features.rotation": _rotation(facts),
        }
        scale = config.features.scale or found["features.scale"].value
        found["features.copies"] = _copies(facts, scale)
        found["features.window"] = window(facts, scale)
    return _open(config, found)


def of_head(config: Config, facts: LabelFacts | None, cell: float) -> dict[str, Chosen]:
    """What decides the training of a head beside its steps, where the config leaves it open.

    Args:
      facts: as above.
      cell: side of a cell of the stored maps in source pixels.
    """
    rate = Chosen(value=LEARNING_RATE, why="the best on most sets, docs/accuracy.md")
    if facts is None:
        found = {
            "train.batch_size": Chosen(value=POOLED_BATCH, why="a crop is one vector"),
            "train.window": Chosen(value=0, why=NOTHING),
            "train.pos_dist_thresh": Chosen(value=17.0, why=NOTHING),
        }
    else:
        found = {
            "train.batch_size": Chosen(value=MAP_BATCH, why="a window has many cells"),
            "train.window": Chosen(value=WINDOW, why="small windows and many steps pay"),
            "train.pos_dist_thresh": _radius(facts, cell),
        }
    return _open(config, {**found, "train.learning_rate": rate})


def resolved(config: Config, chosen: Mapping[str, Chosen]) -> Config:
    """The experiment with what was chosen; what it sets itself stays."""
    changes: dict[str, dict] = {}
    for key, one in _open(config, chosen).items():
        section, _, name = key.partition(".")
        changes.setdefault(section, {})[name] = one.value
    return experiment.changed(config, **changes) if changes else config


def of_dataset(config: Config, info: DatasetInfo, scale: float) -> Config:
    """The experiment with the features that its dataset was made with.

    Args:
      scale: of its store, which a dataset of the version before does not tell.
    """
    former = {
        f"features.{name}": Chosen(value=mark.value, why="the default of the version before")
        for name, field in Features.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Formerly)
    }
    kind = task_kinds.of_info(info)
    former["features.scale"] = Chosen(value=scale, why="that of the store")
    former["features.copies"] = Chosen(value=kind.copies, why="the default of the version before")
    return resolved(config, {**former, **info.chosen})


def lasting(chosen: dict[str, Chosen], before: Mapping[str, Chosen]) -> dict[str, Chosen]:
    """What was chosen, but the earlier scale and copies where the new ones would change little.

    Labels come and go; what was embedded by the earlier choice is as good a step beside it.
    """
    found = dict(chosen)
    # The version before knew no windows.
    known = {"features.window": WHOLE, **before} if before else {}
    for key in LASTING:
        if key not in chosen or key not in known:
            continue
        if known[key] is WHOLE:
            found[key] = WHOLE
            continue
        old, new = known[key].value, chosen[key].value
        near = old == new or (min(old, new) > 0 and max(old, new) / min(old, new) < 1.5)
        if near and old != new:
            found[key] = Chosen(value=old, why=f"as before; {new:g} would change little")
    return found


def _open(config: Config, found: Mapping[str, Chosen]) -> dict[str, Chosen]:
    """Those that the config leaves open."""
    kept = {}
    for key, one in found.items():
        section, _, name = key.partition(".")
        if getattr(getattr(config, section), name) is None:
            kept[key] = one
    return kept


def _scale(facts: LabelFacts, most: float) -> Chosen:
    """1, or more where bodyparts are close together, or less where they are far apart or images are
    large."""
    pixels = facts.height * facts.width
    fits = [s for s in SCALES if s * s * pixels <= MOST_PIXELS] or [SCALES[0]]
    size = f"images are {facts.width:.0f}x{facts.height:.0f}"
    if not np.isfinite(facts.spacing):
        fits = [s for s in SCALES if s * s * pixels <= UNKNOWN_PIXELS] or fits
        return Chosen(value=min(max(fits), 1.0), why=f"{size}; no animal has two labeled bodyparts")
    if facts.extent * max(fits) < LEAST_EXTENT:
        larger = [s for s in SCALES if s * s * pixels <= most] or fits
        enough = min((s for s in larger if s * facts.extent >= LEAST_EXTENT), default=max(larger))
        fits = [s for s in larger if s <= enough]
        size += f" and animals of {facts.extent:.0f} px"
    if USUAL * facts.spacing >= APART:
        fits = [s for s in fits if s <= USUAL]
    apart = [s for s in fits if s >= 1 and s * facts.spacing >= SPACING]
    value = min(apart) if apart else max(fits)
    if _is_close_up(facts, value):
        value = max((s for s in SCALES if not _is_close_up(facts, s)), default=SCALES[0])
    return Chosen(value=value, why=f"{size}, neighbouring bodyparts {facts.spacing:.0f} px apart")


def _is_close_up(facts: LabelFacts, scale: float) -> bool:
    return scale * facts.spacing > FARTHEST and scale * facts.extent > WHOLE_ANIMAL


def _copies(facts: LabelFacts, scale: float) -> Chosen:
    low, high = COPIES
    stored = float(STORED)
    if not np.isfinite(facts.spacing):
        # Whole images, and larger ones than others are.
        stored *= min(MOST_PIXELS / (facts.height * facts.width * scale**2), 1.0)
    value = int(np.clip(stored // max(facts.images, 1), low, high))
    return Chosen(value=value, why=f"{counted(facts.images, 'image')} to learn from")


def _rotation(facts: LabelFacts) -> Chosen:
    if np.isnan(facts.turning):
        return Chosen(value=25.0, why="the labels do not tell in which directions animals point")
    if facts.turning > TURNING:
        return Chosen(value=180.0, why="the labeled animals point in all directions")
    return Chosen(value=25.0, why="the labeled animals point in one direction")


def window(facts: LabelFacts, scale: float) -> Chosen:
    """Side in scaled pixels of what a copy shows: an animal and what is around it, where the frame
    is much larger; else 0."""
    extent = facts.extent * scale
    if not np.isfinite(extent):
        return Chosen(value=0, why="no animal has two labeled bodyparts")
    if facts.scene:
        return Chosen(value=0, why="some bodyparts are of the scene, which a window leaves out")
    pixels = facts.height * facts.width * scale**2
    least = max(ROOM * extent + 2 * AROUND, (SHARES[0] * pixels) ** 0.5)
    fits = [side for side in WINDOWS if side >= least]
    share = fits[0] ** 2 / pixels if fits else 1.0
    if share > SHARES[1]:
        return Chosen(value=0, why="animals are not small in the frame")
    return Chosen(value=fits[0], why=f"animals are {extent:.0f} scaled px, {share:.0%} of a frame")


def _radius(facts: LabelFacts, cell: float) -> Chosen:
    low, high = (cell * cells for cells in CELLS)
    if not np.isfinite(facts.spacing):
        return Chosen(value=round(high, 1), why=f"a cell is {cell:.1f} px")
    value = float(np.clip(NEAR * facts.spacing, low, high))
    return Chosen(
        value=round(value, 1),
        why=f"a cell is {cell:.1f} px, neighbouring bodyparts are {facts.spacing:.0f} px apart",
    )


def cell_of(config: Config) -> float:
    """Side of a cell of the maps in source pixels; crops have none."""
    return 0.0 if config.kind.pooled else STRIDE / config.scale
