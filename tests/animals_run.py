"""A small experiment of several animals, from labels to a film, tracks and a report."""

import fakes
import numpy as np

from beampose.core import storage
from beampose.pipelines import cli
from beampose.pipelines.films import film_writer

NAME, FILM, COUNT = "animals", "ants ä.mp4", 12
SETTINGS = """
task: pose
source: {format: deeplabcut, path: project}
split: {by: image, test: 0.3, seed: 0}
features: {backbone: resnet_compact, weights: "random:0", copies: 0, pca: 16, batch_size: 4}
train: {steps: 5, batch_size: 4, learning_rate: 0.002, hidden: 16, layers: 1, window: 8,
  pos_dist_thresh: 17, identity: true}
predict: {pcutoff: 0.0, videos: [film.mp4]}
render: {images: 3}
output: out
"""


def labels(count):
    rng = np.random.default_rng(0)
    found = np.full((count, 3, 4, 2), np.nan)
    found[:, :2, :3] = rng.uniform(10, 90, (count, 2, 3, 2))
    found[:, 2, 3] = 120.5, 12.5
    found[1, 1], found[2, 0, 1] = np.nan, np.nan
    # A frame in which nobody is.
    found[4, :2] = np.nan
    return found


def filmed(path, seeds):
    frames = (fakes.pixels(seed, 96, 144) for seed in seeds)
    film_writer.write(storage.place(path), frames, fps=25.0)


def run(folder):
    """Hardly trains a model, on random weights, and runs it on a film, the same for all copies."""
    filmed(folder / FILM, range(COUNT))
    fakes.animals(folder / "project", labels(10), size=(96, 144))
    # Steps enough to find something on film: score maps start low.
    text = SETTINGS.replace("steps: 5", "steps: 250").replace("rate: 0.002", "rate: 0.006")
    text = text.replace("[film.mp4]", f'["{(folder / FILM).as_posix()}"], chunk: 5')
    file = folder / "animals.yaml"
    file.write_text(f"{text}reid: {{triplets: 8, epochs: 1}}\n")
    assert cli.main(["run", str(file)]) == 0
