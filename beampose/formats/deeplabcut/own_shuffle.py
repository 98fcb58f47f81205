"""A shuffle of a DeepLabCut project that stands for a model of ours.

DeepLabCut's project functions look for results under the scorer that they make of a project, a
shuffle and its last snapshot (`auxiliaryfunctions.get_scorer_name`). So the project gets a shuffle
of its own for our model: the folder and the settings that this name is made of, and a snapshot that
says that it holds no weights.
"""

import glob
import re
from typing import NamedTuple

import yaml

from beampose.core import files, json_files, storage
from beampose.formats.deeplabcut import pose_config, project_config

CONFIG, MARK = "config.yaml", "beampose.json"
_MODELS = ("dlc-models", "dlc-models-pytorch")
_SHUFFLE = re.compile(r"shuffle(\d+)$")
_NOTE = "beampose: results of a model that DeepLabCut cannot load stand under this name.\n"


class Shuffle(NamedTuple):
    """A shuffle that stands for a model.

    Attributes:
      number: to be given to DeepLabCut's functions as `shuffle`.
      scorer: by which DeepLabCut looks for its results.
      folder: of the model in the project.
    """

    number: int
    scorer: str
    folder: str


class Model(NamedTuple):
    """What is said of a model.

    Attributes:
      digest: of it; another model of ours gets another shuffle.
      bodyparts: in its order.
      steps: of training.
      scale: of images that it sees.
    """

    digest: str
    bodyparts: tuple[str, ...]
    steps: int
    scale: float


def ensure(project: str, model: Model, number: int | None = None) -> Shuffle:
    """The shuffle of a model in a project, made if it is not there.

    Args:
      project: folder, or its config.yaml.
      number: to be used; None: the one that the model has, or the first that is free.

    Raises:
      FileNotFoundError: no such project.
      ValueError: it cannot be read, has other bodyparts, or the shuffle belongs to another model.
    """
    root = files.parent(project) if files.name(project) == CONFIG else project
    text, _ = project_config.read(files.join(root, CONFIG))
    known = project_config.bodyparts(text)
    if missing := [part for part in model.bodyparts if part not in known]:
        raise ValueError(
            f"{root} lacks the bodyparts {', '.join(missing)} of the model: name the project that "
            "its labels are from."
        )
    names = project_config.names(text, root)
    base = files.join(root, _MODELS[0], f"iteration-{project_config.iteration(text)}")
    taken = _taken(root, project_config.iteration(text))
    if number is None:
        own = [n for n, digest in taken.items() if digest == model.digest]
        number = own[0] if own else next(n for n in range(1, len(taken) + 2) if n not in taken)
    elif taken.get(number, model.digest) != model.digest:
        raise ValueError(
            f"shuffle {number} of {root} is another model's: its results would be mixed with ours. "
            "Leave --shuffle out, or name a free number."
        )
    folder = f"{base}/{names.task}{names.date}-trainset{names.percent}shuffle{number}"
    scorer = f"DLC_{pose_config.NETWORK}_{names.task}{names.date}shuffle{number}_{model.steps}"
    _write(folder, model)
    return Shuffle(number, scorer, folder)


def _taken(root: str, iteration: int) -> dict[int, str]:
    """Numbers of the shuffles there are, with the digest of ours; "" of DeepLabCut's."""
    found: dict[int, str] = {}
    places = [files.join(root, name, f"iteration-{iteration}") for name in _MODELS]
    sets = files.join(root, "training-datasets", f"iteration-{iteration}", "*")
    folders = [path for place in places for path in files.matching(f"{glob.escape(place)}/*")]
    for path in [*folders, *files.matching(f"{sets}/Documentation_data-*.pickle")]:
        match = _SHUFFLE.search(path.removesuffix(".pickle"))
        if match is None:
            continue
        mark = files.join(path, MARK)
        own = files.is_folder(path) and files.exists(mark)
        told = json_files.record(files.read_bytes(mark), mark, "model") if own else {}
        found[int(match[1])] = str(told.get("model", ""))
    return found


def _write(folder: str, model: Model) -> None:
    config = pose_config.of_model(model.bodyparts, pose_config.NET_TYPE, model.scale)
    config |= {"engine": "tensorflow", "init_weights": f"snapshot-{model.steps}"}
    text = yaml.safe_dump(config, sort_keys=True)
    train = files.join(folder, "train")
    for old in files.matching(f"{glob.escape(train)}/snapshot-*.index"):
        storage.place(old).unlink()
    storage.write_text(files.join(train, "pose_cfg.yaml"), text)
    storage.write_text(files.join(folder, "test", "pose_cfg.yaml"), text)
    storage.write_text(files.join(train, f"snapshot-{model.steps}.index"), _NOTE)
    storage.write_json(files.join(folder, MARK), {"model": model.digest})
