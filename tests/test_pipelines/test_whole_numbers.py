"""An experiment whose backbone computes in whole numbers, from labels to a model on frames."""

import numpy as np
import pytest
from conftest import SETTINGS, crops_settings, picture, write_crops, write_project

from beampose.core import artefacts, storage
from beampose.core.infos import StoreInfo
from beampose.core.names import LITE
from beampose.core.settings import experiment
from beampose.pipelines.features import feature_job
from beampose.trainer import task
from beampose.trainer.frame_predictor import FramePredictor

WINDOW = {"corner": np.array([2, 4], np.int32), "cells": np.array([6, 8], np.int32)}


def load(folder, text):
    file = folder / "experiment.yaml"
    quick = text.replace("steps: 30", "steps: 10").replace('"random:0"', "builtin")
    file.write_text(quick.replace("backbone: ", "precision: int8, backbone: "))
    return experiment.load(file)


def answers(model, frames):
    """By signature, with and without LiteRT."""
    lite, signatures = model._by_lite, ["frames", "window"] if model.knows("window") else ["frames"]
    assert lite is not None
    found = []
    for model._by_lite in (lite, None):
        given = {"frames": {}, "window": WINDOW}
        found.append({name: model.predict(frames, name, **given[name]) for name in signatures})
    return found


@pytest.mark.parametrize("kind", ["pose", pytest.param("crops", marks=pytest.mark.slow)])
def test_features_and_model_compute_in_whole_numbers(tmp_path, kind):
    pytest.importorskip("ai_edge_litert")
    if kind == "pose":
        write_project(tmp_path / "project")
    else:
        write_crops(tmp_path / "crops")
    config = load(tmp_path, SETTINGS if kind == "pose" else crops_settings())
    assert feature_job.run(config).embedded
    (store,) = storage.place(config.store).iterdir()
    assert artefacts.require(store, StoreInfo).recipe.precision == "int8"
    assert (store / "transform" / LITE).is_file()
    assert feature_job.run(config).embedded == 0

    task.run(config, task.default_folders(config))
    model = FramePredictor(config.model)
    frames = np.stack([picture(i)[0] for i in range(3)])
    by_lite, by_tensorflow = answers(model, frames)
    for name, outputs in by_tensorflow.items():
        for output, values in outputs.items():
            np.testing.assert_allclose(by_lite[name][output], values, atol=1e-3, err_msg=output)


def test_finetuning_refuses_whole_numbers(tmp_path):
    text = SETTINGS.replace("{steps", "{mode: finetune, steps").replace(
        "features: {", "features: {frames: true, "
    )
    with pytest.raises(ValueError, match="finetune.*whole numbers.*precision"):
        load(tmp_path, text)
