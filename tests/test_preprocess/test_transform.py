import numpy as np
import pytest

from beampose.preprocess import transform

HEIGHT, WIDTH = 90, 140
RANGES = transform.Ranges(rotation=30, zoom=0.25, translation=0.1, contrast=0, blur=0)
NONE = transform.Ranges(0, 0, 0, 0, 0)
# Two individuals, three bodyparts, one of them not labeled.
KEYPOINTS = np.array(
    [[[60.3, 40.8], [80.5, 50.0], [np.nan, np.nan]], [[75.0, 30.25], [66.6, 61.4], [90.0, 45.0]]]
)


def dot(x: float, y: float) -> np.ndarray:
    """An image with a soft bright dot at a keypoint; a pixel's centre is half a pixel in."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    values = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.5**2))
    return np.repeat(values[..., None], 3, axis=-1).round().astype(np.uint8)


def centroid(image: np.ndarray) -> np.ndarray:
    values = image[..., 0].astype(float)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.array([(values * columns).sum(), (values * rows).sum()]) / values.sum()


@pytest.mark.parametrize("seed", ["a", "b", "c", "d", "e", "f"])
@pytest.mark.parametrize("point", [(60.3, 40.8), (75.0, 52.5)])
def test_the_image_and_its_keypoints_move_together(seed, point):
    copy = transform.draw(RANGES, seed, HEIGHT, WIDTH)
    moved = transform.move(copy, np.array(point), HEIGHT, WIDTH)
    assert np.hypot(*(moved - point)) > 1
    np.testing.assert_allclose(centroid(transform.apply(copy, dot(*point))), moved, atol=0.3)


def test_blur_moves_no_dot():
    ranges = transform.Ranges(0, 0, 0, 0, blur=3)
    copy = transform.draw(ranges, "a", HEIGHT, WIDTH)
    blurred = transform.apply(copy, dot(60, 40))
    assert blurred.max() < 245
    np.testing.assert_allclose(centroid(blurred), [60, 40], atol=0.3)


def test_contrast_keeps_the_mean():
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    image[:, : WIDTH // 2] = 140
    ranges = transform.Ranges(0, 0, 0, contrast=0.4, blur=0)
    changed = transform.apply(transform.draw(ranges, "a", HEIGHT, WIDTH), image)
    assert changed.std() != pytest.approx(image.std(), rel=0.02)
    assert changed.mean() == pytest.approx(image.mean(), abs=1)


def test_a_move_by_the_inverse_matrix_brings_keypoints_back():
    copy = transform.draw(RANGES, "a", HEIGHT, WIDTH)
    moved = transform.move(copy, KEYPOINTS, HEIGHT, WIDTH)
    inverse = np.linalg.inv(np.vstack([copy.matrix, [0, 0, 1]]))[:2]
    back = transform.move(copy._replace(matrix=inverse), moved, HEIGHT, WIDTH)
    np.testing.assert_allclose(back, KEYPOINTS, atol=1e-9)


def test_a_bodypart_not_labeled_stays_so():
    copy = transform.draw(RANGES, "a", HEIGHT, WIDTH)
    moved = transform.move(copy, KEYPOINTS, HEIGHT, WIDTH)
    np.testing.assert_array_equal(np.isnan(moved), np.isnan(KEYPOINTS))


@pytest.mark.parametrize("leaving", [0, 1])
def test_points_that_leave_the_image_become_nan_and_others_stay(leaving):
    shift = np.zeros(2)
    shift[leaving] = (WIDTH, HEIGHT)[leaving] - 50
    copy = transform.Copy(np.column_stack([np.eye(2), shift]), 1, 0)
    keypoints = np.array([[49.5, 49.5], [50.0, 50.0], [55.0, 55.0]])
    moved = transform.move(copy, keypoints, HEIGHT, WIDTH)
    np.testing.assert_array_equal(moved[0], keypoints[0] + shift)
    assert np.isnan(moved[1:]).all()


def test_points_that_leave_at_the_top_left_become_nan():
    copy = transform.Copy(np.column_stack([np.eye(2), [-10, 0]]), 1, 0)
    moved = transform.move(copy, np.array([[10.0, 5.0], [9.9, 5.0]]), HEIGHT, WIDTH)
    np.testing.assert_array_equal(moved, [[0, 5], [np.nan, np.nan]])


def test_the_same_seed_draws_the_same_copy():
    first, second = (transform.draw(RANGES, "img1/2", HEIGHT, WIDTH) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)
    assert first[1:] == second[1:]


def test_other_seeds_draw_other_copies():
    drawn = [transform.draw(RANGES, seed, HEIGHT, WIDTH).matrix for seed in ("a", "b", "c")]
    assert len({matrix.tobytes() for matrix in drawn}) == 3


def test_zero_ranges_are_the_identity():
    copy = transform.draw(NONE, "a", HEIGHT, WIDTH)
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    np.testing.assert_allclose(transform.move(copy, KEYPOINTS, HEIGHT, WIDTH), KEYPOINTS)
    assert np.abs(transform.apply(copy, image).astype(int) - image).max() <= 1


def test_draws_stay_within_their_ranges():
    for seed in range(200):
        copy = transform.draw(transform.Ranges(20, 0.25, 0.1, 0.4, 2), str(seed), HEIGHT, WIDTH)
        scale = np.sqrt(np.linalg.det(copy.matrix[:, :2]))
        angle = np.rad2deg(np.arctan2(copy.matrix[1, 0], copy.matrix[0, 0]))
        centre = np.array([WIDTH / 2, HEIGHT / 2])
        shift = copy.matrix[:, :2] @ centre + copy.matrix[:, 2] - centre
        assert 1 / 1.25 <= scale <= 1.25
        assert abs(angle) <= 20
        assert (np.abs(shift) <= [WIDTH * 0.1 + 1e-9, HEIGHT * 0.1 + 1e-9]).all()
        assert 0.6 <= copy.gain <= 1.4
        assert 0 <= copy.sigma <= 2


def test_beyond_the_border_the_edge_goes_on():
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    copy = transform.Copy(np.column_stack([np.eye(2) / 2, [30, 20]]), 1, 0)
    np.testing.assert_array_equal(transform.apply(copy, image), image)
