"""The config.yaml of a project that labels are written into: with an entry for every video."""

from typing import Any

import yaml
from upath import UPath

from beampose.core import files
from beampose.formats import kept_files
from beampose.formats.deeplabcut import project_config, video_links
from beampose.formats.labeled_images import Picture
from beampose.preprocess import inside


def read(file: UPath) -> dict[str, Any]:
    """Reads a config.yaml; returns an empty dict if there is none.

    Raises:
      ValueError: it is none.
    """
    return project_config.values(str(file)) if file.is_file() else {}


def with_videos(
    config: dict[str, Any],
    existing: dict[str, Any],
    videos: dict[str, list[Picture]],
    root: UPath,
) -> kept_files.File:
    """The config with an entry of video_sets for every folder: DeepLabCut finds labels by them."""
    told = config.get("video_sets")
    # Anything else in a person's file is told by `add_video`.
    sets = dict(told) if isinstance(told, dict) else {}
    known = {files.stem(path) for path in sets}
    added = {
        _video(own[0], video, root): (0, own[0].width, 0, own[0].height)
        for video, own in videos.items()
        if video not in known
    }
    place = root / project_config.CONFIG
    if existing and not added:
        return kept_files.File(place, b"", same=True)
    config["video_sets"] = sets | {
        path: {"crop": ", ".join(map(str, c))} for path, c in added.items()
    }
    if not existing:
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=10_000)
        return kept_files.File(place, text.encode())
    # A person's file: no other line changes.
    text, encoding = project_config.read(str(place))
    for path, crop in added.items():
        try:
            text = project_config.add_video(text, path, crop)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    return kept_files.File(place, project_config.encoded(text, encoding))


def _video(picture: Picture, video: str, root: UPath) -> str:
    """The video a folder's frames were taken from; else where DeepLabCut would keep it."""
    place, film = inside.parse(picture.frame.image), picture.frame.film
    found = place.file if place and not place.dataset else film.found if film else ""
    if found:
        path, stem = files.absolute(found), files.stem(found)
        if stem == video:
            return path
        if video.startswith(f"{stem}-"):
            # Another film has the name alone: see `pipelines.film_names`.
            return video_links.entry(str(root), path, video)
    return str(root / "videos" / f"{video}.mp4")
