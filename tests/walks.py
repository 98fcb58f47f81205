"""Predictions of something that walks, for those that work on predictions."""

import numpy as np

from beampose.formats.deeplabcut import prediction_writer

SCORER = "DLC_resnet50_spotsJan1shuffle1_30"


def walk(rng, rows=40, points=2):
    """A steady walk of sure points (rows, points, 3)."""
    speed = rng.normal(0, 0.3, (rows, points, 2)).cumsum(axis=0)
    places = 30 + speed.cumsum(axis=0)
    return np.concatenate([places, np.full((rows, points, 1), 0.9)], axis=-1)


def write(predictions, values, name="film", frames=None, bodyparts=("nose", "tail")):
    made = prediction_writer.table(values, SCORER, bodyparts, frames)
    prediction_writer.write(made, f"{predictions}/{name}{SCORER}")
    return f"{predictions}/{name}{SCORER}"
