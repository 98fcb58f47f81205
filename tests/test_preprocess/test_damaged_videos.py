"""Films that are damaged, cut off, or no films."""

from pathlib import Path

import av
import fakes
import films
import numpy as np
import pytest

from beampose.preprocess import videos


@pytest.fixture(scope="module")
def mp4(tmp_path_factory) -> str:
    return fakes.video(tmp_path_factory.mktemp("mp4") / "a.mp4", "libx264", b_frames=3)


def damaged(path: str, begin: float, end: float) -> str:
    """A copy in which a part of the bytes, given as shares, is noise."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    first, last = int(begin * len(data)), int(end * len(data))
    data[first:last] = np.random.default_rng(0).integers(0, 256, last - first, np.uint8).tobytes()
    return films.rewritten(path, "damaged_", data)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("d.mp4", "libx264", {"b_frames": 3}),
        ("d.mov", "mjpeg", {}),
        ("d.webm", "libvpx", {}),
        ("d.mkv", "mpeg4", {}),
        ("d.avi", "mjpeg", {}),
    ],
)
def test_a_damaged_file_gives_each_index_once_as_an_image_or_a_reason(
    tmp_path, name, codec, options
):
    path = damaged(fakes.video(tmp_path / name, codec, 60, **options), 0.5, 0.6)
    video = videos.index(path)
    frames = list(videos.read(video, 0, video.count))
    assert [f.index for f in frames] == list(range(video.count))
    assert all((f.pixels is None) == bool(f.failure) for f in frames)


@pytest.mark.parametrize(
    ("name", "codec", "options", "begin"),
    [
        ("d.mp4", "libx264", {"b_frames": 3}, 0.72),
        ("d.mov", "mjpeg", {}, 0.4),
        ("d.avi", "mjpeg", {}, 0.4),
    ],
)
def test_damage_fails_some_frames_and_renumbers_none(tmp_path, name, codec, options, begin):
    path = damaged(fakes.video(tmp_path / name, codec, 60, **options), begin, begin + 0.1)
    video = videos.index(path)
    frames = list(videos.read(video, 0, video.count))
    kept = [f for f in frames if f.pixels is not None]
    assert 10 < len(kept) < 60
    assert [fakes.number(f.pixels) for f in kept] == [f.index for f in kept]


def test_a_damaged_beginning_renumbers_nothing(tmp_path):
    path = fakes.video(tmp_path / "d.mp4", "libx264", 60, b_frames=3)
    with open(path, "rb") as file:
        data = bytearray(file.read())
    at = data.index(b"mdat") + 4
    data[at : at + 600] = bytes(600)
    frames = list(videos.read(videos.index(films.rewritten(path, "damaged_", data)), 0, 60))
    assert frames[0].failure
    kept = [f.index for f in frames if f.pixels is not None]
    assert set(kept) >= set(range(12, 60))
    assert [fakes.number(frames[i].pixels) for i in kept] == kept


def test_a_range_of_a_damaged_file_equals_the_same_frames_of_the_whole(tmp_path):
    path = damaged(fakes.video(tmp_path / "d.avi", "mjpeg", 60), 0.4, 0.5)
    video = videos.index(path)
    whole = [f.failure or fakes.number(f.pixels) for f in videos.read(video, 0, video.count)]
    part = [f.failure or fakes.number(f.pixels) for f in videos.read(video, 33, 41)]
    assert part == whole[33:41]


def test_a_truncated_file_keeps_its_first_frames(tmp_path):
    whole = fakes.video(tmp_path / "t.mp4", "mjpeg")
    with open(whole, "rb") as file:
        data = file.read()
    video = videos.index(films.rewritten(whole, "short_", data[: len(data) // 2]))
    frames = list(videos.read(video, 0, 40))
    kept = [f.index for f in frames if f.pixels is not None]
    assert kept == list(range(len(kept)))
    assert 10 < len(kept) < 30
    assert all(fakes.number(frames[i].pixels) == i for i in kept)


def test_the_moov_of_an_mp4_missing_is_a_value_error(mp4):
    with open(mp4, "rb") as file:
        data = file.read()
    cut = films.rewritten(mp4, "headless_", data[:200])
    with pytest.raises(ValueError, match="headless_a.mp4"):
        videos.index(cut)


def test_that_a_film_ends_before_its_header_says_is_known(tmp_path):
    film = str(tmp_path / "a.mkv")
    fakes.video(tmp_path / "a.mkv", "libx264", 40)
    assert videos.index(film).missing == 0
    with open(film, "rb") as file:
        data = file.read()
    for share in (0.6, 0.8):
        found = videos.index(films.rewritten(film, f"{share}_", data[: int(len(data) * share)]))
        assert 0 < found.count < 40
        left = (40 - found.count) / 25
        assert found.missing == (pytest.approx(left, abs=0.11) if left > 0.5 else 0)


@pytest.mark.parametrize(
    "content, why",
    [
        (b"", "is empty"),
        (bytes(4096), "nothing but zeros"),
        (b"not a video", "is no film"),
        (b"\0\0\0\x20ftypisom" + bytes(20) + b"\0\0\1\0mdat" + bytes(248), "a copy did not end"),
    ],
    ids=["empty", "zeros", "text", "cut"],
)
def test_a_file_that_is_no_video_is_a_value_error_that_says_why(tmp_path, content, why):
    path = tmp_path / "some.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"some.mp4 cannot be read as a video: .*{why}"):
        videos.index(str(path))


def test_an_absent_file_is_a_value_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match="absent.mp4"):
        videos.index(str(tmp_path / "absent.mp4"))


def test_a_file_with_sound_only_is_a_value_error(tmp_path):
    path = str(tmp_path / "sound.mkv")
    with av.open(path, "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        out.mux(stream.encode(sound))
        out.mux(stream.encode(None))
    with pytest.raises(ValueError, match="holds no video stream"):
        videos.index(path)


def test_a_film_whose_title_is_of_another_encoding_is_read(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "Title"
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame(80, 48, "yuv420p")))
        out.mux(stream.encode(None))
    data = path.read_bytes()
    assert b"Title" in data
    path.write_bytes(data.replace(b"Title", b"\xff\x80\xfe\xbb\x80"))
    assert videos.index(str(path)).count == 3


def test_a_film_of_an_unknown_encoding_is_a_value_error(mp4, tmp_path):
    data = Path(mp4).read_bytes()
    path = tmp_path / "a.mp4"
    # The name of its encoding, in the list of samples.
    path.write_bytes(data.replace(b"avc1", b"zzz1").replace(b"avcC", b"free"))
    with pytest.raises(ValueError, match=r"a\.mp4 (holds a video stream of an enc|cannot|holds)"):
        videos.index(str(path))
    with pytest.raises(ValueError, match=r"a\.mp4 (holds a video stream of an enc|cannot|holds)"):
        videos.frame_size(str(path))


@pytest.mark.parametrize("suffix", [".mkv", ".flv"])
def test_a_whole_film_that_begins_late_is_not_said_to_be_cut_off(tmp_path, suffix):
    times = [90_000 + 40 * i for i in range(20)]
    late = videos.index(fakes.video(tmp_path / f"late{suffix}", "libx264", 20, times=times))
    assert (late.count, late.missing) == (20, 0)
