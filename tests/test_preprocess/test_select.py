"""Choosing frames: names and ranges as DeepLabCut's, clusters that are there, nothing twice."""

import numpy as np
import pytest

from beampose.preprocess import select


def blobs(sizes=(40, 25, 3, 60), dims=7):
    """Well separated groups of vectors, shuffled, and the group of each."""
    rng = np.random.default_rng(3)
    centres = rng.normal(0, 50, (len(sizes), dims))
    group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return (centres[group] + rng.normal(0, 1, (len(group), dims))).astype(np.float32), group


@pytest.mark.parametrize(
    ("number", "count", "name"),
    [
        (0, 2330, "img0000.png"),
        (85, 2330, "img0085.png"),
        (7, 10, "img7.png"),
        (7, 1, "img7.png"),
        (99, 100, "img99.png"),
        (99, 101, "img099.png"),
    ],
)
def test_frames_are_named_as_deeplabcut_names_them(number, count, name):
    assert select.frame_name(number, count) == name


def test_a_part_is_a_fraction_or_seconds():
    assert select.span(11, 0.25, 0.5) == (2, 6)
    assert select.span(11, 0, None) == (0, 11)
    assert select.span(100, 0, 2, fps=25) == (0, 50)
    assert select.span(100, 1.5, 99, fps=25) == (37, 100)
    assert select.span(100, 2, None, fps=25) == (50, 100)


@pytest.mark.parametrize(
    ("start", "stop", "fps", "words"),
    [
        (0.5, 0.5, 25, "below the stop"),
        (-1, None, 25, "0 or more"),
        (1, None, 25, "below 1"),
        (2, 9, 0, "no frame rate"),
        (30, 40, 25, "ends after 4.0 seconds"),
    ],
)
def test_an_empty_part_is_refused(start, stop, fps, words):
    with pytest.raises(ValueError, match=words):
        select.span(100, start, stop, fps)


def test_a_thumbnail_is_gray_and_thirty_wide_whatever_the_frame():
    frame = np.zeros((48, 80, 3), np.uint8)
    frame[:, 40:] = (30, 60, 90)
    small = select.thumbnail(frame)
    assert small.shape == (18 * 30,)
    assert set(small.reshape(18, 30)[:, 16:].ravel()) == {60}
    assert not small.reshape(18, 30)[:, :14].any()


@pytest.mark.parametrize("central", [False, True])
def test_kmeans_takes_one_frame_of_each_group(central):
    vectors, group = blobs()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        picked = select.by_kmeans(vectors, 4, rng, central=central)
        assert picked == sorted(picked)
        assert sorted(group[picked]) == [0, 1, 2, 3]


def test_the_central_frame_is_the_one_nearest_to_its_groups_mean():
    vectors, group = blobs()
    for i in select.by_kmeans(vectors, 4, np.random.default_rng(0), central=True):
        members = np.flatnonzero(group == group[i])
        mean = vectors[members].mean(axis=0)
        far = [np.linalg.norm(vectors[m] - mean) for m in members]
        # Mini-batches move centres a little off the means.
        assert np.linalg.norm(vectors[i] - mean) <= np.percentile(far, 20) + 1e-6


def test_assign_agrees_with_a_loop():
    rng = np.random.default_rng(0)
    vectors, centres = rng.normal(size=(13, 5)), rng.normal(size=(4, 5))
    nearest, squared = select.assign(vectors, centres)
    for vector, found, distance in zip(vectors, nearest, squared, strict=True):
        all_of_them = [((vector - centre) ** 2).sum() for centre in centres]
        assert found == np.argmin(all_of_them)
        assert distance == pytest.approx(min(all_of_them))


def test_the_core_set_agrees_with_a_loop_and_keeps_away_from_what_is_labeled():
    vectors, group = blobs()
    labeled = vectors[group == 1][:2]
    picked = select.by_core_set(vectors, 6, np.random.default_rng(0), labeled=labeled)
    chosen, order = list(labeled), []
    for _ in range(6):
        far = [min(np.linalg.norm(v - c) for c in chosen) for v in vectors]
        order.append(int(np.argmax(far)))
        chosen.append(vectors[order[-1]])
    assert picked == sorted(order)
    assert set(group[order[:3]]) == {0, 2, 3}


def test_the_same_seed_picks_the_same_and_another_others():
    vectors, _ = blobs()
    for method in (select.by_kmeans, select.by_core_set):
        one = method(vectors, 12, np.random.default_rng(5))
        assert one == method(vectors, 12, np.random.default_rng(5))
        assert one != method(vectors, 12, np.random.default_rng(6))
        assert len(set(one)) == len(one)


@pytest.mark.parametrize("method", [select.by_kmeans, select.by_core_set])
def test_equal_frames_and_more_asked_than_there_are_are_no_trouble(method):
    rng = np.random.default_rng(0)
    assert method(np.ones((3, 4), np.float32), 5, rng) == [0, 1, 2]
    picked = method(np.ones((30, 4), np.float32), 5, rng)
    assert len(set(picked)) == len(picked) <= 5


def test_frames_near_a_labeled_one_are_seen_already():
    vectors, group = blobs()
    fresh = select.unseen(vectors, vectors[group == 3][:1] + 0.01, np.random.default_rng(0))
    assert not fresh[group == 3].any()
    assert fresh[group != 3].all()
    assert select.unseen(vectors, np.empty((0, 7)), np.random.default_rng(0)).all()


def test_standardising_takes_the_frames_measure_for_both():
    vectors = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    scaled, labeled = select.standardised(vectors, np.array([[2.0, 9.0]]))
    assert scaled.std(axis=0) == pytest.approx([1, 0])
    assert labeled.tolist() == [[0.0, 0.0]]
