"""Several animals: frames to individuals of each, which `beampose track` makes tracks of."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from upath import UPath

from beampose.core.infos import ModelInfo
from beampose.core.names import DESCRIPTORS, WINDOW
from beampose.core.settings.experiment import Config
from beampose.formats import individuals_file
from beampose.formats.deeplabcut import track_writer, vector_shelf
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import animal_crops, keypoint_settings, keypoint_stills
from beampose.pipelines.predict.animal_crops import CROPS
from beampose.pipelines.predict.animals_looker import AnimalsLooker
from beampose.pipelines.predict.frame_reader import batches
from beampose.pipelines.predict.keypoint_predictor import KeypointPredictor
from beampose.pipelines.predict.predictor import Described, Result, Results
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Frame, Video
from beampose.trainer import assemble
from beampose.trainer.assemble import Rules

if TYPE_CHECKING:
    from beampose.pipelines.predict.inference import SavedModelHandler
    from beampose.trainer.frame_predictor import FramePredictor

# What a model is asked for the shapes of its answers, where no frame could be decoded.
BLANK = np.zeros((1, 64, 64, 3), np.uint8)
# What may be kept as well: each animal cut out, as features; and of DeepLabCut's files the large
# ones, every peak with its links, every vector.
FULL, VECTORS = "full", "bpt_features"
FILES = {CROPS: (), FULL: ("_full.pickle",), VECTORS: vector_shelf.ENDINGS}
# Of a frame, what is not written with the individuals.
NOT_WRITTEN = ("edge_costs", "identity", WINDOW)


@dataclasses.dataclass(frozen=True)
class Animals(KeypointPredictor):
    """A model that finds several animals in a frame; a `predictor.Predictor`.

    Attributes:
      model_digest: of the SavedModel.
      rules: of assembly.
      cell: source pixels from one cell of the maps to the next.
      apart: source pixels that two peaks of a bodypart are apart at least.
      also: what is kept as well, names of `FILES`.
    """

    model_digest: str
    rules: Rules
    cell: float
    apart: float
    also: tuple[str, ...] = ()

    signature = DESCRIPTORS

    @property
    def endings(self) -> tuple[str, ...]:
        large = [ending for name in self.also for ending in FILES[name]]
        return (individuals_file.ENDING, "_assemblies.pickle", "_meta.pickle", *large)

    def infer(
        self,
        part: Range,
        frames: Iterator[Frame],
        handler: "SavedModelHandler",
        model: "FramePredictor",
    ) -> Result:
        """Arrays of `outputs.individuals`, but `frames`, a row a frame of the range.

        With `full` among `also`, those of `tracks.write_detections` too. A frame that failed has
        nobody in it.
        """
        rows: dict[int, dict[str, np.ndarray]] = {}
        failures: list[tuple[int, str]] = []
        looker = AnimalsLooker(self._followed(part), handler.batch_size, model, self.rules)
        for batch in batches(frames, handler.batch_size, failures):
            rows.update(self._found(batch, handler, model, looker))
        nobody = self._nobody(next(iter(rows.values()), None), model) if failures else {}
        each = [rows.get(number, nobody) for number in part.frames]
        if isinstance(part.video, Stills):
            # From one photograph to the next nobody is tracked.
            each = [{name: one[name] for name in ("keypoints", "single")} for one in each]
        return Result({name: np.stack([one[name] for one in each]) for name in each[0]}, failures)

    def write(
        self, stem: UPath, video: Video, frames: np.ndarray, results: Results
    ) -> dict[str, Any]:
        """The individuals of all frames, and DeepLabCut's files of them; piece by piece."""
        names = self._names
        seen = np.zeros(len(self._animals) + 1, int)
        by_windows = 0

        def pieces() -> Iterator[dict[str, np.ndarray]]:
            nonlocal by_windows
            at = 0
            for one in results.each():
                # Ranges of a version before looked at whole frames.
                by_windows += int(np.sum(one.arrays.get(WINDOW, 0)))
                kept = {k: v for k, v in one.arrays.items() if k not in NOT_WRITTEN}
                numbers = frames[at : at + len(kept["keypoints"])]
                at += len(numbers)
                there = ~np.isnan(kept["keypoints"][..., 0]).all(axis=-1)
                seen[:] += np.bincount(there.sum(axis=1), minlength=len(seen))
                yield {"frames": numbers, **kept}

        individuals_file.write(stem, self._head(video), pieces())
        track_writer.write_assemblies(stem, self._assembled(frames, results))
        if FULL in self.also:
            head = track_writer.Detections(
                self.rules.edges, self.cell, self.rules.min_likelihood, self.apart
            )
            track_writer.write_detections(
                stem, _detected(frames, results), names, video.count, head
            )
        if VECTORS in self.also:
            vector_shelf.write(stem, _described(frames, results), video.count)
        keypoint_settings.write_meta(stem, video, self.scorer, self.config)
        counted = np.arange(len(seen))
        return {
            "scorer": self.scorer,
            "individuals": list(self._animals),
            "individuals_found": int((counted * seen).sum()),
            "frames_by_individuals": {str(n): int(count) for n, count in enumerate(seen) if count},
            "rows_without_result": int(seen[0]),
            "rows_by_window": by_windows,
            "remark": self.view.remark(video.height, video.width),
        }

    def write_stills(self, stem: UPath, stills: Stills, results: Results) -> dict[str, Any]:
        """DeepLabCut's h5 and csv of several individuals, rows by image; nobody is tracked."""
        counts = keypoint_stills.write_several(
            stem, stills, results, list(self._animals), self._names
        )
        seen = np.bincount(counts, minlength=1)
        return {
            "scorer": self.scorer,
            "individuals": list(self._animals),
            "individuals_found": int(counts.sum()),
            "frames_by_individuals": {str(n): int(count) for n, count in enumerate(seen) if count},
            "rows_without_result": int(seen[0]),
        }

    @property
    def _animals(self) -> Sequence[str]:
        return self.rules.individuals[: self.rules.animals]

    @property
    def _names(self) -> track_writer.Names:
        parts, unique = self.rules.bodyparts, self.rules.unique
        common = [part for i, part in enumerate(parts) if i not in unique]
        return track_writer.Names(self.scorer, common, [parts[i] for i in unique])

    def _head(self, video: Video) -> individuals_file.Head:
        return individuals_file.Head(
            scorer=self.scorer,
            individuals=list(self._animals),
            bodyparts=self._names.bodyparts,
            unique=self._names.unique,
            identity=self.rules.identity,
            model_digest=self.model_digest,
            frames=video.count,
            fps=video.fps,
            height=video.height,
            width=video.width,
        )

    def _found(
        self,
        batch: list[Frame],
        handler: "SavedModelHandler",
        model: "FramePredictor",
        looker: AnimalsLooker,
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Number and arrays of each frame of a batch."""
        pixels = [frame.pixels for frame in batch if frame.pixels is not None]
        looks = looker.found([self.view.apply(one) for one in pixels])
        # Affinities belong to the places the model saw, so animals are assembled before these move.
        found = []
        for look, frame in zip(looks, pixels, strict=True):
            moved = self.view.undo(look.outputs["peaks"], *frame.shape[:2])
            arrays = self._arrays({**look.outputs, "peaks": moved}, look.chosen)
            found.append({**arrays, WINDOW: np.array(look.by_windows, np.uint8)})
        if CROPS in self.also:
            animal_crops.embed(pixels, found, handler, model)
        yield from zip([frame.index for frame in batch], found, strict=True)

    def _arrays(self, one: dict[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays that are kept of a frame.

        Args:
          one: outputs of the model.
          chosen: (individuals, bodyparts), of `assemble.choose`.
        """
        unique = list(self.rules.unique)
        common = np.setdiff1d(np.arange(chosen.shape[1]), unique)
        keypoints = assemble.gather(one, chosen).astype(np.float32)
        own = chosen[: self.rules.animals, common]
        described = one["descriptors"][common, np.maximum(own, 0)].astype(np.float16)
        found = {
            "keypoints": keypoints[: self.rules.animals, common],
            "single": keypoints[-1, unique],
            "peaks": np.concatenate([one["peaks"], one["likelihood"][..., None]], axis=-1),
            "descriptors": np.where(own[..., None] >= 0, described, np.float16(0)),
        }
        if CROPS in self.also:
            # Of nobody it stays 0.
            found["crops"] = np.zeros(described.shape[::2], np.float16)
        if FULL in self.also:
            found["edge_costs"] = one["edge_costs"].astype(np.float16)
            if "identity" in one:
                found["identity"] = one["identity"].astype(np.float16)
        return found

    def _nobody(
        self, like: dict[str, np.ndarray] | None, model: "FramePredictor"
    ) -> dict[str, np.ndarray]:
        """Arrays of a frame in which nothing was found."""
        if like is None:
            one = {name: value[0] for name, value in model.predict(BLANK, DESCRIPTORS).items()}
            nothing = np.full((len(self.rules.individuals), len(self.rules.bodyparts)), -1)
            like = {**self._arrays(one, nothing), WINDOW: np.zeros((), np.uint8)}
        missing = ("keypoints", "single")
        return {k: np.full_like(v, np.nan if k in missing else 0) for k, v in like.items()}

    def _assembled(
        self, frames: np.ndarray, results: Results
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
        for number, one in _rows(frames, results):
            yield number, one["keypoints"], one["single"] if len(one["single"]) else None


def of_model(config: Config, info: ModelInfo, digest: str) -> Described:
    """See `predictors.of_model`."""
    if config.predict.dynamic:
        raise ValueError(
            f"predict.dynamic follows one animal, the model in {config.model} finds several. "
            f"Received: {config.predict.dynamic}."
        )
    view = keypoint_settings.view(config, info)
    predictor = Animals(
        scorer=info.dlc_scorer,
        model_digest=digest,
        rules=assemble.rules(info),
        config=keypoint_settings.dlc_config(config, info),
        cell=info.recipe.stride / info.recipe.scale,
        apart=info.assembly.apart if info.assembly else 0.0,
        view=view,
        following=keypoint_settings.following(config, info),
        also=tuple(config.predict.also),
    )
    settings = keypoint_settings.looked(config, keypoint_settings.settings(config, "also"))
    return Described(predictor, predictor.scorer, settings, view)


def _rows(frames: np.ndarray, results: Results) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Number and arrays of one frame after the other."""
    numbers = iter(frames)
    for one in results.each():
        for i in range(len(one.arrays["keypoints"])):
            yield int(next(numbers)), {name: values[i] for name, values in one.arrays.items()}


def _detected(frames: np.ndarray, results: Results) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    for number, one in _rows(frames, results):
        yield number, {**one, "peaks": one["peaks"][..., :2], "likelihood": one["peaks"][..., 2]}


def _described(
    frames: np.ndarray, results: Results
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    for number, one in _rows(frames, results):
        yield number, one["keypoints"], one["descriptors"]
