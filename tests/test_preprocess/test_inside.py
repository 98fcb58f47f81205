import fake_labels
import fakes
import h5py
import numpy as np
import pytest

from beampose.preprocess import images, inside, validate, videos
from beampose.preprocess.labels import LabeledFrame


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    inside._film.cache_clear()
    monkeypatch.setattr(inside, "_KEPT", inside._Kept(1 << 20))


@pytest.fixture
def film(tmp_path):
    return fakes.video(tmp_path / "film.mp4", "libx264", 40)


@pytest.mark.parametrize(
    "address", ["a.png", "a#b.png", "film.mp4#frame=", "film.mp4#frame=x", "film.mp4#frame=-1"]
)
def test_other_addresses_are_files(address):
    assert inside.parse(address) is None


def test_addresses_are_read_as_they_are_written():
    assert inside.parse(inside.frame_of("gs://a/b#1.mp4", 12)) == ("gs://a/b#1.mp4", 12, "")
    assert inside.parse(inside.image_of("a.slp", "video0/video", 3)) == ("a.slp", 3, "video0/video")


def test_frames_in_any_order_are_the_frames_of_the_video(film):
    for number in [*np.random.default_rng(0).permutation(40), 39, 0]:
        assert fakes.number(images.load(inside.frame_of(film, number))[0]) == number


def test_a_frame_is_exactly_what_reading_the_video_gives(film):
    video = videos.index(film)
    for frame in videos.read(video, 0, 40):
        for _ in range(2):  # From the decoder, and from what was kept.
            again = images.load(inside.frame_of(film, frame.index))[0]
            np.testing.assert_array_equal(again, frame.pixels)


def test_a_frame_is_not_decoded_twice_nor_the_video_from_its_start(film, monkeypatch):
    asked = []
    read = videos.read

    def counted(video, start, stop):
        for frame in read(video, start, stop):
            asked.append(frame.index)
            yield frame

    monkeypatch.setattr(videos, "read", counted)
    for number in (3, 5, 20, 5, 3, 20, 19):
        images.load(inside.frame_of(film, number))
    assert asked == list(range(3, 21))


def test_threads_get_their_own_frames(film):
    from concurrent.futures import ThreadPoolExecutor

    def number(i):
        return fakes.number(images.load(inside.frame_of(film, i))[0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(number, range(40))) == list(range(40))


def test_a_video_that_is_replaced_is_read_anew(film, tmp_path):
    import os

    assert fakes.number(images.load(f"{film}#frame=2")[0]) == 2
    fakes.video(tmp_path / "film.mp4", "mpeg4", 20)
    os.utime(film, (1, 1))
    with pytest.raises(ValueError, match="frame 30 of film.mp4: it has 20 frames"):
        images.load(f"{film}#frame=30")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("film.mp4#frame=40", "image cannot be read: frame 40 of film.mp4: it has 40 frames"),
        ("gone.mp4#frame=0", "image missing: no file"),
        ("broken.mp4#frame=0", "cannot be read as a video"),
        ("broken.mp4#image=video0/video/0", "cannot be read as h5"),
    ],
)
def test_what_cannot_be_read_is_a_problem_of_its_row(film, tmp_path, name, what):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 100)
    item = LabeledFrame(
        image=f"{tmp_path}/{name}",
        name="n",
        video="v",
        file="f",
        row=3,
        keypoints=np.zeros((1, 1, 2)),
    )
    inspection, pixels = validate.inspect(item, ["nose"])
    (problem,) = inspection.problems
    assert pixels is None
    assert (problem.row, what in problem.what) == (3, True)


@pytest.fixture
def package(tmp_path):
    file = tmp_path / "a.pkg.slp"
    with h5py.File(file, "w"):
        pass
    return file


def test_an_embedded_image_is_decoded(package):
    pixels = fakes.pixels(1)
    fake_labels.embed(package, [b"", fakes.encode(pixels)], [4, 9], "RGB")
    np.testing.assert_array_equal(images.load(f"{package}#image=video0/video/1")[0], pixels)


@pytest.mark.parametrize("order", [None, "BGR"])
def test_old_packages_hold_blue_first(package, order):
    pixels = fakes.pixels(1)
    fake_labels.embed(package, [fakes.encode(pixels[..., ::-1])], [0], order)
    address = f"{package}#image=video0/video/0"
    np.testing.assert_array_equal(images.load(address)[0], pixels)
    np.testing.assert_array_equal(images.decode(images.encoded(address)), pixels)


def test_rows_of_one_length_are_filled_up_with_zeros(package):
    data = fakes.encode(fakes.pixels(2))
    with h5py.File(package, "a") as file:
        row = np.frombuffer(data + b"\0" * 7, np.int8)
        dataset = file.create_dataset("video0/video", data=row[None])
        dataset.attrs["format"], dataset.attrs["channel_order"] = "png", "RGB"
    found = images.load(f"{package}#image=video0/video/0")[0]
    np.testing.assert_array_equal(found, fakes.pixels(2))


@pytest.mark.parametrize("turned", [False, True])
def test_raw_pixels_are_read_with_channels_last_or_first(package, turned):
    gray = fakes.pixels(3)[..., :1]
    with h5py.File(package, "a") as file:
        file["box"] = (gray.transpose(2, 1, 0) if turned else gray)[None]
    found = images.load(f"{package}#image=box/0")[0]
    np.testing.assert_array_equal(found, np.repeat(gray, 3, axis=-1))


def test_links_to_other_files_are_not_followed(package, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["box"] = fakes.pixels(1)[None]
    with h5py.File(package, "a") as file:
        file["box"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/box")
        layout = h5py.VirtualLayout((1, 40, 60, 3), np.uint8)
        layout[0] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "box", (1, 40, 60, 3))[0]
        file.create_virtual_dataset("virtual", layout)
    for name, what in (("box", "is a link"), ("virtual", "lies in another file")):
        with pytest.raises(ValueError, match=what):
            images.load(f"{package}#image={name}/0")


def test_an_image_that_claims_to_be_huge_is_refused(package):
    with h5py.File(package, "a") as file:
        file.create_dataset("box", (1, 100_000, 100_000), np.uint8, chunks=(1, 64, 64))
    with pytest.raises(ValueError, match="box claims 10,000,000,000 bytes"):
        images.load(f"{package}#image=box/0")


def test_frames_of_a_full_cache_are_decoded_again(film, monkeypatch):
    monkeypatch.setattr(inside, "_KEPT", inside._Kept(3000))
    for number in (*range(30), *range(29, -1, -7)):
        assert fakes.number(images.load(inside.frame_of(film, number))[0]) == number
    assert sum(file.stat().st_size for file in inside._KEPT._folder.iterdir()) <= 3000
