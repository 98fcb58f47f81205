"""Folders of crops: Training|Testing / Positive(s)|Negative(s), in any case.

Any other pair (or more) of class folders works too; classes are then sorted by name. Positive comes
first because DeepMeerkat takes index 0 as positive.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

from beampose.core import files, placeholders, system_folders, texts, zips
from beampose.core.wording import counted
from beampose.formats.label_format import LabelFormat
from beampose.preprocess import images, split
from beampose.preprocess.cut import rule_of
from beampose.preprocess.labels import ERROR, TEST, TRAIN, WARNING, LabeledCrop, Labels, Problem

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
BOXES = (
    "Boxes are no crops: `beampose extract-crops FOLDER --boxes FILE --to CROPS` cuts those of "
    "MegaDetector."
)
# Deeper folders are looked through for a hint alone.
_DEPTH, _MOST = 4, 5000
CLASSES = {"positive": "positive", "positives": "positive", "negative": "negative"}
CLASSES["negatives"] = "negative"


def read(path: str) -> Labels:
    """Reads crop folders.

    Raises:
      FileNotFoundError: no such folder.
      ValueError: fewer than two class folders with images.
    """
    if files.exists(path) and not files.is_folder(path):
        raise ValueError(
            f"{path} is a file, and format crops reads a folder of folders, one a class. Format "
            f"csv reads lists. {BOXES}"
        )
    if not files.is_folder(path):
        raise files.missing("crop folder", path)
    problems: list[Problem] = []
    found: list[tuple[str, str, str | None]] = []
    problems += [*_stray(path), *_of_system(path)]
    for folder in _folders(path):
        declared = SPLITS.get(files.name(folder).lower())
        if declared:
            problems += [*_stray(folder), *_of_system(folder)]
        if declared == TEST and files.name(folder).lower() not in _HELD_OUT:
            what = "is read as held-out images, as Testing would be"
            problems.append(Problem(WARNING, folder, 0, "", what))
        for class_folder in _folders(folder) if declared else [folder]:
            inside = _images(class_folder, problems)
            if not inside and not any(problem.file == class_folder for problem in problems):
                what = "holds no image: there is no such class, or none of it here"
                problems.append(Problem(WARNING, class_folder, 0, "", what))
            found += [(image, class_of(class_folder), declared) for image in inside]
    problems += _spelled_twice({files.parent(image) for image, *_ in found})
    classes = _ordered({label for _, label, _ in found})
    if len(classes) < 2:
        raise ValueError(
            f"{path} must hold at least two folders of images, such as Positive and Negative "
            f"(also inside Training and Testing). Found: {', '.join(classes) or 'none'}."
            f"{_of_ultralytics(path) or _why(path, problems)}"
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
    """Problems for what lies beside the folders of classes: images, and folders still packed."""
    there = files.children(folder)
    found = [
        Problem(WARNING, folder, 0, files.name(child), "is not unpacked: not read")
        for child in there
        if files.suffix(child) in zips.PACKED
    ]
    if lost := [child for child in there if files.suffix(child) in images.SUFFIXES]:
        what = f"{counted(len(lost), 'image')} in no folder of a class: not read, such as"
        found.append(Problem(WARNING, folder, 0, "", f"{what} {files.name(lost[0])}"))
    return found


def _of_system(folder: str) -> Iterator[Problem]:
    """A line for folders that are none of classes, nor of images: trash, thumbnails."""
    there = [child for child, is_folder in files.listed(folder) if is_folder]
    if found := [child for child in there if system_folders.is_one(child)]:
        what = system_folders.left_out(found, folder)
        yield Problem(WARNING, folder, 0, "", f"{what}: give one another name if it is a class")


def _spelled_twice(folders: set[str]) -> list[Problem]:
    """A line for folders side by side whose names are one class, as `Fox` and `fox`."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for folder in sorted(folders):
        found[files.parent(folder), class_of(folder)].append(files.name(folder))
    return [
        Problem(WARNING, above, 0, "", f"{' and '.join(names)} are read as one class, {label}")
        for (above, label), names in found.items()
        if len(names) > 1
    ]


def _of_ultralytics(path: str) -> str:
    for file, is_folder in files.listed(path):
        if is_folder or files.suffix(file) not in (".yaml", ".yml"):
            continue
        data = files.read_bytes(file)
        if b"names:" in data and b"kpt_shape" not in data:
            return f" {files.name(file)} is of boxes of Ultralytics (YOLO). {BOXES}"
        if b"kpt_shape" in data:
            return (
                f" {files.name(file)} is of keypoints of Ultralytics (YOLO): sleap-io makes a .slp "
                "of them (load_ultralytics, save_slp), which format sleap reads."
            )
    return ""


def _why(path: str, problems: list[Problem]) -> str:
    """What a folder without two classes holds instead, for an error."""
    for problem in problems:
        if "in no folder of a class" in problem.what and problem.file != path:
            name = files.name(problem.file)
            return f" {name} is read as a split, not as a class: give the class another name."
        if problem.level == ERROR:
            return f" {problem.file}: {problem.what}."
    for file in files.below(path, _DEPTH, _MOST):
        inner = files.parent(file)
        if files.suffix(file) in images.SUFFIXES and len(inner) > len(path.rstrip("/")):
            deep = inner[len(path.rstrip("/")) + 1 :]
            if system_folders.is_inside(deep):
                continue
            if files.name(deep).lower() in SPLITS:
                return f" There are images in {deep}: the split must stand above the class."
            if "/" in deep:
                return f" There are images in {deep}: name the folder above the classes."
    if problems:
        place = problems[0].image or files.name(path)
        return (
            f" {place[len(path) + 1 :] if place.startswith(path) else place}: {problems[0].what}."
        )
    return ""


def _folders(path: str) -> list[str]:
    """Folders of crops; where an experiment writes into its own crops, not its results."""
    results = OF_EXPERIMENTS if files.exists(files.join(path, "dataset", "COMPLETED")) else ()
    return [
        child
        for child, is_folder in files.listed(path)
        if is_folder
        and not files.name(child).startswith(".")
        and files.name(child) not in results
        and not system_folders.is_one(child)
    ]


def class_of(folder: str) -> str:
    """The class that a folder's name says."""
    name = class_name(files.name(folder))
    return CLASSES.get(name, name)


def class_name(told: str) -> str:
    """A class as all places call it: in lowercase, accents composed, no spaces around."""
    return unicodedata.normalize("NFC", told).strip().lower()


def _images(folder: str, problems: list[Problem]) -> list[str]:
    found = []
    if not texts.is_text(files.name(folder)):
        what = "its name is in no encoding that is known (UTF-8): rename it; it is not read"
        problems.append(Problem(ERROR, folder, 0, "", what))
        return []
    for child, is_folder in files.listed(folder):
        if files.name(child).startswith("."):
            inner, why = placeholders.stands_for(files.name(child))
            if files.suffix(inner) in images.SUFFIXES:
                what = f"is only the placeholder of {inner}: {why}; it is not read"
                problems.append(Problem(WARNING, folder, 0, child, what))
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
