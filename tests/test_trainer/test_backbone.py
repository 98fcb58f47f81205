"""Backbones and their weights: shapes, digests, and every way weights can be had or not."""

import functools
import hashlib
import http.server
import threading
from typing import get_args

import h5py
import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.saving import legacy_h5_format

from beampose.core.settings import train_settings
from beampose.preprocess import images
from beampose.trainer import backbone, backbone_weights, cells, embed, networks

NAME = "mobilenet_v2_0.35"


@pytest.fixture(scope="module")
def network():
    return backbone.Backbone(NAME, "random:0")


def test_a_config_takes_the_backbones_that_there_are():
    assert set(get_args(train_settings.Backbone)) == set(networks.BACKBONES)


def test_maps_have_a_cell_for_eight_pixels(network):
    maps = network(tf.zeros((2, 48, 80, 3)))
    assert maps.shape == (2, 6, 10, network.channels)
    assert network.channels == 4 * 48 + 96 + 192


def test_resnet_joins_two_taps_at_stride_eight():
    maps = backbone.Backbone("resnet50", "random:0")(tf.zeros((1, 32, 48, 3)))
    assert maps.shape == (1, 4, 6, 512 + 1024)


def test_pooled_features_are_one_vector_an_image():
    network = backbone.Backbone(NAME, "random:0", pooled=True)
    assert network(tf.zeros((3, 64, 96, 3))).shape == (3, 1280)


@pytest.mark.parametrize("scale", [0.3, 0.8, 1.0, 1.5])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (747, 832), (5, 3000)])
def test_the_grid_is_even_and_as_large_as_deeplabcuts(height, width, scale):
    rows, columns = cells.grid(height, width, scale)
    assert rows % 2 == columns % 2 == 0
    assert rows == max(2 * np.ceil(round(height * scale / 16, 6)), 2)
    assert columns == max(2 * np.ceil(round(width * scale / 16, 6)), 2)


def test_the_grid_of_the_graph_is_the_grid(network):
    embedder = embed.Embedder(network, None, scale=0.8)
    for height, width in ((480, 640), (747, 832), (131, 97), (470, 640)):
        shape = embedder.frames(np.zeros((1, height, width, 3), np.uint8)).shape
        assert tuple(shape[1:3]) == cells.grid(height, width, 0.8)


def test_a_seed_names_its_weights(network):
    assert backbone.Backbone(NAME, "random:0").digest == network.digest
    assert backbone.Backbone(NAME, "random:1").digest != network.digest


def test_weights_from_a_file_have_the_digest_of_their_numbers(network, tmp_path):
    model = networks.BACKBONES[NAME].build()
    backbone_weights.load(model, "random:0", backbone_weights.Published())
    path = tmp_path / "mine.weights.h5"
    model.save_weights(path)
    assert backbone.Backbone(NAME, str(path)).digest == network.digest


def test_weights_that_lie_in_another_file_are_not_read(tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/conv"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x")
    with pytest.raises(ValueError, match="cannot be read as weights: .* is a link"):
        backbone.Backbone(NAME, str(path))


def test_a_file_of_another_network_is_refused(tmp_path):
    model = networks.BACKBONES["mobilenet_v2_0.5"].build()
    path = tmp_path / "other.weights.h5"
    model.save_weights(path)
    with pytest.raises(ValueError, match="does not fit backbone"):
        backbone.Backbone(NAME, str(path))


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server with the ImageNet files, and an empty cache; gives the folder it serves."""
    folder = tmp_path / "served"
    (folder / "mobilenet_v2").mkdir(parents=True)
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(backbone_weights.MIRROR, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


def test_imagenet_weights_are_downloaded_once(mirror, network):
    model = networks.BACKBONES[NAME].build()
    backbone_weights.load(model, "random:0", backbone_weights.Published())
    served = mirror / str(networks.BACKBONES[NAME].published.imagenet)
    with h5py.File(served, "w") as file:
        # The layout keras.applications serves.
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    assert backbone.Backbone(NAME, "imagenet").digest == network.digest
    served.unlink()
    assert backbone.Backbone(NAME, "imagenet").digest == network.digest


def test_a_download_with_another_checksum_is_refused(mirror):
    (mirror / "file.h5").write_bytes(b"not what was promised")
    promised = hashlib.md5(b"promised").hexdigest()
    with pytest.raises(OSError, match="could not be downloaded"):
        backbone_weights.load(
            None, "imagenet", backbone_weights.Published(imagenet="file.h5", checksum=promised)
        )


def test_offline_says_what_to_do(mirror):
    with pytest.raises(OSError, match=r"connected machine(.|\n)*set features.weights to its path"):
        backbone.Backbone(NAME, "imagenet")


def test_real_weights_give_the_features_they_are_known_for(shared_data):
    path = shared_data.parent / "weights/mobilenet_v2_0.35_imagenet_notop.weights.h5"
    network = backbone.Backbone(NAME, str(path), pooled=True)
    frames = sorted((shared_data / "crops-birdfeeder/Training/Positive").glob("*.jpg"))[:3]
    embedder = embed.Embedder(network, None, crop_size=96)
    features = [embedder.frames(images.decode(f.read_bytes())[None]).numpy() for f in frames]
    values = np.concatenate(features).astype(np.float32)
    assert 0.02 < (values > 0).mean() < 0.9
    assert values.max() <= 6


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_graph_decodes_jpeg_as_training_does(mode, tmp_path):
    rng = np.random.default_rng(0)
    smooth = np.kron(
        rng.integers(0, 255, (6, 9, 3 if mode != "L" else 1)), np.ones((8, 8, 1))
    ).astype(np.uint8)
    from PIL import Image

    Image.fromarray(smooth.squeeze() if mode == "L" else smooth[..., :3]).convert(mode).save(
        tmp_path / "a.jpg", quality=90
    )
    data = (tmp_path / "a.jpg").read_bytes()
    found = embed.decode(tf.constant(data)).numpy().astype(int)
    assert np.abs(found - images.decode(data)).max() <= (0 if mode != "CMYK" else 3)


def test_the_graph_decodes_png_as_training_does():
    from PIL import Image

    rng = np.random.default_rng(0)
    for picture in (
        Image.fromarray(rng.integers(0, 255, (20, 30, 4), np.uint8), "RGBA"),
        Image.fromarray(rng.integers(0, 65535, (20, 30), np.uint16)),
        Image.fromarray(rng.integers(0, 255, (20, 30), np.uint8)),
    ):
        data = encoded(picture)
        np.testing.assert_array_equal(embed.decode(tf.constant(data)), images.decode(data))


def encoded(picture):
    import io

    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_resizing_to_the_same_size_changes_nothing():
    frames = np.random.default_rng(0).integers(0, 255, (2, 32, 48, 3)).astype(np.uint8)
    np.testing.assert_array_equal(backbone.resize(tf.constant(frames), 32, 48), frames)


def test_shrinking_averages_areas():
    frames = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3)).astype(np.uint8)
    small = backbone.resize(tf.constant(frames), 16, 16).numpy()
    assert small.std() < 0.5 * frames.std()
    assert small.mean() == pytest.approx(frames.mean(), abs=1)


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(96, 128, 1.0), (97, 131, 1.4), (120, 90, 0.5)]
)
def test_a_window_is_a_part_of_the_resized_frame(network, height, width, scale):
    frames = np.random.default_rng(0).integers(0, 255, (2, height, width, 3)).astype(np.uint8)
    embedder = embed.Embedder(network, None, scale=scale)
    whole = embedder.resized(tf.constant(frames)).numpy()
    part = embedder.window(tf.constant(frames), tf.constant([2, 2]), tf.constant([2, 4])).numpy()
    np.testing.assert_allclose(part, whole[:, 16:32, 16:48], atol=1e-3)
