"""Animal pose and wildlife crops: label a few frames, embed them once, train a head in a minute.

    import beampose

    # DeepLabCut, SLEAP, COCO, ImageJ, folders of crops.
    labels = beampose.load_labels("mouse-me-2026-01-01")
    labels.keypoints  # float64 (frames, individuals, bodyparts, 2)

    # A file, or the same keys as keywords.
    experiment = beampose.Experiment("mouse.yaml")
    experiment.features()
    experiment.train()
    experiment.predict("film.mp4")

    # uint8 (frames, height, width, 3), RGB.
    model = beampose.load_model("runs/mouse/model")
    found = model.predict(frames)

    # Several cameras: points in space.
    rig = beampose.load_calibration("calibration.toml")
    points = beampose.triangulate(rig, {"left": found_left, "right": found_right})

    # Files of beampose and of DeepLabCut.
    found = beampose.load_predictions("filmDLC_resnet50_mouseJan1shuffle1_1000.h5")
    found.to_pandas()

Coordinates are x, then y, in pixels of the image, from its upper left corner; NaN is a point that
is not labeled or was not found. Results show themselves as tables in a notebook. What fails raises
ValueError, FileNotFoundError or another OSError with the sentence that the command line prints.
Heavy libraries are imported by what needs them: TensorFlow by models, Beam by `Experiment.features`
and `Experiment.predict`. Names that are not listed here may change.
"""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from beampose.core import __version__

if TYPE_CHECKING:
    from beampose.preprocess.cameras import Rig
    from beampose.preprocess.labels import Labels
    from beampose.preprocess.points import Points
    from beampose.public.experiments import Experiment
    from beampose.public.loaded_model import ClassScores, Model
    from beampose.public.predictions import Predictions

__all__ = [
    "ClassScores",
    "Experiment",
    "Labels",
    "Model",
    "Points",
    "Predictions",
    "Rig",
    "__version__",
    "load_calibration",
    "load_labels",
    "load_model",
    "load_points",
    "load_predictions",
    "triangulate",
]

# In a checkout `preprocess`, `trainer` and `pipelines` lie beside this folder, not in it.
if (Path(__file__).parent.parent / "setup.py").is_file():
    __path__.append(str(Path(__file__).parent.parent))

_CLASSES = {
    "ClassScores": "beampose.public.loaded_model",
    "Experiment": "beampose.public.experiments",
    "Labels": "beampose.preprocess.labels",
    "Model": "beampose.public.loaded_model",
    "Points": "beampose.preprocess.points",
    "Predictions": "beampose.public.predictions",
    "Rig": "beampose.preprocess.cameras",
}


def load_labels(
    path: str | os.PathLike,
    format: str | None = None,
    *,
    scorer: str | Sequence[str] | None = None,
    bodyparts: Sequence[str] | None = None,
) -> "Labels":
    """Labeled frames or crops of any format that beampose reads.

    Args:
      path: project folder, crop folder or file, local or an address such as gs://bucket/folder.
      format: deeplabcut, imagej, sleap, coco, crops or csv, or one that another package adds; None
        recognizes it by what is there.
      scorer: whose labels of a DeepLabCut project; of several scorers the mean is taken.
      bodyparts: which bodyparts and in what order; None for the project's own.

    Returns:
      The labels. Files and rows that cannot be read are in its `problems`.

    Raises:
      FileNotFoundError: nothing is there.
      ValueError: the source as a whole cannot be read.
    """
    from beampose import formats
    from beampose.core import files, mistaken_paths
    from beampose.public import given_paths

    if isinstance(bodyparts, str):
        raise ValueError(f"bodyparts must be a list of names, such as ['{bodyparts}'].")
    given = given_paths.text(path, "a project, or a folder or file of labels")
    place = files.absolute(given)
    files.require(place, "labels at")
    chosen = None if bodyparts is None else list(bodyparts)
    with mistaken_paths.told(given, mistaken_paths.LABELS):
        return formats.read(format or formats.guess(place), place, scorer=scorer, bodyparts=chosen)


def load_predictions(path: str | os.PathLike) -> "Predictions":
    """Predictions of a video, of beampose or of DeepLabCut.

    Args:
      path: an h5 or csv in DeepLabCut's layout, of one animal or of tracks of several, filtered or
        not; or the `_individuals.hdf5` of several animals before they are tracked.

    Raises:
      FileNotFoundError: no such file.
      ValueError: another layout; the text names the file.
    """
    from beampose.core import mistaken_paths
    from beampose.public import given_paths, predictions

    given = given_paths.text(path, "a file of predictions")
    with mistaken_paths.told(given, mistaken_paths.PREDICTIONS):
        return predictions.read(given)


def load_model(folder: str | os.PathLike) -> "Model":
    """A trained model, ready to predict frames.

    Args:
      folder: the folder `model` in the output of an experiment, local or an address.

    Raises:
      FileNotFoundError: there is no model, or its training was not finished.
      ValueError: a file of the model is damaged.
    """
    from beampose.core import mistaken_paths
    from beampose.public import given_paths
    from beampose.public.loaded_model import Model

    given = given_paths.text(folder, "the folder of a model")
    with mistaken_paths.told(given, mistaken_paths.MODEL):
        return Model(given)


def load_calibration(path: str | os.PathLike) -> "Rig":
    """Calibrated cameras.

    Args:
      path: a calibration.toml of beampose or Anipose, stereo_params.pickle of DeepLabCut, YAML of
        OpenCV, or a folder of these.

    Raises:
      FileNotFoundError: nothing is there.
      ValueError: no calibration; the text names the file.
    """
    from beampose.core import mistaken_paths
    from beampose.formats import calibrations
    from beampose.public import given_paths

    given = given_paths.text(path, "a calibration")
    with mistaken_paths.told(given, mistaken_paths.CALIBRATION):
        return calibrations.read(given)


def load_points(path: str | os.PathLike) -> "Points":
    """Points in space of a recording.

    Args:
      path: an h5 in DeepLabCut's 3D layout, with the radii of the table beside it, or a csv in
        Anipose's, with errors and numbers of views.

    Raises:
      FileNotFoundError: no such file.
      ValueError: another layout; the text names the file.
    """
    from beampose.core import mistaken_paths
    from beampose.public import given_paths, space

    given = given_paths.text(path, "a file of points")
    with mistaken_paths.told(given, mistaken_paths.POINTS):
        return space.load(given)


def triangulate(
    calibration: "Rig | str | os.PathLike",
    views: "Mapping[str, Predictions]",
    *,
    pcutoff: float = 0.6,
    radius: "Mapping[str, float] | None" = None,
    max_error: float | None = None,
) -> "Points":
    """Points in space from the predictions of several views, instant by instant.

    Args:
      calibration: of the cameras, or its file.
      views: predictions by the name of their camera; frames of one number are one instant.
      pcutoff: likelihoods below it are not used.
      radius: pixels that hold nine in ten errors of a bodypart in a view; None: learned from how
        well the views agree.
      max_error: pixels from which a view is left out; None: as the radii say.

    Raises:
      ValueError: an unknown camera, no common frame or bodypart, or individuals in some views only.
    """
    from beampose.public import space

    return space.triangulate(
        calibration, views, pcutoff=pcutoff, radius=radius, max_error=max_error
    )


def __getattr__(name: str) -> object:
    if name not in _CLASSES:
        raise AttributeError(f"module 'beampose' has no attribute {name!r}")
    return getattr(import_module(_CLASSES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
