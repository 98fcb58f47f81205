"""The labels of an experiment and the split of each, as its config says."""

import dataclasses
from collections import Counter

from beampose import formats
from beampose.core import artefacts, class_sizes, files, fingerprints, storage, yaml_files
from beampose.core.answering import Unanswered
from beampose.core.infos import DatasetInfo
from beampose.core.names import INFO
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config, Source
from beampose.core.wording import counted
from beampose.formats.deeplabcut import shuffles
from beampose.pipelines.features import label_files
from beampose.preprocess import second_project, split, validate
from beampose.preprocess.labels import ERROR, TRAIN, WARNING, LabeledCrop, Labels, Problem


def read(config: Config) -> tuple[Labels, list[str]]:
    """Labels of the source, and of a project to test with if there is one, and the split of each.

    Raises:
      OSError, ValueError: a source cannot be read or split, or holds no labels.
    """
    labels = _labels(config.source, config.task)
    _refuse_none(labels, config.source.path)
    second = None
    if config.split.test_from:
        second = _tested(config.split.test_from, config)
        _refuse_none(second, config.split.test_from)
    odd = validate.of_points(labels)
    if wrong := next((problem for problem in odd if problem.level == ERROR), None):
        raise ValueError(f"{wrong.file}: {wrong.what}.")
    labels = dataclasses.replace(labels, problems=(*labels.problems, *odd))
    try:
        return _split(labels, second, config)
    except ValueError as error:
        if not labels.problems:
            raise
        # What is left may be so little because of them.
        count = len(labels.problems)
        more = f"The labels have {counted(count, 'problem')}, too: `beampose check` lists them."
        raise ValueError(f"{error} {more}") from None


def read_to_learn(config: Config) -> tuple[Labels, list[str]]:
    """As `read`, for what costs time or money: before a head is found to have nothing to learn.

    Raises:
      OSError, ValueError: as `read`, or the training split has no crop of a class.
    """
    labels, splits = read(config)
    sizes = Counter(
        item.label
        for item, split in zip(labels.items, splits, strict=True)
        if isinstance(item, LabeledCrop) and split == TRAIN
    )
    by_class = {name: sizes[i] for i, name in enumerate(labels.classes)}
    if what := class_sizes.unlearned(TRAIN, by_class):
        raise ValueError(f"{config.source.path}: {what}.")
    return labels, splits


def read_all(config: Config) -> tuple[Labels, list[str]]:
    """As `read`; a source that is empty or cannot be split is a problem of the labels.

    Where it cannot be split, every image is for training.

    Raises:
      OSError, ValueError: a source cannot be read.
    """
    labels = _labels(config.source, config.task)
    second = _tested(config.split.test_from, config) if config.split.test_from else None
    try:
        return _split(labels, second, config)
    except ValueError as error:
        problem = Problem(ERROR, config.source.path, 0, "", str(error))
        labels = dataclasses.replace(labels, problems=(*labels.problems, problem))
        return labels, [TRAIN] * len(labels.items)


def _split(labels: Labels, second: Labels | None, config: Config) -> tuple[Labels, list[str]]:
    settings = config.split
    if second is not None and settings.test_from is not None:
        return second_project.joined(labels, second, settings.test_from)
    if not labels.items:
        return labels, []
    if settings.from_:
        found = shuffles.read(labels.items, settings.from_, settings.shuffle)
        problems = (*labels.problems, *found.notes)
        return dataclasses.replace(labels, problems=problems), found.sides
    if settings.videos:
        return labels, split.named(labels.items, settings.videos)
    by, test, seed = settings.by, settings.test, settings.seed
    views = settings.views or ()
    sides = split.assign(labels.items, by=by, test=test, seed=seed, views=views)
    if by != "folder" and (why := split.undeclared(labels.items, by)):
        note = Problem(WARNING, config.source.path, 0, "", why)
        labels = dataclasses.replace(labels, problems=(*labels.problems, note))
    declared = by == "folder" and config.kind.pooled
    if not declared and (why := split.uneven(sides, test, by)):
        note = Problem(WARNING, config.source.path, 0, "", why)
        labels = dataclasses.replace(labels, problems=(*labels.problems, note))
    return labels, sides


def _labels(source: Source, task: str) -> Labels:
    return formats.read(
        source.format,
        source.path,
        task=task,
        scorer=source.scorer,
        bodyparts=source.bodyparts,
        combine=source.combine,
        empty=source.empty == "negatives",
    )


def _tested(path: str, config: Config) -> Labels:
    """Labels of the project to test with: of an experiment file, or of what lies at a path."""
    if not files.exists(path):
        raise FileNotFoundError(f"split.test_from: {path} does not exist.")
    if _is_experiment(path):
        other = experiment.load(path)
        if other.task != config.task:
            raise ValueError(f"split.test_from: {path} is for task {other.task!r}.")
        return _labels(other.source, config.task)
    format = formats.guess(path)
    if formats.find(format).task != config.task:
        # Folders of crops do not show what they are.
        format = config.source.format
    negatives = config.source.empty == "negatives"
    return formats.read(format, path, task=config.task, empty=negatives)


def _is_experiment(path: str) -> bool:
    """Returns True for an experiment file; DeepLabCut's config.yaml names no source."""
    if files.suffix(path) not in (".yaml", ".yml"):
        return False
    try:
        values = yaml_files.parse(files.read_bytes(path), words=True)
    except ValueError:
        return False
    return isinstance(values, dict) and "source" in values


def _refuse_none(labels: Labels, path: str) -> None:
    if not labels.items:
        first = labels.problems[0] if labels.problems else None
        why = f" {first.file}: {first.what}." if first else ""
        raise ValueError(f"{path} holds no labels.{why} `beampose check` lists all.")


def contents(labels: Labels) -> dict[str, str]:
    """Fingerprints of the files that labels were read from; "" of one that is not there."""
    return {file: _content(file) for file in sorted({item.file for item in labels.items})}


def _content(file: str) -> str:
    try:
        return "" if files.is_folder(file) else fingerprints.of_file(file)
    except Unanswered:
        raise
    except OSError:
        return ""


def edited(before: dict[str, str]) -> list[str]:
    """What is to be said of label files that are not what they were, see `contents`."""
    changed = [file for file, content in before.items() if _content(file) != content]
    return [
        f"{file} changed while its images were read: its labels are those of before. To take the "
        "new ones, run `beampose features` again."
        for file in changed
    ]


def outdated(config: Config) -> str:
    """Says that labels of this machine are not those that the dataset was made of; else empty."""
    info = artefacts.find_info(storage.place(config.dataset, INFO), DatasetInfo)
    if info is None or not info.labels_read or files.is_address(config.source.path):
        return ""
    try:
        labels, _ = read(config)
    except (OSError, ValueError) as error:
        now = f"cannot be read now ({files.why(error).rstrip('.')})"
    else:
        if label_files.digest(labels) == info.labels_read:
            return ""
        now = "are others by now"
    return (
        f"the labels of {config.source.path} {now}: this goes by those that `beampose features` "
        "read before. Run it again, or `beampose run`, to take up what changed."
    )


def notes(labels: Labels) -> list[Problem]:
    """What is to be said before they are used: of whole files and folders, of their split, of
    points that may be none. Equal words are one, with how often they hold."""
    begins = ("split.", validate.CORNERS)
    found: dict[str, list[Problem]] = {}
    for one in labels.problems:
        if not one.row or one.what.startswith(begins):
            found.setdefault(one.what, []).append(one)
    return [
        alike[0]._replace(what=f"{what} ({len(alike)} such lines)" if len(alike) > 1 else what)
        for what, alike in found.items()
    ]
