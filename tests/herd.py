"""Simulated animals that wander and cross, and what a detector would see of them."""

from typing import NamedTuple

import numpy as np

from beampose.pipelines.tracking import stitch, tracklets
from beampose.pipelines.tracking.tracklets import Tracklet

BODY = np.array([[-20.0, 3.0], [0.0, -3.0], [20.0, 0.0], [8.0, 6.0]])


class Seen(NamedTuple):
    """Errors of a detector: noise in pixels, and shares of points, animals and frames."""

    noise: float = 1.5
    points_lost: float = 0.1
    animals_lost: float = 0.05
    false: float = 0.05


def walk(rng, frames, animals, *, bodyparts=9, side=1000.0, size=60.0, speed=3.0):
    """Animals that steer at random between walls: (frames, animals, bodyparts, 2)."""
    place = rng.uniform(size, side - size, (animals, 2))
    heading = rng.uniform(0, 2 * np.pi, animals)
    # Bodyparts along a body and a little beside it; no two animals are quite of the same form.
    along = np.linspace(-0.5, 0.5, bodyparts) if bodyparts > 1 else np.zeros(1)
    form = np.stack([along, 0.15 * np.cos(3 * np.arange(bodyparts))], axis=-1) * size
    form = form * rng.uniform(0.85, 1.15, (animals, 1, 2))
    found = np.zeros((frames, animals, bodyparts, 2))
    for frame in range(frames):
        heading += rng.normal(0, 0.1, animals)
        step = speed * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
        out = (place + step < size) | (place + step > side - size)
        step[out] *= -1
        heading = np.arctan2(step[:, 1], step[:, 0])
        place = place + step
        turn = np.stack([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
        found[frame] = place[:, None] + np.einsum("nbi,ijn->nbj", form, turn)
    return found


def see(rng, truth, how=Seen()):  # noqa: B008
    """Detections of each frame in shuffled order, (individuals, bodyparts, 3); some are false."""
    found = []
    for frame in truth:
        noisy = frame + rng.normal(0, how.noise, frame.shape)
        likelihood = rng.uniform(0.5, 1, (*frame.shape[:2], 1))
        one = np.concatenate([noisy, likelihood], axis=-1)
        one[rng.random(one.shape[:2]) < how.points_lost] = np.nan
        one[rng.random(len(one)) < how.animals_lost] = np.nan
        one[np.isnan(one[..., 0])] = np.nan
        if rng.random() < how.false:
            where = rng.uniform(0, 1000, 2) + rng.normal(0, 20, (1, frame.shape[1], 2))
            low = np.full((1, frame.shape[1], 1), 0.3)
            one = np.concatenate([one, np.concatenate([where, low], axis=-1)])
        found.append(one[rng.permutation(len(one))])
    return found


def meet(rng, *, visits=12, animals=3, bodyparts=5, there=30, away=25):
    """Animals that come out from behind something and go back, each time in another place.

    Returns:
      (frames, animals, bodyparts, 2), NaN while all are away, and detections of each frame in
      shuffled order, with the animal each of them is of.
    """
    body = np.stack([np.linspace(-20, 20, bodyparts), 5 * np.cos(3 * np.arange(bodyparts))], -1)
    truth = np.full((visits, there + away, animals, bodyparts, 2), np.nan)
    reach = 120 - 6 * np.abs(np.arange(there) - (there - 1) / 2)
    for visit in truth:
        angle = 2 * np.pi * rng.permutation(animals) / animals
        way = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        centre = 500 + reach[:, None, None] * way + rng.normal(0, 1, (there, animals, 2))
        visit[:there] = centre[:, :, None] + body
    truth = truth.reshape(-1, *truth.shape[2:])
    detections, owners = [], []
    for frame in truth:
        here = rng.permutation(np.flatnonzero(~np.isnan(frame[:, 0, 0])))
        noisy = frame[here] + rng.normal(0, 1, frame[here].shape)
        one = np.concatenate([noisy, rng.uniform(0.5, 1, (*noisy.shape[:2], 1))], axis=-1)
        one[rng.random(one.shape[:2]) < 0.15] = np.nan
        detections.append(one)
        owners.append(here)
    return truth, detections, owners


def at(*centres, body=BODY):
    """Detections of one frame, (animals, 4, 3)."""
    places = np.array(centres, float).reshape(-1, 1, 2) + body
    return np.concatenate([places, np.ones((*places.shape[:2], 1))], axis=-1)


def piece(number, first, places, bodyparts=4):
    """A tracklet with its centre at places (n, 2), from a frame on."""
    return Tracklet(number, np.arange(first, first + len(places)), at(*places))


def straight(start, step, count):
    return np.array(start) + np.arange(count)[:, None] * np.array(step)


def joined(detections, animals, kind="skeleton"):
    found = list(tracklets.track(detections, tracklets.Settings(similarity=kind)))
    return found, stitch.stitch(found, stitch.Settings(tracks=animals), frames=len(detections))
