"""Plan of an experiment before anything is spent: images, bytes, seconds, money."""

import contextlib
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import artefacts, files, storage, task_kinds, yaml_files
from beampose.core.answering import Unanswered
from beampose.core.files import join
from beampose.core.infos import ModelInfo
from beampose.core.names import PLAN
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines import manifest, still_sets
from beampose.pipelines.features import embedding_worker, feature_recipe, labeled_source
from beampose.preprocess import images, videos
from beampose.preprocess.labels import TRAIN, LabeledCrop, LabeledFrame, Labels
from beampose.trainer import embed, recipe
from beampose.trainer.cells import grid

PRICES_FILE = str(Path(__file__).parent / "cloud/prices.yaml")
PROBED = 16
# Videos whose headers are read.
PROBED_FILMS = 8
# Bytes of a stored record beside its features: key, shape, framing.
OVERHEAD = 186
# Beam, tensorflow-transform and the tracing of graphs, on top of the images: seconds, rough.
START = {"store": 8.0, "job": 3.0, "train": 4.0}
# Workers a Dataflow job would get for this many images at least each.
IMAGES_A_WORKER = 2000
PRICES = ("vcpu_hour", "gb_hour", "worker_vcpus", "worker_gb", "start_minutes")


class Plan(NamedTuple):
    """An estimate.

    Attributes:
      images, copies: to embed if the store is empty.
      train, test: labeled images by split.
      unreadable: images of the probe that cannot be read.
      bytes: of the store.
      new_store: its transform has to be learned first.
      features_seconds, train_seconds: on this machine.
      cloud: Dataflow workers, hours and dollars of the feature job, None without prices.
      seconds_each: of one image in the network, on this machine.
      frames: of the config's videos, by the headers of some and the sizes of all.
      pixels: of an image, of the probe's mean or of the first video.
      videos, video_bytes: of the config.
      most: the number of steps is chosen by training, within the budget.
      finetune_steps: that follow the training; their time is not estimated.
    """

    images: int
    copies: int
    train: int
    test: int
    unreadable: int
    bytes: int
    new_store: bool
    features_seconds: float
    train_seconds: float
    cloud: dict[str, Any] | None
    finetune_steps: int = 0
    most: bool = False
    seconds_each: float = 0.0
    frames: int = 0
    pixels: int = 0
    videos: int = 0
    video_bytes: int = 0


def plan(config: Config, prices: str | None, *, films: bool = True) -> Plan:
    """Probes 16 images with the real network and some real training steps.

    Args:
      prices: file as `PRICES_FILE`, None for no dollars.
      films: whether frames of videos are estimated, too.

    Raises:
      OSError, ValueError: the source, the backbone or the prices cannot be used, or no image can.
    """
    from beampose.pipelines.features import analyze

    table = None if prices is None else read_prices(prices)
    labels, splits = labeled_source.read_to_learn(config)
    config, _, facts = feature_recipe.choose(config, labels, splits)
    config = recipe.resolved(config, recipe.of_head(config, facts, recipe.cell_of(config)))
    train = splits.count(TRAIN)
    copies = train * config.copies
    network = embedding_worker.network(config)
    pixels, reading, unreadable = _probe(labels.items)
    each, cells = _embedding(config, pixels)
    dims = config.pca or network.channels
    stored = embed.recipe_id(embedding_worker.recipe(config, network))
    new = not embed.exists(join(config.store, stored, embed.TRANSFORM))
    # Copies that show windows are smaller than images.
    size = float(np.mean([one.shape[0] * one.shape[1] for one in pixels]))
    total = len(labels.items) + round(copies * _share(config, size))
    sampled = len(analyze.sample(labels.items[:train], network.pooled))
    seconds = START["job"] + total * each + len(labels.items) * reading / embedding_worker.READERS
    if new:
        seconds += START["store"] + sampled * (each + reading)
    return Plan(
        images=len(labels.items),
        copies=copies,
        train=train,
        test=len(splits) - train,
        unreadable=unreadable,
        bytes=total * (cells * dims * 2 + OVERHEAD),
        new_store=new,
        features_seconds=seconds,
        train_seconds=_train_seconds(config, dims, labels, cells),
        cloud=None if table is None else _dataflow(total, each + reading, table),
        finetune_steps=config.train.finetune_steps if config.train.mode == "finetune" else 0,
        most=config.train.steps is None,
        seconds_each=each,
        pixels=round(size),
        **(_films(config) if films else {}),
    )


def store_bytes(config: Config, labels: Labels, splits: Sequence[str]) -> int:
    """About how many bytes features take, by the sizes of some images; no network is run.

    Args:
      config: with its scale and copies decided.

    Raises:
      ValueError: no image can be read.
    """
    pixels, _, _ = _probe(labels.items)
    sizes = np.array([one.shape[:2] for one in pixels])
    cells = 1.0
    if not config.kind.pooled:
        cells = float(np.mean([math.prod(grid(h, w, config.scale)) for h, w in sizes.tolist()]))
    copies = splits.count(TRAIN) * config.copies
    total = len(labels.items) + copies * _share(config, float(np.mean(sizes.prod(axis=1))))
    dims = config.pca or embedding_worker.network(config).channels
    return round(total * (cells * dims * 2 + OVERHEAD))


def predicting(config: Config) -> Plan:
    """Plan of a prediction alone: it reads the model and headers of some videos, no labels.

    Raises:
      OSError, ValueError: there is no model.
    """
    from beampose.trainer.frame_predictor import FramePredictor

    artefacts.require(config.model, ModelInfo)
    films, size = _films(config), (480, 640)
    with contextlib.suppress(OSError, ValueError):
        size = videos.frame_size(manifest.expand(config.predict.videos)[0])
    model, batch = FramePredictor(config.model), config.predict.batch_size
    frames = np.zeros((batch, *size, 3), np.uint8)
    model.predict(frames)
    began = time.perf_counter()
    model.predict(frames)
    each = (time.perf_counter() - began) / batch
    nothing = Plan(0, 0, 0, 0, 0, 0, False, 0.0, 0.0, None)
    return nothing._replace(seconds_each=each, pixels=size[0] * size[1], **films)


def describe(found: Plan) -> str:
    """Describes a plan in human-readable lines."""
    lines = [
        f"images    {found.images} labeled ({found.train} train, {found.test} test), "
        f"{counted(found.copies, 'augmented copy')}: {found.images + found.copies} to embed at "
        "most (what the store holds is not embedded again)",
        f"store     {found.bytes / 1e6:.1f} MB",
        f"features  {found.features_seconds:.0f} s on this machine"
        + (", with a new store's transform" if found.new_store else ""),
        f"training  {found.train_seconds:.0f} s on this machine"
        + (" at most" if found.most else "")
        + ", without evaluation",
    ]
    if found.finetune_steps:
        lines.append(
            f"finetune  {counted(found.finetune_steps, 'more step')}, whose time is not "
            "estimated: the first ones tell, and a GPU takes a small part of what a CPU does"
        )
    if found.unreadable:
        lines.append(f"WARNING   {found.unreadable} of {PROBED} probed images cannot be read")
    if found.cloud:
        cloud = found.cloud
        lines.append(
            f"Dataflow  {counted(cloud['workers'], 'worker')} for {cloud['hours'] * 60:.0f} min: "
            f"{cloud['cost']:.2f} {cloud['currency']} (prices of {cloud['date']}; this machine's "
            "speed per core)"
        )
    return "\n".join(lines)


def save(found: Plan, config: Config) -> UPath:
    """Keeps the plan beside the experiment, where the report sets the truth next to it."""
    file = storage.place(config.output, PLAN)
    storage.write_json(file, found._asdict())
    return file


def read_prices(path: str) -> dict[str, Any]:
    """A price table. Raises ValueError naming what it lacks."""
    table = yaml_files.read(path, "price table")
    for key in PRICES:
        price = table.get(key)
        if isinstance(price, bool) or not isinstance(price, (int, float)):
            price = math.nan
        if not 0 <= price < math.inf:
            raise ValueError(f"{path} must hold a number of 0 or more for {key}.")
    return table


def _films(config: Config) -> dict[str, int]:
    try:
        sources = still_sets.expand(config.predict.videos, config.output)
    except FileNotFoundError:
        return {}
    pictures = [size for one in sources.sets for size in one.sizes.values()]
    return {
        "frames": estimated_frames(sources.videos) + len(pictures),
        "videos": len(sources.videos),
        "video_bytes": sum(files.sizes(sources.videos).values()) + sum(pictures),
    }


def _sampled(paths: Sequence[str]) -> Sequence[str]:
    return paths[:: max(len(paths) // PROBED_FILMS, 1)][:PROBED_FILMS]


def estimated_frames(paths: Sequence[str]) -> int:
    """About how many frames videos hold: some say it in their headers, the others by their size."""
    sizes = files.sizes(paths)
    frames = size = 0
    for path in _sampled(paths):
        try:
            count = videos.declared(path)
        except (OSError, ValueError):
            continue
        if count:
            frames, size = frames + count, size + sizes[path]
    return round(frames / size * sum(sizes.values())) if size else 0


def _probe(items: Sequence[LabeledFrame | LabeledCrop]) -> tuple[list[np.ndarray], float, int]:
    """Evenly spread images, the seconds to read one, and how many could not be read."""
    places = np.unique(np.linspace(0, len(items) - 1, PROBED).astype(int))
    found = []
    began = time.perf_counter()
    for i in places:
        try:
            found.append(images.load(items[i].image)[0])
        except Unanswered:
            raise
        except (OSError, ValueError):
            continue
    if not found:
        raise ValueError("None of the probed images can be read. Run `beampose check`.")
    return found, (time.perf_counter() - began) / len(found), len(places) - len(found)


def _embedding(config: Config, pixels: list[np.ndarray]) -> tuple[float, int]:
    """Seconds an image in the network, and the cells of an image's map."""
    model = embedding_worker.without_store(config)
    size = config.features.batch_size
    by_shape: dict[tuple, list[np.ndarray]] = {}
    for one in pixels:
        by_shape.setdefault(one.shape, []).append(one)
    seconds = cells = 0.0
    for alike in by_shape.values():
        batch = embedding_worker.fixed((alike * size)[:size], size)
        shape = model.frames(batch).numpy().shape
        began = time.perf_counter()
        model.frames(batch).numpy()
        seconds += (time.perf_counter() - began) / size * len(alike)
        cells += math.prod(shape[1:-1]) * len(alike)
    return seconds / len(pixels), round(cells / len(pixels))


def _share(config: Config, pixels: float) -> float:
    """Share of an image of so many pixels that a copy of it shows."""
    if config.kind.pooled or not config.window:
        return 1.0
    return min((config.window / config.scale) ** 2 / pixels, 1.0)


def _train_seconds(config: Config, dims: int, labels: Labels, cells: int) -> float:
    """Of the search for the number of steps, if they are not set, and of all heads."""
    from beampose.trainer.step_time import seconds_a_step

    side = max(int(np.sqrt(cells)), 1)
    names, individuals = len(labels.bodyparts or labels.classes), len(labels.individuals)
    window = min(config.train.window or side, side)
    each = seconds_a_step(config, dims=dims, names=names, side=window, individuals=individuals)
    steps = config.train.steps or _affordable(config, dims, labels, cells)
    return config.heads * (START["train"] + steps * each)


def _affordable(config: Config, dims: int, labels: Labels, cells: int) -> int:
    """Steps of one head and the search, which share the budget; heads of folds take no more."""
    from beampose.trainer import cost, graph

    names, individuals = len(labels.bodyparts or labels.classes), len(labels.individuals)
    kind = task_kinds.of_names(config.task, individuals)
    shared = names - len(labels.unique_bodyparts)
    edges = graph.most_edges(shared, len(labels.edges), config.train.edges) if kind.several else 0
    nominal = cost.of_step(
        config,
        kind,
        dims=dims,
        names=names,
        cells=cells,
        individuals=individuals or 1,
        edges=edges,
    )
    return cost.affordable(config, nominal)


def _dataflow(total: int, each: float, table: dict[str, Any]) -> dict[str, Any]:
    cores = os.cpu_count() or 1
    workers = max(1, min(100, round(total / IMAGES_A_WORKER)))
    core_hours = total * each * cores / 3600
    hours = core_hours / (workers * table["worker_vcpus"]) + table["start_minutes"] / 60
    rate = table["worker_vcpus"] * table["vcpu_hour"] + table["worker_gb"] * table["gb_hour"]
    return {
        "workers": workers,
        "hours": hours,
        "cost": workers * hours * rate,
        "currency": table.get("currency", "USD"),
        "date": str(table.get("date", "unknown date")),
    }
