"""The videos of a report: what was found in each, some frames, where the bodyparts are."""

import glob
from typing import Any

from upath import UPath

from beampose.core import artefacts, files, fingerprints, storage
from beampose.core.infos import ModelInfo, PredictionInfo
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import prediction_tables, prediction_writer
from beampose.pipelines.report import label_overview, plots, timeline
from beampose.pipelines.report.gallery import Gallery
from beampose.pipelines.results import result_files
from beampose.preprocess import videos

# Frames shown of each labeled video.
STILLS = 4


def section(config: Config, info: ModelInfo, gallery: Gallery) -> list[dict[str, Any]]:
    """Section on each predicted video."""
    if config.kind.pooled:
        return of_crops(config, info)
    if info.assembly:
        return of_animals(config, info, gallery)
    return of_pose(config, info, gallery)


def of_pose(config: Config, info: ModelInfo, gallery: Gallery) -> list[dict[str, Any]]:
    """Videos with points."""
    found = []
    scorer = info.dlc_scorer
    for file in storage.whole_below(config.predictions, f"*{glob.escape(scorer)}.json"):
        summary = artefacts.read_info(file, PredictionInfo)
        if summary.images:
            continue
        stem = file.with_suffix("")
        table = prediction_writer.read(f"{stem}.csv")
        keypoints, bodyparts = prediction_writer.keypoints(table)
        cutoff = config.predict.pcutoff
        labeled = storage.place(f"{stem}_labeled.mp4")
        sure = keypoints[..., 2] >= cutoff
        found.append(
            {
                **summary.plain(),
                "changed": _changed(summary),
                "of_another_model": summary.is_of_another(info.digest),
                "labeled": _below(str(labeled), config) if labeled.is_file() else None,
                "csv": _below(f"{stem}.csv", config),
                "stills": _stills(labeled) if labeled.is_file() else [],
                "sure": [(n, float(s)) for n, s in zip(bodyparts, sure.mean(axis=0), strict=True)],
                "plot": gallery.show(
                    f"trajectory-{summary.name.replace('/', '-')}",
                    "Where each bodypart is over time; gaps where the model is not sure.",
                    plots.trajectory,
                    keypoints,
                    bodyparts,
                    cutoff,
                    summary.fps,
                    table.index.to_numpy(),
                ),
            }
        )
    return found


def of_animals(config: Config, info: ModelInfo, gallery: Gallery) -> list[dict[str, Any]]:
    """Videos with tracks; those that were not tracked say so."""
    found = []
    scorer = info.dlc_scorer
    for file in storage.whole_below(config.predictions, f"*{glob.escape(scorer)}.json"):
        predicted = artefacts.read_info(file, PredictionInfo)
        if predicted.images:
            continue
        one = result_files.of_video(config, predicted.name, predicted.video)
        said: dict[str, Any] = {
            **predicted.plain(),
            "changed": _changed(predicted),
            "of_another_model": predicted.is_of_another(info.digest),
            "labeled": None,
            "stills": [],
            "tracked": False,
        }
        try:
            read = prediction_tables.read(one.table())
        except ValueError:
            found.append(said)
            continue
        labeled = storage.place(f"{one.stem}_labeled.mp4")
        drawn = labeled.is_file()
        tracks = one.tracks()
        joined = timeline.joins(tracks)
        found.append(
            {
                **said,
                **(tracks.plain() if tracks else {}),
                "tracked": True,
                "labeled": _below(str(labeled), config) if drawn else None,
                "csv": _below(f"{one.stem}.csv", config),
                "stills": _stills(labeled) if drawn else [],
                "there": timeline.shares(read),
                "joined": joined,
                "plot": gallery.show(
                    f"identities-{predicted.name.replace('/', '-')}",
                    "Individuals over time, as high as the share of bodyparts found. Ticks "
                    "mark the least certain joins of tracklets: look there first.",
                    timeline.identities,
                    read,
                    joined,
                    "",
                ),
            }
        )
    return found


def of_crops(config: Config, info: ModelInfo) -> list[dict[str, Any]]:
    """Videos with boxes."""
    found = []
    for file in storage.whole_below(config.predictions, "*_crops.json"):
        stem = file.with_suffix("")
        labeled = storage.place(f"{stem}_labeled.mp4")
        drawn = labeled.is_file()
        summary = artefacts.read_info(file, PredictionInfo)
        if summary.images:
            continue
        found.append(
            {
                **summary.plain(),
                "changed": _changed(summary),
                "of_another_model": summary.is_of_another(info.digest),
                "labeled": _below(str(labeled), config) if drawn else None,
                "folder": _below(str(stem).removesuffix("_crops"), config),
                "stills": _stills(labeled) if drawn else [],
            }
        )
    return found


def _changed(said: PredictionInfo) -> bool:
    """Returns True if the file of a video is there and holds something else by now."""
    if not said.video_fingerprint or not files.exists(said.video):
        return False
    return fingerprints.of_file(said.video) != said.video_fingerprint


def _below(file: str, config: Config) -> str:
    return file.removeprefix(config.output.rstrip("/") + "/")


def _stills(path: UPath) -> list[str]:
    video = videos.index(str(path))
    found = []
    for k in range(STILLS):
        at = int((k + 0.5) * video.count / STILLS)
        for frame in videos.read(video, at, at + 1):
            if frame.pixels is not None:
                found.append(label_overview.uri(frame.pixels, quality=80))
    return found
