"""Images that a COCO file names: with paths of any machine or addresses, by ids of any type."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from beampose.core import files
from beampose.formats import named_files
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.preprocess import images
from beampose.preprocess.labels import ERROR, Problem

_ROOMS = ("images", LABELED_DATA)
_EXACT = 1 << 53


class Picture(NamedTuple):
    """An image: where it is, the folder and name of its labeled frame, height and width if said."""

    image: str
    video: str
    name: str
    told: tuple[int, int] | None = None


def read(
    listed: Sequence[Any], path: str, problems: list[Problem]
) -> tuple[dict[str, Picture], set[str]]:
    """Images by id, and the ids of those that cannot be used, of which the problems tell.

    A relative name of a file that is nowhere stays: whoever reads the image tells what is missing.
    """
    found: dict[str, Picture] = {}
    refused: set[str] = set()
    twice: set[str] = set()
    names: set[str] = set()
    lost: dict[str, list[tuple[int, str]]] = {}
    told = [name for one in listed if (name := _file_name(one))]
    short = _short_parts([name for name in told if _is_whole(name)])
    places = named_files.locate(told, _folders(path), images.SUFFIXES, anywhere=True)
    for place, one in enumerate(listed, 1):
        file_name = _file_name(one)
        number = id_of(one.get("id")) if isinstance(one, dict) else ""
        try:
            picture = _picture(one, short, path)
            if number in found:
                what = f"has the id {one.get('id')!r} of another image"
                # Whose annotations are meant is not known, unless they are one image.
                if found[number].name != picture.name:
                    twice.add(number)
                    what += f", {files.name(found[number].name)}, which is not used either"
                raise ValueError(what)
            if picture.name in names:
                raise ValueError(f"is named {file_name!r} like another image")
        except ValueError as error:
            what = f"image {place} {error}; it is not used"
            problems.append(Problem(ERROR, path, 0, file_name, what))
            refused.add(number)
            continue
        at = places[file_name]
        if at.path is None and (at.taken or _is_whole(file_name)):
            lost.setdefault(at.why, []).append((place, file_name))
            refused.add(number)
            continue
        names.add(picture.name)
        found[number] = picture._replace(image=at.path or picture.image)
    for why, own in lost.items():
        place, name = own[0]
        more = f" and {len(own) - 1} others are" if len(own) > 1 else " is"
        what = f"image {place} {name}{more} missing and not used: {why}"
        problems.append(Problem(ERROR, path, 0, name, what))
    found = {number: picture for number, picture in found.items() if number not in twice}
    return found, refused - set(found)


def id_of(value: Any) -> str:
    """An id as text: 1, 1.0 and "1" are one; what cannot be an id is none of them.

    Of floats above 2**53 some stand for several whole numbers.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}(\.0+)?\s*", value):
        value = int(value.split(".")[0])
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return str(value)
    return repr(value)


def _file_name(one: Any) -> str:
    name = one.get("file_name") if isinstance(one, dict) else None
    return name if isinstance(name, str) else ""


def _is_whole(name: str) -> bool:
    """Returns True for an address or an absolute path, of whatever system."""
    return files.is_absolute(name) or name.startswith(("\\", "/"))


def _picture(one: Any, short: Mapping[str, list[str]], path: str) -> Picture:
    """An image by its name.

    Raises:
      ValueError: it has none that could be one.
    """
    file_name = one.get("file_name") if isinstance(one, dict) else None
    if not isinstance(file_name, str):
        raise ValueError("has no file_name")
    parts = short[file_name] if _is_whole(file_name) else list(files.parts(file_name))
    if not parts:
        raise ValueError("has an empty file_name")
    folders = parts[1:-1] if parts[0] in _ROOMS else parts[:-1]
    video = "_".join(folders) or files.stem(path)
    image = files.join(files.parent(path), *parts)
    told = _size(one.get("height"), one.get("width"))
    return Picture(image, video, f"{LABELED_DATA}/{video}/{parts[-1]}", told)


def _size(height: Any, width: Any) -> tuple[int, int] | None:
    """Height and width, if they can be that, also as text or 60.0, as programs write ids, too."""
    told = [id_of(side) for side in (height, width)]
    sized = all(re.fullmatch(r"[1-9][0-9]{0,8}", side) for side in told)
    return (int(told[0]), int(told[1])) if sized else None


def _short_parts(told: Sequence[str]) -> dict[str, list[str]]:
    """Parts of whole paths below the folder that they all have in common."""
    whole = {name: named_files.parts(name, images.SUFFIXES) for name in told}
    above = [found[:-1] for found in whole.values() if found]
    agree = [len(set(same)) == 1 for same in zip(*above, strict=False)]
    common = agree.index(False) if False in agree else len(agree)
    return {name: found[common:] for name, found in whole.items()}


def _folders(path: str) -> list[str]:
    """Folders that names may be relative to."""
    own = files.parent(path)
    above = files.parent(own)
    return [own, files.join(own, "images"), above, files.join(above, "images")]
