"""Calibrations: what is written reads back, what others write is read, what is broken is said."""

import pickle

import cv2
import numpy as np
import pytest
import rigs

from beampose.formats import calibrations
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Rig

TURN = cv2.Rodrigues(np.array([0.1, 0.4, -0.2]))[0]


def three():
    fisheye = cameras.pinhole(
        'b é"\\x', np.diag([500.0, 510, 1]), TURN, [1, 2, 900],
        distortion=np.array([-0.05, 0.01, 0, 0]), fisheye=True, size=(480, 640),
    )  # fmt: skip
    return rigs.rig(2)[1], fisheye, cameras.affine("mirror", np.arange(8.0).reshape(2, 4))


def test_a_calibration_reads_back_as_it_was_written(tmp_path):
    file = str(tmp_path / "calibration.toml")
    calibrations.write(Rig(three(), error=0.25), file)
    read = calibrations.read(file)
    assert read.error == 0.25
    for one, other in zip(read.cameras, three(), strict=True):
        assert (one.name, one.size, one.fisheye) == (other.name, other.size, other.fisheye)
        np.testing.assert_allclose(one.projection, other.projection, atol=1e-12)
        np.testing.assert_array_equal(one.matrix, other.matrix)
        np.testing.assert_array_equal(one.distortion, other.distortion)


@pytest.mark.parametrize("camera", three(), ids=["pinhole", "fisheye", "affine"])
def test_a_ray_leads_back_to_the_point_it_came_from(camera):
    places = np.random.default_rng(0).uniform(-150, 150, (40, 3))
    pixels = camera.project(places)
    seen = places @ camera.projection[:, :3].T + camera.projection[:, 3]
    np.testing.assert_allclose(camera.rays(pixels), seen[:, :2] / seen[:, 2:], atol=1e-9)
    moved = pixels + [0.02, -0.01]
    step = camera.rays(moved) - camera.rays(pixels)
    turned = np.einsum("nij,nj->ni", camera.pixels_per_ray(pixels), step)
    np.testing.assert_allclose(turned, moved - pixels, atol=1e-5)


def test_what_is_behind_a_camera_or_unknown_is_nan():
    camera = rigs.rig(1)[0]
    behind = 2 * camera.centre
    assert np.isnan(camera.project(np.stack([behind, [np.nan, 0, 0]]))).all()
    assert np.isnan(camera.rays(np.array([[np.nan, 3.0]]))).all()


def stereo(**changed):
    one, two = rigs.rig(2)
    lens = {
        "cameraMatrix1": one.matrix, "distCoeffs1": one.distortion[None],
        "cameraMatrix2": two.matrix, "distCoeffs2": two.distortion[None],
        "R": TURN, "T": np.array([[100.0], [0], [3]]), "E": np.eye(3),
        "image_shape": [(640, 480), (640, 480)],
    }  # fmt: skip
    return {**lens, **changed}


def test_pairs_of_deeplabcut_are_related_to_the_first_camera(tmp_path):
    pairs = {"camera-1-camera-2": stereo(), "camera-2-camera-3": stereo()}
    (tmp_path / "stereo_params.pickle").write_bytes(pickle.dumps(pairs))
    for place in (tmp_path, tmp_path / "stereo_params.pickle"):
        read = calibrations.read(str(place))
        assert read.names == ["camera-1", "camera-2", "camera-3"]
        assert read.cameras[0].size == (480, 640)
        step = np.vstack([read.cameras[1].projection, [0, 0, 0, 1]])
        np.testing.assert_allclose(read.cameras[2].projection, (step @ step)[:3], atol=1e-9)


def test_yaml_of_opencv_is_read_from_one_file_and_from_several(tmp_path):
    one, two = rigs.rig(2)
    pair = tmp_path / "pair"
    singles = tmp_path / "singles"
    for folder, sheets in (
        (pair, {"intrinsics.yml": {"M1": one.matrix, "D1": one.distortion, "M2": two.matrix,
                                   "D2": two.distortion},
                "extrinsics.yml": {"R": TURN, "T": np.array([[100.0], [0], [3]])}}),
        (singles, {f"{cam.name}.yaml": {"camera_matrix": cam.matrix,
                                        "distortion_coefficients": cam.distortion,
                                        "rvec": cameras.rotation_vector(cam),
                                        "tvec": cam.projection[:, 3],
                                        "image_width": 640, "image_height": 480}
                   for cam in (one, two)}),
    ):  # fmt: skip
        folder.mkdir()
        for name, values in sheets.items():
            storage = cv2.FileStorage(str(folder / name), cv2.FILE_STORAGE_WRITE)
            for key, value in values.items():
                storage.write(key, value)
            storage.release()
    read = calibrations.read(str(pair))
    np.testing.assert_allclose(read.cameras[1].projection[:, :3], TURN)
    read = calibrations.read(str(singles))
    assert read.names == ["cam0", "cam1"] and read.cameras[1].size == (480, 640)
    np.testing.assert_allclose(read.cameras[1].projection, two.projection, atol=1e-9)
    with pytest.raises(ValueError, match="not how they stand"):
        calibrations.read(str(pair / "intrinsics.yml"))


@pytest.mark.parametrize(("model", "fisheye"), [("plumb_bob", False), ("equidistant", True)])
def test_yaml_of_ros_says_which_lens_its_numbers_are_of(tmp_path, model, fisheye):
    (tmp_path / "cam.yaml").write_text(
        "camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 500, 240, 0, 0, 1]}\n"
        f"distortion_model: {model}\n"
        "distortion_coefficients: {rows: 1, cols: 4, data: [-0.1, 0.02, 0.001, 0]}\n"
    )
    (camera,) = calibrations.read(str(tmp_path / "cam.yaml")).cameras
    assert camera.fisheye == fisheye


@pytest.mark.parametrize(
    "model, fisheye", [("fisheye_model: 1", True), ("fisheye_model: 0", False)]
)
def test_yaml_of_opencvs_sample_says_which_lens_its_numbers_are_of(tmp_path, model, fisheye):
    (tmp_path / "cam.yaml").write_text(
        f"%YAML:1.0\n---\n{model}\n"
        "camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 500, 240, 0, 0, 1]}\n"
        "distortion_coefficients: {rows: 4, cols: 1, data: [-0.1, 0.02, 0.001, 0]}\n"
    )
    (camera,) = calibrations.read(str(tmp_path / "cam.yaml")).cameras
    assert camera.fisheye == fisheye


BROKEN = {
    "a.toml": b"[cam_0\nmatrix = 1",
    "deep.toml": b"a = " + b"[" * 20_000,
    "empty.toml": b"",
    "word.toml": b'[cam_0]\nmatrix = "x"\ndistortions = []\n'
    b"rotation = [0,0,0]\ntranslation=[0,0,0]",
    "nan.toml": b"[cam_0]\nmatrix = [[nan,0,0],[0,1,0],[0,0,1]]\ndistortions = []\n"
    b"rotation = [0,0,0]\ntranslation=[0,0,0]",
    "twice.toml": b"[a]\nname='x'\naffine=[[1,0,0,0],[0,1,0,0]]\n"
    b"[b]\nname='x'\naffine=[[1,0,0,0],[0,1,0,0]]",
    "lens.toml": b"[cam_0]\nmatrix = [[1,0,0],[0,1,0],[0,0,1]]\ndistortions = [1,2,3]\n"
    b"rotation = [0,0,0]\ntranslation=[0,0,0]",
    "run.pickle": b"cos\nsystem\n(S'echo hi'\ntR.",
    "list.pickle": pickle.dumps([1, 2]),
    "lens.pickle": pickle.dumps({"cam": {"mtx": np.eye(3), "dist": np.zeros((1, 5))}}),
    "shear.pickle": pickle.dumps({"a-b": stereo(R=np.diag([1.0, 2, 1]))}),
    "short.pickle": pickle.dumps({"a-b": stereo(T=np.zeros(2))}),
    "b.yml": b"%YAML:1.0\n---\nK: !!opencv-matrix\n  rows: 3\n  cols: 3\n  dt: d\n  data: [1]\n",
    "python.yml": b"K: !!python/object/apply:os.system ['echo hi']\n",
    "anchors.yml": b"a: &a [1,1,1,1,1,1,1,1,1]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 106)
    ),
    "what.json": b"{}",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_calibration_is_named_in_a_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(ValueError, match=name) as error:
        calibrations.read(str(tmp_path / name))
    assert "Traceback" not in str(error.value) and len(str(error.value)) < 500
    with pytest.raises(FileNotFoundError, match="beampose calibrate"):
        calibrations.read(str(tmp_path / "none.toml"))


def test_an_unknown_camera_is_told_with_those_there_are():
    rig = Rig(tuple(rigs.rig(3)), "rig.toml")
    assert rig.chosen(["cam2", "cam0"]).names == ["cam2", "cam0"]
    with pytest.raises(ValueError, match="rig.toml has no camera 'cma1'.*Did you mean 'cam1'"):
        rig.chosen(["cam0", "cma1"])


def test_the_one_calibration_of_a_folder_is_read_whatever_it_is_called(tmp_path):
    calibrations.write(Rig(three()), str(tmp_path / "Calib_scene.toml"))
    (tmp_path / "Config.toml").write_text("[project]")
    assert len(calibrations.read(str(tmp_path)).cameras) == 3
    (tmp_path / "calib_old.toml").write_text("")
    with pytest.raises(ValueError, match=r"name one of Calib_scene.toml, calib_old.toml"):
        calibrations.read(str(tmp_path))
