"""Which animal of one view is which of another: by geometry, by appearance, by what is around."""

import json
from typing import Any

import coats
import numpy as np
import pytest
import rigs

from beampose.core import artefacts
from beampose.core.infos import TracksInfo
from beampose.core.settings import experiment
from beampose.formats import individuals_file
from beampose.pipelines.cli import main
from beampose.pipelines.space import (
    animals_across_views,
    recordings,
    triangulation,
    view_tables,
    view_windows,
)
from beampose.pipelines.space.recordings import Wanted
from beampose.pipelines.space.view_looks import Looks
from beampose.pipelines.space.view_points import UNKNOWN, Seen
from beampose.preprocess import cameras

FRAMES, LENGTH = 900, view_windows.LENGTH
# Frames in which geometry cannot tell the animals, and the one in which a tracker exchanges them.
ALIKE, EXCHANGED = slice(400, 700), 550
NAMES = ("a", "b")


@pytest.fixture(scope="module")
def scene():
    """Two cameras and two animals; for a while one is beside the other, along the line from one
    camera to the other, where both lie on the same epipolar lines."""
    cams = rigs.rig(2)
    first = rigs.walk(FRAMES, seed=1)
    places = np.stack([first, first + [60, 90, 30]], axis=1)
    centres = [np.linalg.svd(one.projection)[2][-1] for one in cams]
    line = np.subtract(*(one[:3] / one[3] for one in centres))
    places[ALIKE, 1] = first[ALIKE] + 110 * line / np.linalg.norm(line)
    pixels = cameras.project(cams, places)
    return cams, places, pixels + np.random.default_rng(0).normal(size=pixels.shape) * 0.5


def exchanged(pixels):
    """As a tracker has them that takes one for the other in the second view, and stays with it."""
    found = pixels.copy()
    found[EXCHANGED:, ..., 1, :] = pixels[EXCHANGED:, ::-1, :, 1]
    return found


def seen(pixels):
    count = pixels.shape[2]
    sigma = np.full((count, 2), UNKNOWN)
    return Seen(pixels, np.ones(pixels.shape[:4]), sigma, sigma[:, 0] < 0, NAMES, rigs.BODYPARTS)


def looks(apart, *, exchange=True, seed=0):
    """Looks of both views: in each the animals have another coat."""
    rng = np.random.default_rng(seed)
    windows = FRAMES // LENGTH
    found = []
    for view in range(2):
        coat = coats.draw(rng, 2, bodyparts=5, dims=8, apart=apart)
        coat = (coat - coat.mean(axis=0)).reshape(2, -1)
        vectors = np.repeat(coat[None], windows, axis=0)
        if view and exchange:
            vectors[EXCHANGED // LENGTH :] = vectors[EXCHANGED // LENGTH :, ::-1]
        vectors = vectors + rng.normal(0, 0.7, vectors.shape)
        found.append(Looks(vectors.astype(np.float32), np.ones((windows, 2), bool)))
    return found


def none(_windows):
    return "there is none"


def wrong(found, pixels):
    """Share of the instants in which the second view has the other animal."""
    apart = np.linalg.norm(found.pixels - pixels, axis=-1)[:, 0, :, 1]
    return float((np.median(apart, axis=1) > 5).mean())


def test_geometry_decides_where_it_can_and_appearance_is_not_looked_up(scene):
    cams, _, pixels = scene
    some = seen(exchanged(pixels)[700:])
    found, said = animals_across_views.matched(cams, some, lambda _: pytest.fail("looked up"))
    assert wrong(found, pixels[700:]) == 0 and said.open == 0
    told = animals_across_views.remarks(said, np.arange(200))
    assert len(told) == 1 and "decided all" in told[0]


def test_what_geometry_leaves_open_is_decided_by_appearance(scene):
    cams, _, pixels = scene
    found, said = animals_across_views.matched(cams, seen(exchanged(pixels)), lambda _: looks(1.0))
    assert said.open == said.by_appearance == 6 and not said.guessed
    assert said.judged == 12 and said.right == 12
    assert wrong(found, pixels) == 0


def test_tracks_that_stay_together_before_and_after_are_together_between(scene):
    cams, _, pixels = scene
    found, said = animals_across_views.matched(cams, seen(pixels), none)
    assert (said.open, said.by_neighbours, said.guessed) == (6, 6, ())
    assert wrong(found, pixels) == 0 and said.reason == "there is none"


def test_where_nothing_decides_geometry_guesses_and_the_frames_are_named(scene):
    cams, _, pixels = scene
    _, said = animals_across_views.matched(cams, seen(exchanged(pixels)), none)
    assert said.guessed == tuple(range(400, 700, 50))
    told = " ".join(animals_across_views.remarks(said, np.arange(1000, 1900)))
    assert "6 guesses of geometry remain: look at the 50 instants from frame 1400, 1450" in told


def test_animals_that_look_the_same_are_not_told_by_appearance(scene):
    cams, _, pixels = scene
    _, said = animals_across_views.matched(cams, seen(exchanged(pixels)), lambda _: looks(0.0))
    assert said.by_appearance == 0 and len(said.guessed) == 6
    assert "12 windows that geometry decides it was right in" in said.reason


def test_too_few_windows_to_learn_from_are_said(scene):
    cams, _, pixels = scene
    rows = slice(300, 600)
    cut = [Looks(one.vectors[6:12], one.there[6:12]) for one in looks(1.0, exchange=False)]
    _, said = animals_across_views.matched(cams, seen(pixels[rows]), lambda _: cut)
    assert said.by_appearance == 0 and "2 windows" in said.reason and "6 are needed" in said.reason


def tracked(folder, name, pixels, vectors):
    """Tracks of a view as `track` leaves them, and the features of its detections, exchanged at
    random as a detector has them."""
    stem = str(folder / f"trial_{name}DLC_resnet50_rig")
    rng = np.random.default_rng(5)
    slots = np.stack([rng.permutation(2) for _ in range(FRAMES)])
    keypoints = np.concatenate([pixels, np.full((*pixels.shape[:3], 1), 0.95)], axis=-1)
    order = slots[:, :, None]
    head = individuals_file.Head(
        "DLC_resnet50_rig", NAMES, rigs.BODYPARTS, (), False, "m", FRAMES, 25.0,
        rigs.HEIGHT, rigs.WIDTH,
    )  # fmt: skip
    piece = {
        "frames": np.arange(FRAMES),
        "keypoints": np.take_along_axis(keypoints, order[..., None], 1).astype(np.float32),
        "peaks": np.zeros((FRAMES, 5, 1, 3), np.float32),
        "descriptors": np.take_along_axis(vectors, order[..., None], 1).astype(np.float16),
    }
    individuals_file.write(stem, head, [piece])
    names = ("frames", "rows", "tracks", "tracklets", "tracklets_refused", "joins")
    said: dict[str, Any] = dict.fromkeys((*names, "detections_left_out"), 2)
    said |= {"height": rigs.HEIGHT, "width": rigs.WIDTH, "fps": 25.0, "settings": {}}
    said |= {"video": "", "name": name, "scorer": "DLC", "individuals": list(NAMES)}
    said |= {"made_by": "test", "frames_by_tracks": {}, "costliest_joins": []}
    info = TracksInfo(source=individuals_file.source(stem), **said)
    artefacts.write_info(f"{stem}_sk.json", info)
    return rigs.table(f"{stem}_sk.h5", pixels, individuals=NAMES)


def test_the_verb_compares_the_features_that_predict_kept(scene, tmp_path, capsys):
    cams, places, pixels = scene
    config, file = rigs.experiment(tmp_path), rigs.calibration(tmp_path, cams)
    rng = np.random.default_rng(3)
    views, shown = [], exchanged(pixels)
    for number, cam in enumerate(cams):
        coat = coats.draw(rng, 2, bodyparts=5, dims=8)
        vectors = np.repeat(coat[None], FRAMES, axis=0)
        if number:
            vectors[EXCHANGED:] = vectors[EXCHANGED:, ::-1]
        vectors = vectors + rng.normal(0, 1, vectors.shape)
        views.append(f"{cam.name}={tracked(tmp_path, cam.name, shown[..., number, :], vectors)}")
    words = ["triangulate", config, "--calibration", file, "--views", *views]
    off = ["--to", str(tmp_path / "off"), "--set", "cameras.appearance=none"]
    assert main([*words, *off]) == 0
    told = capsys.readouterr().out
    assert "cameras.appearance is none" in told and "6 guesses of geometry remain" in told
    read = experiment.load(config), view_tables.parse(views), file
    done = triangulation.run(*read, Wanted(), to=str(tmp_path / "by"))
    told = " ".join(done.info.remarks)
    assert "leaves 6 of 18 windows open: appearance decides 6" in told
    assert "agrees with geometry in 12 of 12 windows" in told
    apart = np.linalg.norm(done.recording.points.places - places, axis=-1)
    assert np.nanpercentile(apart, 99) < 8
    said = json.loads((tmp_path / "by.json").read_text())["matching"]
    assert (said["open"], said["by_appearance"], said["guessed"]) == (6, 6, [])


def test_features_that_are_gone_or_damaged_are_said_and_geometry_goes_on(scene, tmp_path):
    cams, _, pixels = scene
    config = rigs.experiment(tmp_path)
    vectors = np.zeros((FRAMES, 2, 5, 8))
    views = [
        (cam.name, tracked(tmp_path, cam.name, pixels[..., number, :], vectors))
        for number, cam in enumerate(cams)
    ]
    kept = tmp_path / f"trial_cam1DLC_resnet50_rig{individuals_file.ENDING}"
    kept.write_bytes(kept.read_bytes()[:999])
    read = experiment.load(config), cameras.Rig(tuple(cams)), views, Wanted()
    found = recordings.read(*read, filtered=False)
    assert found.matching is not None and found.matching.by_neighbours == 6
    assert kept.name in found.matching.reason
    kept.unlink()
    told = " ".join(recordings.read(*read, filtered=False).remarks)
    assert "not compared across views: cam1 has no features beside the tracks" in told
