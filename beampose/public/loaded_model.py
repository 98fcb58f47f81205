"""A trained model, asked with NumPy arrays."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from beampose.core import artefacts, files, task_kinds
from beampose.core.infos import ModelInfo
from beampose.core.wording import counted
from beampose.public import given_paths
from beampose.public.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, eq=False, repr=False, match_args=False)
class ClassScores:
    """Classes of crops.

    Attributes:
      scores: float32 (crops, classes), each row adds up to 1.
      classes: names of the columns, the positive class first.
    """

    scores: np.ndarray
    classes: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """The likeliest class of each crop."""
        return [self.classes[i] for i in self.scores.argmax(axis=1)]

    def to_pandas(self) -> "pd.DataFrame":
        """A row a crop, a column a class."""
        import pandas as pd

        return pd.DataFrame(self.scores, columns=pd.Index(self.classes))

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        counts = np.bincount(self.scores.argmax(axis=1), minlength=len(self.classes))
        found = ", ".join(f"{n} {name}" for n, name in zip(counts, self.classes, strict=True))
        return f"<ClassScores: {counted(len(self), 'crop')}, {found}>"

    def _repr_html_(self) -> str:
        return f"{self.to_pandas().head().to_html()}<pre>{escape(repr(self))}</pre>"


class Model:
    """A trained model. Needs TensorFlow, and neither Beam nor a cloud client.

    Attributes:
      folder: of the model, as it is found from anywhere.
      task: pose or crops.
      bodyparts: that it finds; none of a crop model.
      individuals: names of the animals it tells apart, or of the rows it assembles.
      classes: of crops, the positive class first; none of a pose model.
      scorer: as in the names of files of predictions.
      frame_size: height and width of the frames that it learned from, in pixels.
    """

    def __init__(self, folder: str):
        """Loads the model of a folder.

        Raises:
          FileNotFoundError: there is none, or its training was not finished.
          ValueError: a file is damaged.
        """
        from beampose.trainer import assemble
        from beampose.trainer.frame_predictor import FramePredictor

        # The working directory may be another by the time that another process loads it.
        folder = files.absolute(folder)
        info = artefacts.require(folder, ModelInfo)
        self.folder = folder
        self.task = info.task
        self.bodyparts: tuple[str, ...] = tuple(info.bodyparts)
        self.individuals: tuple[str, ...] = tuple(info.individuals)
        self.classes: tuple[str, ...] = tuple(info.classes)
        self.scorer = info.dlc_scorer
        self.frame_size: tuple[int, int] = tuple(info.frame_size or ())  # pyright: ignore[reportAttributeAccessIssue]
        # A training may put another model into the folder.
        self._info = info
        self._kind = task_kinds.of_info(info)
        self._rules = assemble.rules(info) if self._kind.several else None
        self._loaded = FramePredictor(folder)

    def predict(
        self, frames: np.ndarray | Sequence[np.ndarray], *, batch_size: int = 8
    ) -> Predictions | ClassScores:
        """Predicts frames, or classifies crops.

        Args:
          frames: uint8 (frames, height, width, 3), RGB; or a list of images (height, width, 3),
            also of several sizes.
          batch_size: images that the network sees together; more take more memory.

        Returns:
          Of a pose model `Predictions`, numbered from 0, in pixels of each image; of several
          animals each frame is assembled by itself, and nobody is tracked. Of a crop model
          `ClassScores`.

        Raises:
          ValueError: an image of another type or shape, or a batch of less than one.
        """
        _check_batch(batch_size)
        _check_several(frames)
        images = [_checked(i, image) for i, image in enumerate(frames)]
        if not self._kind.points:
            scores = np.empty((len(images), len(self.classes)), np.float32)
            for places, outputs in self._outputs(images, batch_size):
                scores[places] = outputs["scores"]
            return ClassScores(scores, self.classes)
        values = np.empty((len(images), len(self.individuals), len(self.bodyparts), 3))
        read = self._animals if self._kind.several else self._keypoints
        for places, outputs in self._outputs(images, batch_size):
            values[places] = read(outputs)
        return Predictions(
            keypoints=values[..., :2],
            likelihood=values[..., 2],
            frames=np.arange(len(images)),
            individuals=self.individuals,
            bodyparts=self.bodyparts,
            scorer=self.scorer,
            several=self._kind.several,
            unique_bodyparts=self._unique,
        )

    def predict_video(
        self,
        video: str | os.PathLike,
        *,
        start: int = 0,
        stop: int | None = None,
        every: int = 1,
        batch_size: int = 8,
    ) -> Predictions:
        """Predicts a film, frame by frame, without keeping frames in memory; nothing is written.

        Args:
          start, stop: number of the first frame, and of the one after the last; None is the end.
          every: predicts each so many frames.
          batch_size: as of `predict`.

        Returns:
          Predictions with the frames' numbers; NaN for a frame that cannot be decoded. Animals are
          followed by windows, as by `beampose predict`.

        Raises:
          FileNotFoundError: no such film.
          ValueError: it cannot be read, no frame is chosen, a number is none of a frame, or the
            model is of crops.
        """
        from beampose.public import video_frames

        _check_batch(batch_size)
        if not self._kind.points:
            raise ValueError(
                "The model classifies crops, and a film must be searched for them first: use "
                "`beampose predict`, or `predict` with crops."
            )
        path = given_paths.text(video, "a video")
        chosen = video_frames.choose(path, start=start, stop=stop, every=every)
        read = video_frames.of_animals if self._kind.several else video_frames.of_one_animal
        values = read(self._info, self._loaded, chosen, batch_size)
        return Predictions(
            keypoints=values[..., :2],
            likelihood=values[..., 2],
            frames=np.array(chosen.frames),
            individuals=self.individuals,
            bodyparts=self.bodyparts,
            scorer=self.scorer,
            several=self._kind.several,
            unique_bodyparts=self._unique,
        )

    @property
    def _unique(self) -> tuple[str, ...]:
        unique = self._rules.unique if self._rules else ()
        return tuple(self.bodyparts[i] for i in unique)

    def _outputs(
        self, images: Sequence[np.ndarray], batch_size: int
    ) -> Iterator[tuple[list[int], dict[str, np.ndarray]]]:
        """Of images of one size together, wherever they stand; with their places."""
        from beampose.trainer import frame_predictor, model_calls

        of_size: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(images):
            of_size.setdefault(image.shape, []).append(i)
        for places in of_size.values():
            for start in range(0, len(places), batch_size):
                batch = places[start : start + batch_size]
                frames, size = [images[i] for i in batch], model_calls.few(len(batch), batch_size)
                yield batch, frame_predictor.outputs(self._loaded, frames, size)

    def _keypoints(self, outputs: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([outputs["keypoints"], outputs["likelihood"][..., None]], axis=-1)

    def _animals(self, outputs: dict[str, np.ndarray]) -> np.ndarray:
        from beampose.trainer import assemble

        assert self._rules is not None
        count = len(outputs["likelihood"])
        each = ({name: value[i] for name, value in outputs.items()} for i in range(count))
        return np.stack([assemble.assemble(one, self._rules) for one in each])

    def __reduce__(self) -> tuple[Callable[[str, str], "Model"], tuple[str, str]]:
        """Goes to another process as its folder, from which it is loaded there.

        There ValueError is raised if the folder holds another model by then.
        """
        return _same, (self.folder, self._info.digest)

    def __repr__(self) -> str:
        names = ", ".join(self.bodyparts or self.classes)
        animals = f" of {len(self.individuals)} individuals" if self._kind.several else ""
        return f"<Model for {self.task}{animals}: {names}. {self.folder}>"

    def _repr_html_(self) -> str:
        rows = {
            "task": self.task,
            "bodyparts": ", ".join(self.bodyparts),
            "individuals": ", ".join(self.individuals),
            "classes": ", ".join(self.classes),
            "learned from frames of": "{}x{} px".format(*self.frame_size[::-1]),
            "folder": self.folder,
        }
        cells = "".join(
            f"<tr><th>{name}</th><td>{escape(value)}</td></tr>"
            for name, value in rows.items()
            if value
        )
        return f"<table>{cells}</table>"


def _same(folder: str, digest: str) -> Model:
    """The model of a folder, if it is still the one of this digest.

    Those of versions before have no digest in their info, and are not told apart.
    """
    info = artefacts.require(folder, ModelInfo)
    if digest and info.digest != digest:
        raise ValueError(
            f"{folder} holds another model than the one that was loaded from there and is copied "
            "or sent to another process: load it again with beampose.load_model."
        )
    return Model(folder)


def _check_several(frames: object) -> None:
    """Raises ValueError for a path, and for one image where several are wanted."""
    if isinstance(frames, (str, bytes, os.PathLike)):
        raise ValueError(
            f"predict takes frames as arrays, and predict_video a film. Received: {frames!r}."
        )
    # Of NumPy and of Pillow.
    shape = np.asarray(frames).shape if hasattr(frames, "__array_interface__") else ()
    if len(shape) == 2 or (len(shape) == 3 and shape[-1] in (3, 4)):
        raise ValueError(
            f"predict takes several images, and this is one, of the shape {shape}: put it into a "
            "list, as in predict([image])."
        )


def _check_batch(size: int) -> None:
    if not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"batch_size must be a whole number of 1 or more. Received: {size!r}.")


def _checked(number: int, image: np.ndarray) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3 or 0 in pixels.shape:
        raise ValueError(
            f"frames must be uint8 (frames, height, width, 3), RGB, or a list of such images. "
            f"Received: image {number} is {pixels.dtype} {pixels.shape}."
        )
    return pixels
