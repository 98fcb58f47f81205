"""Calibration from boards and from a mirror's labels, against cameras that are known."""

import cv2
import numpy as np
import pytest
import rigs

import beampose
from beampose.pipelines.cli import main
from beampose.pipelines.space import affine_views, boards, label_views, point_fit, rig_calibration
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Rig

BOARD = boards.parse("charuco:8x6:40:30")
SIZES = {f"cam{i}": (rigs.HEIGHT, rigs.WIDTH) for i in range(6)}


def shown(cams, count=30, *, noise=0.1, wrong=0.0, board=BOARD, poses=None):
    """Corners that cameras see of a board, as a detector would find them."""
    rng = np.random.default_rng(1)
    found = {one.name: {} for one in cams}
    poses = rigs.board_poses(board.corners, count) if poses is None else poses
    for instant, pose in enumerate(poses):
        for one in cams:
            places = one.project(rigs.board_corners(board.corners, pose))
            inside = ((places > 5) & (places < [rigs.WIDTH - 5, rigs.HEIGHT - 5])).all(axis=1)
            places = places + rng.normal(size=places.shape) * noise
            odd = rng.random(len(places)) < wrong
            places[odd] += rng.normal(0, 20, (odd.sum(), 2))
            if inside.sum() >= boards.FEWEST:
                found[one.name][instant] = np.flatnonzero(inside), places[inside]
    return found


def off(rig, cams):
    """(points,), mm by which an animal is off, seen by the true cameras, measured by the others."""
    truth = rigs.walk(60).reshape(-1, 3)
    rays = cameras.rays(rig, cameras.project(cams, truth))
    found = point_fit.linear(rays, cameras.projections(rig), np.ones(rays.shape[:2]))
    return np.linalg.norm(rigs.aligned(found, truth) - truth, axis=1)


@pytest.mark.parametrize("wrong", [0.0, pytest.param(0.02, marks=pytest.mark.slow)])
def test_cameras_are_found_where_they_are(wrong):
    cams = rigs.rig(4)
    found = rig_calibration.calibrate(BOARD, shown(cams, wrong=wrong), SIZES)
    assert off(found.rig.cameras, cams).mean() < 0.5
    for one, other in zip(found.rig.cameras, cams, strict=True):
        assert abs(one.matrix[0, 0] / other.matrix[0, 0] - 1) < 0.01
    assert 0.1 < found.rig.error < 0.25
    assert bool(wrong) == any("left out as wrong" in one for one in found.remarks)


def test_cameras_that_share_no_view_are_joined_through_others():
    cams = rigs.rig(3)
    seen = shown(cams, 60)
    # The first sees the board in the first half, the last in the second.
    seen["cam0"] = {i: one for i, one in seen["cam0"].items() if i < 30}
    seen["cam2"] = {i: one for i, one in seen["cam2"].items() if i >= 30}
    found = rig_calibration.calibrate(BOARD, seen, SIZES)
    assert set(found.shared) == {"cam0-cam1", "cam1-cam2"}
    assert off(found.rig.cameras, cams).mean() < 1.0
    seen["cam2"] = {i + 100: one for i, one in seen["cam2"].items()}
    with pytest.raises(ValueError, match="cam2 shares fewer than 3 instants"):
        rig_calibration.calibrate(BOARD, seen, SIZES)


def test_a_board_that_tells_too_little_is_refused():
    cams = rigs.rig(2)
    few = shown(cams, 5)
    with pytest.raises(ValueError, match="cam0 shows the board in 5 frames"):
        rig_calibration.calibrate(BOARD, few, SIZES)
    pose = rigs.board_poses(BOARD.corners, 1)[0]
    flat = np.stack([pose + [0, 0, 0, 4 * i, -3 * i, 0] for i in range(12)])
    with pytest.raises(ValueError, match="one angle"):
        rig_calibration.calibrate(BOARD, shown(cams, poses=flat), SIZES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("charuco:8x6:40", "must be charuco:"),
        ("charuco:8x6:30:40", "smaller than its square"),
        ("charuco:8x6:40:30:9X9", "no dictionary '9X9'"),
        ("charuco:30x20:40:30:4X4_50", "has 50 markers, the board needs 300"),
        ("checkerboard:8x6:25", "upside down it looks the same"),
        ("checkerboard:9x6:nan", "lengths above 0"),
        ("chess", "must be charuco:"),
    ],
)
def test_a_board_that_is_none_is_a_sentence(text, said):
    with pytest.raises(ValueError, match=said):
        boards.parse(text)


@pytest.mark.parametrize(
    "text", ["charuco:8x6:40:30", pytest.param("checkerboard:8x5:40", marks=pytest.mark.slow)]
)
def test_films_of_a_board_calibrate_cameras(text, tmp_path, capsys):
    board, cams = boards.parse(text), rigs.rig(2, lens=np.zeros(5))
    scale = 60 / board.square
    printed = boards.picture(board, 60)
    # The origin is a corner of the first square, or the first inner corner.
    before = 30 if board.marker else 90
    grid = np.stack(np.meshgrid(np.arange(rigs.WIDTH), np.arange(rigs.HEIGHT)), -1).astype(float)
    words = []
    for one in cams:
        rays = one.rays(grid)
        images = []
        for pose in rigs.board_poses(board.corners, 24, seed=4):
            start = board_origin(pose, (before - 0.5) / scale)
            image = rigs.draw_board(one, rays, printed, scale, start)
            images.append(np.repeat(image[..., None], 3, axis=-1))
        words.append(rigs.film(tmp_path / f"board-{one.name}.mp4", images))
    file = str(tmp_path / "calibration.toml")
    assert main(["calibrate", *words, "--board", text, "--to", file]) == 0
    said = capsys.readouterr().out
    assert "cam0: the board in" in said and "calibration.html" in said
    rig = beampose.load_calibration(file)
    assert rig.names == ["cam0", "cam1"] and rig.error < 0.5
    assert off(rig.cameras, cams).mean() < 3


def board_origin(pose: np.ndarray, back: float) -> np.ndarray:
    """The pose of the printed picture's first pixel, which lies before the board's origin."""
    turn = cv2.Rodrigues(pose[:3])[0]
    return np.concatenate([pose[:3], pose[3:] - turn @ [back, back, 0]])


def mirrored(count=120, wrong=0, seed=0):
    """Labels (images, 5 bodyparts x 2 views, 2) of a mouse in a mirror, and which were moved."""
    rng = np.random.default_rng(seed)
    top = np.array([[1.0, 0, 0, 200], [0, 1, 0, 80]])
    bot = np.array([[0.93, -0.06, 0, 200], [0, 0, 0.93, 290]])
    rows = top, bot
    places = rigs.walk(count, seed=3)
    views = [places @ one[:, :3].T + one[:, 3] for one in rows]
    labels = np.concatenate(views, axis=1) + rng.normal(size=(count, 10, 2)) * 0.7
    moved = np.zeros(labels.shape[:2], bool)
    for image in rng.choice(count, wrong, replace=False):
        moved[image, rng.integers(10)] = True
    labels[moved] += [14.0, 0]
    return labels, moved


NAMES = [f"{part}_{view}" for view in ("top", "bot") for part in rigs.BODYPARTS]


def test_two_views_in_one_frame_are_calibrated_by_their_labels():
    labels, moved = mirrored(wrong=12)
    pairs = np.stack([labels[:, :5], labels[:, 5:]], axis=2).reshape(-1, 2, 2)
    rig = affine_views.fit(pairs, ["top", "bot"])
    assert np.median(affine_views.errors(rig, pairs)) < 0.7
    videos, images = ["film"] * len(labels), [f"img{i}.png" for i in range(len(labels))]
    apart = label_views.distances(rig, labels, label_views.sightings(rig, videos, images, NAMES))
    # The other view's label of the point is as far off, by what the two tell.
    either = moved[:, :5] | moved[:, 5:]
    assert (apart[:, :5][either] > 8).all() and (apart[:, :5][~either] < 8).all()


def test_labels_of_one_instant_are_compared_across_videos():
    cams = rigs.rig(3)
    places = rigs.walk(20)
    labels = cameras.project(cams, places).transpose(2, 0, 1, 3).reshape(60, 5, 2)
    labels[3, 2] += [0, 25]
    videos = [f"run1-{one.name}" for one in cams for _ in range(20)]
    images = [f"labeled-data/{video}/img{i % 20:03}.png" for i, video in enumerate(videos)]
    rig = Rig(tuple(cams))
    seen = label_views.sightings(rig, videos, images, rigs.BODYPARTS)
    apart = label_views.distances(rig, labels, seen)
    assert np.unravel_index(np.nanargmax(apart), apart.shape) == (3, 2) and apart[3, 2] > 10
    assert np.nanquantile(apart, 0.9) < 1e-3
    with pytest.raises(ValueError, match="names of videos"):
        label_views.sightings(rig, ["x"] * 60, images, rigs.BODYPARTS)
