"""COCO keypoints: one JSON of images, categories and annotations, one annotation per animal.

Visibility 0 is not labeled. 1, hidden but placed, is a label like 2: DeepLabCut knows no other kind
and its users place what they infer, too. A null is not labeled.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files, json_files, wording
from beampose.core.wording import agreed, counted
from beampose.formats import spreadsheets
from beampose.formats.coco import coco_images, coco_skeleton, other_json
from beampose.formats.coco.coco_images import Picture, id_of
from beampose.formats.instances import Instance, arrange, joined, several, untracked
from beampose.preprocess.labels import ERROR, SINGLE, WARNING, LabeledFrame, Labels, Problem

# COCO's own largest file of keypoints has 250 MB.
MAX_BYTES = 1 << 30
_HIDDEN = 1
# JSON's, and what programs write who turn all values into text.
_NO_CROWD = (None, False, 0, "", "false", "False", "no", "None", "null")


class Category(NamedTuple):
    """A kind of animal: its bodyparts in the order of keypoints, edges by name.

    Our own export also names all individuals, and bodyparts that belong to the scene.
    """

    names: list[str]
    edges: list[tuple[str, str]]
    individuals: list[str]
    unique: list[str]


def read(path: str, *, empty: bool = False) -> Labels:
    """Reads a file.

    Args:
      empty: images without an annotation are read, too.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not COCO's keypoints.
    """
    told = _told(path)
    problems: list[Problem] = []
    categories = _categories(told, path, problems)
    pictures, refused = coco_images.read(told["images"], path, problems)
    bodyparts = list(dict.fromkeys(name for one in categories.values() for name in one.names))
    annotations = [
        one
        for one in told["annotations"]
        if not isinstance(one, dict) or id_of(one.get("image_id")) not in refused
    ]
    listed, stray = _stray(told["categories"], annotations)
    for what, count in stray.items():
        said = f"{counted(count, 'annotation')} of category {what}, which is not listed (listed: "
        problems.append(Problem(ERROR, path, 0, "", f"{said}{listed}): not used"))
    known = [one for one in annotations if not isinstance(one, dict) or _kind(one) not in stray]
    animals = _animals(known, categories, pictures, bodyparts, (path, problems))
    annotated = {id_of(one.get("image_id")) for one in annotations if isinstance(one, dict)}
    kinds = {id_of(one.get("category_id")) for one in annotations if isinstance(one, dict)}
    used = [one.names for kind, one in categories.items() if kind in kinds]
    if len(used) > 1 and len({names[0] for names in used if len(names) == 1}) == len(used):
        animals = joined(animals, f"{len(used)} categories name one keypoint each", path, problems)
    else:
        problems += several(used, "categories name different keypoints", path)
    if empty:
        animals = {
            number: animals.get(number, [])
            for number in pictures
            if number in animals or number not in annotated
        }
    problems += _unlabeled(pictures, animals, annotated, path)
    declared = [name for one in categories.values() for name in one.individuals]
    unique = next(iter(categories.values())).unique if len(categories) == 1 else []
    seen = [one.track for found in animals.values() for one in found if one.track]
    individuals, keypoints = arrange(
        list(animals.values()),
        tracks=list(dict.fromkeys(declared + seen)),
        bodyparts=len(bodyparts),
        file=path,
        problems=problems,
        scene=bool(unique),
    )
    items = []
    for number, points in zip(animals, keypoints, strict=True):
        one = pictures[number]
        items.append(
            LabeledFrame(
                image=one.image,
                name=one.name,
                video=one.video,
                file=path,
                row=0,
                keypoints=points,
                told=one.told,
            )
        )
    return Labels(
        items=tuple(items),
        bodyparts=tuple(bodyparts),
        individuals=individuals,
        unique_bodyparts=tuple(unique),
        edges=tuple(dict.fromkeys(edge for one in categories.values() for edge in one.edges)),
        untracked=untracked([*animals.values()], individuals),
        scorer="coco",
        project=files.stem(path),
        problems=tuple(problems),
    )


def _unlabeled(
    pictures: dict[Any, Picture], animals: dict[Any, Any], annotated: set[Any], path: str
) -> list[Problem]:
    """Says how many images are not used."""
    left = len(pictures) - len(animals)
    if not left:
        return []
    what = f"{left} of {len(pictures)} images {agreed(left, 'have')} no labeled animal; not used"
    bare = sum(number not in animals and number not in annotated for number in pictures)
    if bare:
        what += f". `source.empty: negatives` uses the {bare} without an annotation"
    return [Problem(WARNING, path, 0, "", what)]


def _told(path: str) -> dict[str, Any]:
    files.require(path, "COCO file")
    if files.size(path) > MAX_BYTES:
        raise ValueError(f"{path} has {files.size(path):,} bytes, above {MAX_BYTES:,}.")
    told = json_files.parse(files.read_bytes(path), path)
    for key in ("images", "annotations", "categories"):
        if not isinstance(told, dict) or not isinstance(told.get(key), list):
            raise ValueError(
                f"{path} is not COCO: it must hold a list of {key}. Found: {other_json.what(told)}."
            )
    return told


def _kind(annotation: dict[str, Any]) -> str:
    return repr(annotation.get("category_id"))


def _stray(told: Sequence[Any], annotations: Sequence[Any]) -> tuple[str, Counter[str]]:
    """Categories that are listed, in words, and how many annotations have another one, by it."""
    there = {id_of(one.get("id")): one.get("name") for one in told if isinstance(one, dict)}
    others = [
        _kind(one)
        for one in annotations
        if isinstance(one, dict) and id_of(one.get("category_id")) not in there
    ]
    words = [f"{number} {name}" for number, name in there.items()]
    return wording.listed(words, 5), Counter(others)


def _categories(told: dict[str, Any], path: str, problems: list[Problem]) -> dict[Any, Category]:
    found = {}
    for one in told["categories"]:
        names = one.get("keypoints") if isinstance(one, dict) else None
        if not isinstance(names, list) or not names:
            continue
        called = one.get("name") or one.get("id")
        for name in names:
            if not isinstance(name, (str, int, float)) or name == "":
                what = f"category {called!r}: keypoints must be names, one an entry"
                raise ValueError(f"{path}: {what}. Received: {name!r}.")
        names = [str(name) for name in names]
        if len(set(names)) < len(names):
            raise ValueError(f"{path} names a bodypart twice: {', '.join(names)}.")
        edges, said = coco_skeleton.edges(one.get("skeleton") or [], names)
        problems += [Problem(WARNING, path, 0, "", f"category {called!r}: {w}") for w in said]
        individuals, unique = _words(one, "individuals"), _words(one, "unique_bodyparts")
        # Only if the scene is the last of them, as everywhere here.
        unique = [n for n in names if n in unique] if individuals[-1:] == [SINGLE] else []
        number, category = id_of(one.get("id")), Category(names, edges, individuals, unique)
        if found.get(number, category).names != names:
            what = f"two categories with other keypoints have the id {one.get('id')!r}"
            raise ValueError(f"{path}: {what}: give one of them another, its annotations too.")
        found[number] = category
    if not found:
        raise ValueError(f"{path} has no category with keypoints: it holds no poses.")
    return found


def _words(told: dict[str, Any], key: str) -> list[str]:
    words = told.get(key)
    return [str(word) for word in words] if isinstance(words, list) else []


def _animals(
    annotations: list[Any],
    categories: dict[Any, Category],
    pictures: dict[Any, Picture],
    bodyparts: list[str],
    sink: tuple[str, list[Problem]],
) -> dict[Any, list[Instance]]:
    """The animals of each image that has any, in the order of images."""
    path, problems = sink
    animals: dict[Any, list[Instance]] = defaultdict(list)
    counts: Counter[tuple[str, str]] = Counter()
    for place, one in enumerate(annotations, 1):
        try:
            number, instance = _animal(one, categories, pictures, bodyparts, counts)
        except ValueError as error:
            code = one.get("id", place) if isinstance(one, dict) else place
            image = pictures.get(id_of(one.get("image_id"))) if isinstance(one, dict) else None
            problems.append(
                Problem(
                    ERROR,
                    path,
                    0,
                    image.name if image else "",
                    f"annotation {code} {error}; it is not used",
                )
            )
            continue
        if instance is not None:
            animals[number].append(instance)
    for (noun, what), count in counts.items():
        problems.append(Problem(WARNING, path, 0, "", f"{counted(count, noun)} {what}"))
    return {number: animals[number] for number in pictures if number in animals}


def _animal(
    one: Any,
    categories: dict[Any, Category],
    pictures: dict[Any, Picture],
    bodyparts: list[str],
    counts: Counter[tuple[str, str]],
) -> tuple[Any, Instance | None]:
    if not isinstance(one, dict):
        raise ValueError("is not a section of keys")
    number, kind = id_of(one.get("image_id")), id_of(one.get("category_id"))
    if number not in pictures:
        raise ValueError(f"belongs to image {one.get('image_id')!r}, which is not listed")
    if kind not in categories:
        counts["annotation", "of categories without keypoints: not used"] += 1
        return number, None
    if _plain(one.get("iscrowd")) not in _NO_CROWD:
        counts["annotation", "of crowds: not used"] += 1
        return number, None
    if one.get("keypoints") in (None, []):
        counts["annotation", "without keypoints, as boxes are: not used"] += 1
        return number, None
    names = categories[kind].names
    keypoints = np.full((len(bodyparts), 2), np.nan)
    keypoints[[bodyparts.index(name) for name in names]] = _labeled(one, len(names), counts)
    if np.isnan(keypoints).all():
        counts["animal", "without a labeled keypoint: not used"] += 1
        return number, None
    return number, Instance(_track(one), keypoints)


def _labeled(one: dict[str, Any], count: int, counts: Counter[tuple[str, str]]) -> np.ndarray:
    """(count, 2) x, y of an annotation, NaN = not labeled."""
    values = _without_nulls(one.get("keypoints"), counts)
    if not isinstance(values, list) or len(values) != 3 * count:
        there = f"{values!r}"[:80]
        if isinstance(values, list):
            there = f"{len(values)} values, the first is {values[0]!r}"[:80]
        raise ValueError(f"must have 3 x {count} keypoints (Received: {there})")
    values = [_plain(value) for value in values]
    if not _are(values, (int, float), 3 * count):
        raise ValueError("has a keypoint that is not a number")
    table = np.array(values, np.float64).reshape(-1, 3)
    if strange := [value for value in table[:, 2].tolist() if value not in (0.0, 1.0, 2.0)]:
        raise ValueError(f"has a visibility that is not 0, 1 or 2 (Received: {strange[0]:g})")
    labeled = table[:, 2] > 0
    placed = int((~labeled & (np.nan_to_num(table[:, :2]) != 0).any(1)).sum())
    if placed:
        what = "with coordinates and visibility 0: not labeled, as COCO has it"
        counts["keypoint", what] += placed
    if not np.isfinite(table[labeled, :2]).all():
        raise ValueError("has a labeled keypoint that is not a number")
    hidden = int((table[:, 2] == _HIDDEN).sum())
    if hidden:
        counts["keypoint", "placed but hidden (visibility 1): used all the same"] += hidden
    return np.where(labeled[:, None], table[:, :2], np.nan)


def _plain(value: Any) -> Any:
    """A number, also of one that was written as text."""
    with contextlib.suppress(ValueError):
        return spreadsheets.number(value) if isinstance(value, str) else value
    return value


def _without_nulls(values: Any, counts: Counter[tuple[str, str]]) -> Any:
    """Keypoints in which a point that has a null is not labeled."""
    if not isinstance(values, list) or None not in values:
        return values
    found = list(values)
    for i in range(0, len(found), 3):
        if None in found[i : i + 3]:
            # A point that is not labeled needs no null to say so.
            counts["keypoint", "with a null: not labeled"] += 1
            found[i : i + 3] = [0, 0, 0][: len(found) - i]
    return found


def _track(one: dict[str, Any]) -> str:
    """Identity of an annotation: our own export writes `individual`, others write `track_id`."""
    for key in ("individual", "track_id"):
        if isinstance(one.get(key), (str, int)):
            return str(one[key])
    return ""


def _are(values: Any, kind: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(v, kind) and not isinstance(v, bool) for v in values)
        and all(not isinstance(v, int) or abs(v) < 1 << 53 for v in values)
    )
