"""Folders of crops: Training|Testing / Positive(s)|Negative(s), in any case.

Any other pair (or more) of class folders works too; classes are then sorted by name. Positive comes
first because DeepMeerkat takes index 0 as positive.
"""

from beampose.core import files
from beampose.core.wording import counted
from beampose.formats.label_format import LabelFormat
from beampose.preprocess import images, split
from beampose.preprocess.cut import rule_of
from beampose.preprocess.labels import TEST, TRAIN, WARNING, LabeledCrop, Labels, Problem

SPLITS = {
    "training": TRAIN,
    "train": TRAIN,
    "testing": TEST,
    "test": TEST,
    # Held-out images, to Keras and Roboflow: never trained on.
    "val": TEST,
    "valid": TEST,
    "validation": TEST,
}
_HELD_OUT = ("testing", "test")
# What an experiment leaves in its `output`, but `train`, which may hold crops and no other images.
OF_EXPERIMENTS = ("dataset", "evaluation", "model", "plots", "predictions", "store", "sweep")
CLASSES = {"positive": "positive", "positives": "positive", "negative": "negative"}
CLASSES["negatives"] = "negative"


def read(path: str) -> Labels:
    """Reads crop folders.

    Raises:
      FileNotFoundError: no such folder.
      ValueError: fewer than two class folders with images.
    """
    if not files.is_folder(path):
        raise FileNotFoundError(f"No crop folder {path}.")
    problems: list[Problem] = []
    found: list[tuple[str, str, str | None]] = []
    problems += _stray(path)
    for folder in _folders(path):
        declared = SPLITS.get(files.name(folder).lower())
        if declared:
            problems += _stray(folder)
        if declared == TEST and files.name(folder).lower() not in _HELD_OUT:
            what = "is read as held-out images, as Testing would be"
            problems.append(Problem(WARNING, folder, 0, "", what))
        for class_folder in _folders(folder) if declared else [folder]:
            found += [
                (image, class_of(class_folder), declared)
                for image in _images(class_folder, problems)
            ]
    classes = _ordered({label for _, label, _ in found})
    if len(classes) < 2:
        raise ValueError(
            f"{path} must hold at least two folders of images, such as Positive and Negative "
            f"(also inside Training and Testing). Found: {', '.join(classes) or 'none'}."
        )
    return Labels(
        items=tuple(
            LabeledCrop(
                image=image,
                name=image[len(path.rstrip("/")) + 1 :],
                video=split.video_of_crop(image),
                file=files.parent(image),
                row=0,
                label=classes.index(label),
                split=declared,
            )
            for image, label, declared in found
        ),
        classes=classes,
        rule=rule_of(path),
        problems=tuple(problems),
    )


def _stray(folder: str) -> list[Problem]:
    """A problem for images that lie beside the folders of classes, not in them."""
    lost = [child for child in files.children(folder) if files.suffix(child) in images.SUFFIXES]
    if not lost:
        return []
    what = f"{counted(len(lost), 'image')} in no folder of a class: not read, such as"
    return [Problem(WARNING, folder, 0, "", f"{what} {files.name(lost[0])}")]


def _folders(path: str) -> list[str]:
    """Folders of crops; where an experiment writes into its own crops, not its results."""
    results = OF_EXPERIMENTS if files.exists(files.join(path, "dataset", "COMPLETED")) else ()
    return [
        child
        for child, is_folder in files.listed(path)
        if is_folder and not files.name(child).startswith(".") and files.name(child) not in results
    ]


def class_of(folder: str) -> str:
    """The class that a folder's name says."""
    lower = files.name(folder).lower()
    return CLASSES.get(lower, lower)


def _images(folder: str, problems: list[Problem]) -> list[str]:
    found = []
    for child, is_folder in files.listed(folder):
        if files.name(child).startswith("."):
            continue
        if is_folder:
            what = "is a folder inside a class folder"
        elif files.suffix(child) not in images.SUFFIXES:
            what = f"is not an image ({', '.join(images.SUFFIXES)})"
        else:
            found.append(child)
            continue
        problems.append(Problem(WARNING, folder, 0, child, f"{what}; it is not read"))
    return found


def _ordered(labels: set[str]) -> tuple[str, ...]:
    return tuple(sorted(labels, key=lambda label: (label != "positive", label)))


def _recognizes(path: str) -> bool:
    known = {*SPLITS, *CLASSES}
    return files.is_folder(path) and any(files.name(f).lower() in known for f in _folders(path))


FORMAT = LabelFormat(name="crops", read=read, task="crops", recognizes=_recognizes)
