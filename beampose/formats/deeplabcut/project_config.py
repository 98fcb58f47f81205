"""DeepLabCut's config.yaml: made for a new project, given videos with the rest left as it is."""

import datetime
import json
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml

from beampose.core import files, texts, yaml_files

# What stands for the bodyparts of a project of several animals, which have keys of their own.
MULTI = "MULTI!"

SECTION = "video_sets"
CONFIG = "config.yaml"
# End of a new project's config, after its bodyparts: as in DeepLabCut's template.
_DEFAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "Fraction of video to start/stop when extracting frames for labeling/refinement",
        {"start": 0, "stop": 1, "numframes2pick": 20},
    ),
    (
        "Plotting configuration",
        {
            "skeleton": [],
            "skeleton_color": "black",
            "pcutoff": 0.6,
            "dotsize": 12,
            "alphavalue": 0.7,
            "colormap": "rainbow",
        },
    ),
    (
        "Training,Evaluation and Analysis configuration",
        {
            "TrainingFraction": [0.95],
            "iteration": 0,
            "default_net_type": "resnet_50",
            "default_augmenter": "default",
            "snapshotindex": -1,
            "batch_size": 8,
        },
    ),
    (
        "Cropping Parameters (for analysis and outlier frame detection)",
        {"cropping": False, "x1": 0, "x2": 640, "y1": 277, "y2": 624},
    ),
    (
        "Refinement configuration (parameters from annotation dataset configuration also relevant "
        "in this stage)",
        {"corner2move2": [50, 50], "move2corner": True},
    ),
)
_CROP = re.compile(r"\s*\d+(\s*,\s*\d+){3}\s*")
_KEY = re.compile(r"^(?:[A-Za-z_][\w-]*|'[^']*'|\"[^\"]*\")\s*:")


def create(
    folder: str,
    *,
    scorer: str,
    bodyparts: Sequence[str],
    individuals: Sequence[str] = (),
    today: datetime.date | None = None,
) -> str:
    """The text of a config.yaml for a new project, in DeepLabCut's order of keys.

    Args:
      individuals: of a project of several animals; none of one.

    Raises:
      ValueError: no scorer, no bodyparts, or a name twice.
    """
    names = [name.strip() for name in bodyparts if name.strip()]
    if not scorer or not names:
        raise ValueError(
            f"{folder} is not a project yet: name the scorer with --scorer and the bodyparts "
            "with --bodyparts nose,tail"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"--bodyparts names one twice: {', '.join(names)}.")
    if len(set(individuals)) < len(individuals):
        raise ValueError(f"--individuals names one twice: {', '.join(individuals)}.")
    day = today or datetime.date.today()
    parts: list[tuple[str, dict[str, Any]]] = [
        (
            "Project definitions (do not edit)",
            {
                # DeepLabCut names its folders Task-scorer-date.
                "Task": files.name(files.absolute(folder)).split("-")[0],
                "scorer": scorer,
                "date": f"{day:%b}{day.day}",
                "multianimalproject": bool(individuals),
                "identity": None,
            },
        ),
        ("Project path (change when moving around)", {"project_path": files.absolute(folder)}),
        (
            "Annotation data set configuration (and individual video cropping parameters)",
            {SECTION: {}, **_named(names, individuals)},
        ),
        *_DEFAULTS,
    ]
    return "\n\n".join(f"# {title}\n{_dump(values)}".rstrip() for title, values in parts) + "\n"


def _named(bodyparts: Sequence[str], individuals: Sequence[str]) -> dict[str, Any]:
    if not individuals:
        return {"bodyparts": list(bodyparts)}
    return {
        "individuals": list(individuals),
        "uniquebodyparts": [],
        "multianimalbodyparts": list(bodyparts),
        "bodyparts": MULTI,
    }


def read(file: str) -> tuple[str, str]:
    """The text of a config.yaml and its encoding: UTF-8, or Windows-1252 where that makes sense.

    Raises:
      FileNotFoundError: no such file.
      ValueError: its letters are not known; the text names the file.
    """
    data = files.read_bytes(file)
    encoding = texts.encoding(data) or texts.WINDOWS
    try:
        return texts.decode(data, encoding), encoding
    except ValueError as error:
        raise ValueError(f"{file} {error}.") from None


def values(file: str) -> dict[str, Any]:
    """The keys and values of a config.yaml or another YAML of DeepLabCut, as its reader takes them.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it is none.
    """
    return yaml_files.mapping(read(file)[0], file, words=True)


def encoded(text: str, encoding: str) -> bytes:
    """The bytes of a text that was read in an encoding; without a mark if it is UTF-8."""
    return text.encode("utf-8" if encoding == texts.UTF8 else encoding)


def settings(text: str) -> dict[str, Any]:
    """Extraction settings in a config.yaml: `count`, `start`, `stop`, as far as they are there.

    Raises:
      ValueError: the text is no such a file.
    """
    values = _parsed(text)
    names = {"count": "numframes2pick", "start": "start", "stop": "stop"}
    found = {name: values.get(key) for name, key in names.items()}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def iteration(text: str) -> int:
    """The iteration a config.yaml is at: how often its labels were refined and merged.

    Raises:
      ValueError: the text is no such a file.
    """
    found = _parsed(text).get("iteration")
    return found if type(found) is int and found >= 0 else 0


class Names(NamedTuple):
    """What names of folders and scorers of a project are made of.

    Attributes:
      percent: of the labels that train, by its first training fraction.
    """

    task: str
    date: str
    percent: int


def names(text: str, where: str) -> Names:
    """Task, date and training fraction.

    Raises:
      ValueError: one of them is not there, or the text is no such a file.
    """
    values = _parsed(text)
    fractions = values.get("TrainingFraction")
    first = fractions[0] if isinstance(fractions, list) and fractions else 0.95
    task, date = values.get("Task"), values.get("date")
    if not task or not date or not isinstance(first, (int, float)):
        raise ValueError(f"{where}: its config.yaml must have Task, date and TrainingFraction.")
    return Names(str(task), str(date), int(first * 100))


def bodyparts(text: str) -> list[str]:
    """Names of all bodyparts of a config.yaml, those of several animals and of the scene too.

    Raises:
      ValueError: the text is no such a file.
    """
    values = _parsed(text)
    keys = ("multianimalbodyparts", "uniquebodyparts", "bodyparts")
    lists = [values.get(key) for key in keys]
    return [str(name) for names in lists if isinstance(names, list) for name in names]


def individuals(text: str) -> list[str]:
    """Names of the animals of a config.yaml; none in a project of one animal."""
    found = _parsed(text)
    several = found.get("multianimalproject") or found.get("bodyparts") == MULTI
    listed = found.get("individuals")
    return [str(name) for name in listed] if several and isinstance(listed, list) else []


def scorer(text: str) -> str:
    """Who labels, as a config.yaml says; empty if it does not.

    Raises:
      ValueError: the text is no such a file.
    """
    return str(_parsed(text).get("scorer") or "")


def video_sets(text: str) -> list[str]:
    """Paths of the videos of a config.yaml, as they stand there.

    Raises:
      ValueError: the text is no such a file.
    """
    known = _parsed(text).get(SECTION)
    return [str(path) for path in known] if isinstance(known, dict) else []


def films(root: str, text: str) -> list[str]:
    """Whole paths of the videos of a project's config.yaml.

    DeepLabCut writes whole ones; in a project that shall move they may count from its folder.

    Raises:
      ValueError: as `video_sets`.
    """
    return [
        path if files.is_absolute(path) else files.absolute(files.join(root, path))
        for path in video_sets(text)
    ]


def crop_of(text: str, video: str) -> tuple[int, ...] | None:
    """x1, x2, y1, y2 that a config.yaml gives to a video of this name; None if it gives none."""
    sets = _parsed(text).get(SECTION)
    for known, values in sets.items() if isinstance(sets, dict) else ():
        crop = str(values.get("crop") or "") if isinstance(values, dict) else ""
        if files.stem(str(known)) == files.stem(video) and re.fullmatch(
            r"\s*\d+(,\s*\d+){3}\s*", crop
        ):
            return tuple(int(one) for one in crop.split(","))
    return None


def add_video(text: str, video: str, crop: tuple[int, int, int, int]) -> str:
    """The text of a config.yaml with a video added to `video_sets`; no other line changes.

    A video of the same name that is there already stays: projects move between machines, so only
    the name of a video is its own.

    Args:
      video: its absolute path.
      crop: x1, x2, y1, y2.

    Raises:
      ValueError: the text is no such a file, or `video_sets` is written in a way that cannot be
        added to; the text says what to write.
    """
    before = _parsed(text)
    known = before.get(SECTION) or {}
    if not isinstance(known, dict):
        raise ValueError(f"{SECTION} must hold a video and its crop each. Received: {known!r}.")
    if files.stem(video) in {files.stem(str(one)) for one in known}:
        return text
    entry = {video: {"crop": ", ".join(map(str, crop))}}
    if text.lstrip().startswith("{"):
        # One pair of braces, as a program wrote it: it has no lines that could stay.
        return json.dumps({**before, SECTION: {**known, **entry}}, indent=2, ensure_ascii=False)
    lines = text.splitlines(keepends=True)
    first, last = _section(lines)
    head = lines[first].split(":", 1)[1] if first < len(lines) else ""
    block = not head.split("#")[0].strip()
    if known and block:
        child = next(
            line
            for line in lines[first + 1 : last]
            if line.strip() and not line.lstrip().startswith("#")
        )
        added = _indented(_dump(entry), len(child) - len(child.lstrip(" ")))
        new = [*lines[:last], added, *lines[last:]]
    else:
        # Empty, or in braces: this one section is written again.
        section = f"{SECTION}:\n{_indented(_dump({**known, **entry}), 2)}"
        new = [*lines[:first], section, *lines[last:]]
    joined = "".join(line if line.endswith("\n") else line + "\n" for line in new)
    if not _says(joined, {**before, SECTION: {**known, **entry}}):
        raise ValueError(
            f"{SECTION} cannot be extended automatically. Add by hand:\n{_dump(entry)}"
        )
    return joined


def _section(lines: list[str]) -> tuple[int, int]:
    """The line of `video_sets:` and the one after its last; the file's end if it is not there."""
    starts = [i for i, line in enumerate(lines) if re.match(rf"^['\"]?{SECTION}['\"]?\s*:", line)]
    if not starts:
        return len(lines), len(lines)
    first = starts[0]
    after = (i for i in range(first + 1, len(lines)) if _KEY.match(lines[i]))
    last = next(after, len(lines))
    # Blank lines and comments before the next key belong to it.
    while last > first + 1 and (not lines[last - 1].strip() or lines[last - 1].startswith("#")):
        last -= 1
    return first, last


def _says(text: str, values: dict[str, Any]) -> bool:
    try:
        return _parsed(text) == values
    except ValueError:
        return False


def _parsed(text: str) -> dict[str, Any]:
    try:
        values = yaml_files.parse(text, words=True)
    except ValueError as error:
        raise ValueError(f"is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ValueError("must hold keys and values")
    return values


def _dump(values: dict[str, Any]) -> str:
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=math.inf)
    return text.replace(": null\n", ":\n")


def _indented(text: str, width: int) -> str:
    return "".join(" " * width + line for line in text.splitlines(keepends=True))
