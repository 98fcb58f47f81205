"""A trained model for another runtime: written, run there, and held against the SavedModel."""

import dataclasses
import importlib.util
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from upath import UPath

from beampose.core import __version__, artefacts, storage, task_kinds
from beampose.core.files import join
from beampose.core.infos import ExportInfo, ModelInfo
from beampose.core.names import EXPORTS, SAVED_MODEL
from beampose.core.settings.experiment import Config
from beampose.pipelines.exports import agreement
from beampose.pipelines.outcome import Outcome

LOG = logging.getLogger(__name__)
# What writes or runs a format beside TensorFlow.
NEEDS = {"tflite": ("ai_edge_litert",), "onnx": ("onnx", "onnxruntime", "tf2onnx")}
# Formats that take images of one size.
FIXED = ("tflite", "onnx")
INFO = "model.json"
# What an export of another model for DeepLabCut-live may have left.
GRAPHS = "snapshot-*.pb"
# Longest side that can be asked for, in pixels.
MOST = 16384


@dataclasses.dataclass(frozen=True, repr=False)
class Exported(Outcome):
    """A model of another format.

    Attributes:
      file: that was written.
      info: what it takes and gives, and how far its answers are from the SavedModel's.
    """

    file: str
    info: ExportInfo

    def lines(self) -> Iterator[str]:
        one = self.info
        size = (
            "any size" if one.size is None else f"{one.size[1]}x{one.size[0]} px (width x height)"
        )
        off = f"{one.difference_px:.2g} px and " if one.difference_px is not None else ""
        yield (
            f"export: {one.format_name} for images of {size}, {one.bytes / 1e6:.1f} MB, "
            f"{one.milliseconds:.0f} ms an image here; at most {off}{one.difference:.1g} in "
            f"likelihood from the SavedModel. {self.file}"
        )


class Written(NamedTuple):
    """An export: its file, what opens it, and the size of image that it takes (None = any)."""

    file: UPath
    opened: Callable[[], Callable[[np.ndarray], agreement.Answers]]
    size: tuple[int, int] | None


def run(
    config: Config, format_name: str, to: str | None = None, size: str | None = None
) -> Exported:
    """Writes the model in a format, runs it once, and compares.

    Args:
      to: folder; None = `export/<format>` in the experiment's output.
      size: HEIGHTxWIDTH of the images, of the formats that need it; None = as in training.

    Raises:
      ValueError: the model or the size does not suit the format, or the export answers otherwise.
    """
    info = artefacts.require(config.model, ModelInfo)
    _check(info, format_name, size)
    frame_size = _size(info, size)
    folder = storage.place(to or join(config.output, "export", format_name))
    from beampose.trainer.frame_predictor import FramePredictor
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    storage.check_writable(str(folder))
    frame = agreement.frame(config, frame_size)
    expected = FramePredictor(config.model).predict(frame[None])
    # Only what was run and agrees takes the place of an export before.
    with tempfile.TemporaryDirectory() as scratch:
        made = storage.place(scratch)
        written = _write(config.model, info, format_name, frame_size, made)
        answer, found, (pixels, probability) = _tried(written, format_name, frame, expected)
        told = ExportInfo(
            made_by=f"beampose {__version__} export",
            format_name=format_name,
            file=written.file.name,
            model_digest=info.digest,
            task=info.task,
            bodyparts=info.bodyparts,
            individuals=info.individuals,
            classes=info.classes,
            size=None if written.size is None else list(written.size),
            outputs={name: list(value.shape) for name, value in sorted(found.items())},
            bytes=_bytes(written.file),
            difference_px=pixels if task_kinds.of_info(info).points else None,
            difference=probability,
            milliseconds=round(agreement.milliseconds(answer, frame), 1),
        )
        artefacts.write_info(made / INFO, told)
        before = _other_size(folder, told)
        _put(Path(scratch), folder)
    if before:
        LOG.warning("NOTE %s: %s", folder / written.file.name, before)
    return Exported(str(folder / written.file.name), told)


def _other_size(folder: UPath, told: ExportInfo) -> str:
    """That an export for images of another size is replaced; empty if none is there."""
    try:
        former = artefacts.find_info(folder / INFO, ExportInfo)
    except (OSError, ValueError):
        return ""  # Of a damaged one nobody knows the size.
    if former is None or former.format_name != told.format_name or former.size == told.size:
        return ""
    sizes = [f"{one[1]}x{one[0]} px" if one else "any size" for one in (told.size, former.size)]
    return (
        f"for images of {sizes[0]} (width x height), it replaced the one for {sizes[1]}; to keep "
        "several, export each size into a folder of its own with --to"
    )


class _Trial(NamedTuple):
    """What an export answered; `off` is how far that is, in pixels and in likelihood."""

    answer: Callable[[np.ndarray], agreement.Answers]
    found: dict[str, np.ndarray]
    off: tuple[float, float]


def _tried(
    written: Written, format_name: str, frame: np.ndarray, expected: agreement.Answers
) -> _Trial:
    """Runs an export once.

    Raises:
      ValueError: its runtime cannot, or it answers otherwise than the model.
    """
    try:
        answer = written.opened()
        found = {name: np.asarray(value) for name, value in answer(frame).items()}
        pixels, probability = agreement.difference(found, expected)
    except Exception as error:  # Whatever a runtime raises of a model that it cannot run.
        raise ValueError(
            f"{format_name} cannot run the model: {str(error).splitlines()[0]}. Nothing was kept."
        ) from error
    if not (pixels <= agreement.PIXELS and probability <= agreement.PROBABILITY):
        raise ValueError(
            f"The export answers {pixels:.2g} px and {probability:.2g} in likelihood otherwise "
            f"than the model; {agreement.PIXELS} and {agreement.PROBABILITY} may be. Nothing was "
            "kept."
        )
    return _Trial(answer, found, (pixels, probability))


def _put(made: Path, folder: UPath) -> None:
    """Puts an export where it belongs, each file whole or not at all, and last what tells of it."""
    for one in sorted(made.iterdir(), key=lambda path: (path.name == INFO, path.name)):
        if one.is_dir():
            with storage.replacing_folder(folder / one.name) as temporary:
                shutil.copytree(one, temporary, dirs_exist_ok=True)
        else:
            with storage.replacing(folder / one.name) as temporary:
                shutil.copyfile(one, temporary)
    graphs = {one.name for one in made.glob(GRAPHS)}
    # DeepLabCut-live takes any graph that it finds; another format leaves what is there.
    for other in storage.whole(folder, GRAPHS) if graphs else ():
        if other.name not in graphs:
            other.unlink()


def _check(info: ModelInfo, format_name: str, size: str | None) -> None:
    if format_name not in EXPORTS:
        raise ValueError(f"format must be one of {', '.join(EXPORTS)}. Received: {format_name!r}.")
    kind = task_kinds.of_info(info)
    if format_name == "dlc-live" and (not kind.points or kind.several):
        raise ValueError(
            "DeepLabCut-live reads models of one animal; this one "
            + ("finds several." if kind.points else "classifies crops.")
            + " Use --format tflite or onnx."
        )
    if size is not None and format_name not in FIXED:
        raise ValueError(
            f"--size has no effect with --format {format_name}, which takes images of any size: "
            "remove it."
        )
    missing = [name for name in NEEDS.get(format_name, ()) if not importlib.util.find_spec(name)]
    if missing:
        raise ValueError(
            f"--format {format_name} needs {', '.join(missing)}: pip install 'beampose[export]'."
        )


def _size(info: ModelInfo, size: str | None) -> tuple[int, int]:
    """Height and width of the images."""
    if size is None:
        if info.recipe.pooled:
            return info.recipe.crop_size, info.recipe.crop_size
        return (info.frame_size[0], info.frame_size[1]) if info.frame_size else (480, 640)
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", str(size).strip())
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= side <= MOST for side in sides):
        raise ValueError(
            f"--size must be HEIGHTxWIDTH in pixels, such as 480x640, {MOST} at most. "
            f"Received: {size!r}."
        )
    return sides


def _write(
    model: str, info: ModelInfo, format_name: str, size: tuple[int, int], folder: UPath
) -> Written:
    if format_name == "saved-model":
        return _copy(model, folder)
    threads = os.cpu_count() or 1
    if format_name == "dlc-live":
        from beampose.pipelines.exports import dlc_live

        file = dlc_live.write(model, info, folder)
        return Written(file, lambda: dlc_live.Runner(file, threads), None)
    from beampose.pipelines.exports import lite, onnx_graph, whole_pipeline

    pipeline = whole_pipeline.build(model, info, size)
    module = lite if format_name == "tflite" else onnx_graph
    file = module.write(pipeline, folder)
    return Written(file, lambda: module.Runner(file, threads), size)


def _copy(model: str, folder: UPath) -> Written:
    """The SavedModel by itself, for TensorFlow Serving and others, which want nothing beside it."""
    from beampose.trainer.frame_predictor import FramePredictor

    source = storage.place(model, SAVED_MODEL)
    target = folder / SAVED_MODEL
    with storage.replacing_folder(target) as temporary, storage.without_wildcards(source) as whole:
        shutil.copytree(whole, temporary, dirs_exist_ok=True)

    def opened() -> Callable[[np.ndarray], agreement.Answers]:
        loaded = FramePredictor(str(folder))
        return lambda frame: loaded.predict(frame[None])

    return Written(target, opened, None)


def _bytes(path: UPath) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
