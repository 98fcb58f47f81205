"""Lightning Pose's configs: which tables hold the labels of a project.

`data.csv_file` of a model's config names a table, or one for each view, by paths from
`data.data_dir`, a folder of the machine that trained. The `project.yaml` of its app names views
alone, whose tables are called `CollectedData_<view>.csv`.
"""

from pathlib import Path
from typing import Any, NamedTuple

from beampose.core import files, texts, yaml_files

PROJECT = "project.yaml"
_SUFFIXES = (".yaml", ".yml")


class Config(NamedTuple):
    """What a config says of labels.

    Attributes:
      file: the config.
      tables, keypoints: names of the tables, as they stand there, and of bodyparts.
      folder: `data_dir`, "" if it names none.
    """

    file: str
    tables: tuple[str, ...]
    keypoints: tuple[str, ...]
    folder: str


def read(file: str) -> Config | None:
    """The config of a file; None if it is of another program or names no table.

    Raises:
      ValueError: it may be one, and is not YAML.
    """
    data = files.read_bytes(file)
    of_app = files.name(file) == PROJECT and b"view_names" in data
    if not of_app and b"csv_file" not in data:
        return None
    try:
        text = texts.decode(data, texts.WINDOWS, table=False)
    except ValueError as error:
        raise ValueError(f"{file} {error}.") from None
    told = yaml_files.mapping(text, file, words=True)
    if of_app:
        views = _names(told.get("view_names"))
        tables = tuple(f"CollectedData_{view}.csv" for view in views) or ("CollectedData.csv",)
        return Config(file, tables, _names(told.get("keypoint_names")), "")
    inner = told.get("data")
    tables = _names(inner.get("csv_file")) if isinstance(inner, dict) else ()
    if not tables or not isinstance(inner, dict):
        return None
    folder = str(inner.get("data_dir") or "")
    if folder and not files.is_absolute(folder):
        # From where it was trained: the folder of the config, or one above it.
        above = [files.parent(file)]
        if not files.is_address(file):
            above += map(str, Path(above[0]).absolute().parents)
        found = [files.join(one, folder) for one in above]
        folder = next(filter(files.is_folder, found), found[0])
    return Config(file, tables, _names(inner.get("keypoint_names")), folder)


def beside(root: str) -> list[Config]:
    """Configs in a folder: those of models, else the one of the app."""
    found = [
        config
        for child, is_folder in files.listed(root)
        if not is_folder and files.suffix(child) in _SUFFIXES and (config := read(child))
    ]
    return [config for config in found if files.name(config.file) != PROJECT] or found


def _names(told: Any) -> tuple[str, ...]:
    """Names that are a list, or one alone."""
    listed = told if isinstance(told, list) else [told]
    return tuple(str(one) for one in listed if one and not isinstance(one, (dict, list)))
