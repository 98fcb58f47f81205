"""Infos of artefacts that nobody made, with whatever a test needs to be otherwise."""

from beampose.core.infos import (
    DatasetInfo,
    ModelInfo,
    PredictionInfo,
    Recipe,
    StoreInfo,
    TracksInfo,
)

RECIPE = Recipe(
    backbone="resnet_compact", weights_digest="0" * 64, pooled=False, channels=320, pca=64
)


def dataset(**values: object) -> DatasetInfo:
    known = {
        "task": "pose",
        "bodyparts": ["nose", "tail"],
        "individuals": ["individual1"],
        "edges": [],
        "classes": [],
        "store": "resnet_compact-0",
        "labels_digest": "d",
        "counts": {"images": 3, "copies": 0, "rejected": 0, "problems": 0},
    }
    return DatasetInfo(**{**known, **values})


def store(**values: object) -> StoreInfo:
    known = {
        "recipe": RECIPE,
        "weights": "builtin",
        "dims": 64,
        "transform_digest": "t",
        "records": 0,
        "bytes": 0,
        "shards": [],
    }
    return StoreInfo(**{**known, **values})


def model(**values: object) -> ModelInfo:
    known = {
        "task": "pose",
        "bodyparts": ["nose", "tail"],
        "individuals": ["individual1"],
        "classes": [],
        "project": "spotsJan1",
        "split": {"train": 2, "test": 1},
        "dlc_scorer": "DLC_beampose-resnetcompact_spotsJan1shuffle1_100",
        "store": "resnet_compact-0",
        "recipe": RECIPE,
        "weights": "builtin",
        "transform_digest": "t",
        "config": {"train": {"steps": 100}},
    }
    return ModelInfo(**{**known, **values})


def tracks(**values: object) -> TracksInfo:
    known = {
        "video": "film.mp4",
        "name": "film",
        "fps": 30.0,
        "height": 48,
        "width": 64,
        "scorer": "DLC",
        "source": "s",
        "settings": {},
        "frames": 9,
        "rows": 9,
        "tracks": 2,
        "individuals": ["ada", "bo"],
        "tracklets": 3,
        "tracklets_refused": 0,
        "detections_left_out": 0,
        "frames_by_tracks": {"2": 9},
        "joins": 1,
    }
    return TracksInfo.model_validate({**known, **values})


def prediction(**values: object) -> PredictionInfo:
    known = {
        "video": "film.mp4",
        "video_bytes": 9,
        "video_fingerprint": "f",
        "name": "film",
        "frames_by_header": 1,
        "frames_by_packets": 1,
        "frames_chosen": 1,
        "frames_decoded": 1,
        "frames_differ": "",
        "rows": 1,
        "failures": [],
        "fps": 25.0,
        "height": 48,
        "width": 64,
        "model_digest": "m",
        "settings": {},
        "settings_digest": "s",
        "finished": "",
    }
    return PredictionInfo.model_validate({**known, **values})
