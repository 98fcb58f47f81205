import numpy as np
import pytest

from beampose.preprocess import transform

HEIGHT, WIDTH = 90, 140
RANGES = transform.Ranges(rotation=30, zoom=0.25, translation=0.1, contrast=0, blur=0)
WHOLE = transform.whole(HEIGHT, WIDTH)
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
    copy = transform.draw(RANGES, seed, WHOLE)
    moved = transform.move(copy, np.array(point))
    assert np.hypot(*(moved - point)) > 1
    np.testing.assert_allclose(centroid(transform.apply(copy, dot(*point))), moved, atol=0.3)


def test_blur_moves_no_dot():
    ranges = transform.Ranges(0, 0, 0, 0, blur=3)
    copy = transform.draw(ranges, "a", WHOLE)
    blurred = transform.apply(copy, dot(60, 40))
    assert blurred.max() < 245
    np.testing.assert_allclose(centroid(blurred), [60, 40], atol=0.3)


def test_contrast_keeps_the_mean():
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    image[:, : WIDTH // 2] = 140
    ranges = transform.Ranges(0, 0, 0, contrast=0.4, blur=0)
    changed = transform.apply(transform.draw(ranges, "a", WHOLE), image)
    assert changed.std() != pytest.approx(image.std(), rel=0.02)
    assert changed.mean() == pytest.approx(image.mean(), abs=1)


def test_a_move_by_the_inverse_matrix_brings_keypoints_back():
    copy = transform.draw(RANGES, "a", WHOLE)
    moved = transform.move(copy, KEYPOINTS)
    inverse = np.linalg.inv(np.vstack([copy.matrix, [0, 0, 1]]))[:2]
    back = transform.move(copy._replace(matrix=inverse), moved)
    np.testing.assert_allclose(back, KEYPOINTS, atol=1e-9)


def test_a_bodypart_not_labeled_stays_so():
    copy = transform.draw(RANGES, "a", WHOLE)
    moved = transform.move(copy, KEYPOINTS)
    np.testing.assert_array_equal(np.isnan(moved), np.isnan(KEYPOINTS))


@pytest.mark.parametrize("leaving", [0, 1])
def test_points_that_leave_the_image_become_nan_and_others_stay(leaving):
    shift = np.zeros(2)
    shift[leaving] = (WIDTH, HEIGHT)[leaving] - 50
    copy = transform.Copy(np.column_stack([np.eye(2), shift]), 1, 0, HEIGHT, WIDTH)
    keypoints = np.array([[49.5, 49.5], [50.0, 50.0], [55.0, 55.0]])
    moved = transform.move(copy, keypoints)
    np.testing.assert_array_equal(moved[0], keypoints[0] + shift)
    assert np.isnan(moved[1:]).all()


def test_points_that_leave_at_the_top_left_become_nan():
    copy = transform.Copy(np.column_stack([np.eye(2), [-10, 0]]), 1, 0, HEIGHT, WIDTH)
    moved = transform.move(copy, np.array([[10.0, 5.0], [9.9, 5.0]]))
    np.testing.assert_array_equal(moved, [[0, 5], [np.nan, np.nan]])


def test_the_same_seed_draws_the_same_copy():
    first, second = (transform.draw(RANGES, "img1/2", WHOLE) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)
    assert first[1:] == second[1:]


def test_other_seeds_draw_other_copies():
    drawn = [transform.draw(RANGES, seed, WHOLE).matrix for seed in ("a", "b", "c")]
    assert len({matrix.tobytes() for matrix in drawn}) == 3


def test_zero_ranges_are_the_identity():
    copy = transform.draw(NONE, "a", WHOLE)
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    np.testing.assert_allclose(transform.move(copy, KEYPOINTS), KEYPOINTS)
    assert np.abs(transform.apply(copy, image).astype(int) - image).max() <= 1


def test_draws_stay_within_their_ranges():
    for seed in range(200):
        copy = transform.draw(transform.Ranges(20, 0.25, 0.1, 0.4, 2), str(seed), WHOLE)
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
    copy = transform.Copy(np.column_stack([np.eye(2) / 2, [30, 20]]), 1, 0, HEIGHT, WIDTH)
    np.testing.assert_array_equal(transform.apply(copy, image), image)


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_a_copy_of_a_window_shows_what_its_keypoints_say(seed):
    seen = transform.Window(left=40, top=20, width=60, height=50)
    copy = transform.draw(RANGES, seed, seen)
    image = transform.apply(copy, dot(66.3, 44.8))
    assert image.shape == (50, 60, 3)
    rows, columns = np.mgrid[:50, :60] + 0.5
    values = image[..., 0].astype(float)
    centre = np.array([(values * columns).sum(), (values * rows).sum()]) / values.sum()
    np.testing.assert_allclose(centre, transform.move(copy, np.array([66.3, 44.8])), atol=0.3)


def test_a_window_without_changes_is_a_cut_out_of_the_image():
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    copy = transform.draw(NONE, "a", transform.Window(40, 20, 60, 50))
    cut = image[20:70, 40:100]
    assert np.abs(transform.apply(copy, image).astype(int) - cut).max() <= 1


def test_windows_go_round_the_labeled_animals_and_lie_in_the_image():
    animals = np.full((3, 2, 2), np.nan)
    animals[0] = [[10, 10], [20, 14]]
    animals[2] = [[100, 60], [110, 64]]
    windows = [transform.animal(animals, copy, 40, HEIGHT, WIDTH) for copy in (1, 2, 3)]
    assert windows[0] == windows[2] == transform.Window(0, 0, 40, 40)
    assert windows[1] is not None and windows[1].width == windows[1].height == 40
    assert abs(windows[1].left + 20 - 105) <= 3 and abs(windows[1].top + 20 - 62) <= 3


def test_a_label_that_moves_a_little_moves_no_window():
    animal = np.array([[[60.0, 38.0], [70.0, 44.0]]])
    assert transform.animal(animal, 1, 64, HEIGHT, WIDTH) == transform.animal(
        animal + 1.5, 1, 64, HEIGHT, WIDTH
    )


def test_an_image_without_labels_or_smaller_than_the_window_is_shown_whole():
    nobody = np.full((2, 3, 2), np.nan)
    assert transform.animal(nobody, 1, 40, HEIGHT, WIDTH) is None
    assert transform.animal(KEYPOINTS, 1, 0, HEIGHT, WIDTH) is None
    assert transform.animal(KEYPOINTS, 1, 500, HEIGHT, WIDTH) == WHOLE
