"""Settings, view and DeepLabCut's facts that predictors of keypoints take from an experiment."""

from typing import Any

from upath import UPath

from beampose.core.infos import ModelInfo
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import pose_config, prediction_writer
from beampose.pipelines.predict.follow import Following
from beampose.pipelines.predict.view import View
from beampose.preprocess.videos import Video

# Largest window, as a share of the frame, by `predict.look`.
SHARES = {"frame": 0.0, "auto": 0.5, "window": 0.9}
# A bodypart of less likelihood is not followed, also where `predict.pcutoff` lets it pass.
SEEN = 0.5
_SETTINGS = ("every", "fps", "start", "stop", "crop", "size")


def view(config: Config, info: ModelInfo) -> View:
    """What of a frame the model sees.

    Args:
      info: the model's info.json.
    """
    crop, trained = config.predict.crop, info.frame_size
    return View(
        None if crop is None else (*crop,),  # pyright: ignore[reportArgumentType]
        config.predict.size,
        None if trained is None else (*trained,),  # pyright: ignore[reportArgumentType]
    )


def settings(config: Config, *more: str) -> dict[str, Any]:
    """Those of `predict` that keypoints depend on, and more."""
    return {name: getattr(config.predict, name) for name in (*_SETTINGS, *more)}


def looked(config: Config, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the way frames are looked at, where it is not the usual one: what was predicted
    before there was a choice stays valid."""
    look = config.predict.look
    return settings if look == "auto" else {**settings, "look": look}


def following(config: Config, info: ModelInfo) -> Following:
    """How animals are followed from batch to batch."""
    predict, scale = config.predict, info.recipe.scale
    if predict.dynamic:
        return Following(SHARES["window"], predict.dynamic, predict.margin, scale)
    return Following(SHARES[predict.look], max(predict.pcutoff, SEEN), 0, scale)


def dlc_config(config: Config, info: ModelInfo) -> dict[str, Any]:
    """The part of a DeepLabCut test pose_cfg that its tools read."""
    total = sum(info.split.values())
    return {
        **pose_config.of_model(info.bodyparts, info.recipe.backbone, info.recipe.scale),
        "batch_size": config.predict.batch_size,
        "train_fraction": round(info.split.get("train", 0) / total, 2) if total else 1.0,
    }


def write_meta(stem: UPath, video: Video, scorer: str, config: dict[str, Any]) -> None:
    """DeepLabCut's metadata pickle of a video; `config` as of `dlc_config`."""
    prediction_writer.write_meta(
        stem,
        scorer=scorer,
        fps=video.fps,
        size=(video.height, video.width),
        frames=video.count,
        config=config,
    )
