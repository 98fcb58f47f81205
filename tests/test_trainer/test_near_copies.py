"""Held-out crops that are nearly equal to one that was learned from."""

import fakes
import numpy as np
import pytest

from beampose.trainer import near_copies


class Crops:
    """A dataset of crops, of which the first four were learned from; features are given."""

    def __init__(self, features):
        records = [fakes.label_record(i, label=0) for i in range(len(features))]
        self.records = [
            r._replace(split="train" if i < 4 else "test") for i, r in enumerate(records)
        ]
        self._features = features

    def of(self, split):
        return [r for r in self.records if r.split == split]

    def features(self, record):
        return self._features[record.row]


@pytest.mark.parametrize("at_once", [1, 500])
def test_the_same_crop_with_other_noise_is_found_whatever_its_brightness(monkeypatch, at_once):
    monkeypatch.setattr(near_copies, "AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(8, 64))
    features[5] = 1.5 * features[2] + rng.normal(scale=0.1, size=64)
    features[7] = features[0]
    assert near_copies.pairs(Crops(features)) == [("img5", "img2"), ("img7", "img0")]


def test_without_held_out_crops_there_is_none():
    assert near_copies.pairs(Crops(np.ones((4, 8)))) == []
