import itertools
import struct
import threading
from pathlib import Path

import av
import fakes
import field_films
import films
import numpy as np
import pytest

from beampose.preprocess import videos

KINDS = {
    "h264 with B-frames in mp4": ("a.mp4", "libx264", {"b_frames": 3}),
    "h264 with open groups in mp4": (
        "b.mp4",
        "libx264",
        {"options": {"x264-params": "open-gop=1:bframes=3:b-adapt=0:keyint=12:scenecut=0"}},
    ),
    "h264 with B-frames in avi": ("c.avi", "libx264", {"b_frames": 3}),
    "h264 without B-frames in avi": ("d.avi", "libx264", {"options": {"bf": "0"}}),
    "h264 in a transport stream": ("e.mts", "libx264", {"b_frames": 3}),
    "h264 of variable rate": (
        "f.mp4",
        "libx264",
        {"b_frames": 3, "times": [7 * i * i + 13 * i for i in range(40)]},
    ),
    "mpeg4 in avi": ("g.avi", "mpeg4", {}),
    "mpeg4 with B-frames in avi": ("h.avi", "mpeg4", {"b_frames": 2}),
    "mpeg4 in a transport stream": ("m.mts", "mpeg4", {"gop": 30}),
    "mpeg2 in mpg": ("i.mpg", "mpeg2video", {"b_frames": 2}),
    "mjpeg in mov": ("j.mov", "mjpeg", {}),
    "vp8 in webm": ("k.webm", "libvpx", {"options": {"deadline": "realtime"}}),
    "vp9 in webm": ("l.webm", "libvpx-vp9", {"options": {"deadline": "realtime", "cpu-used": "8"}}),
}


@pytest.fixture(params=KINDS, scope="module")
def path(request, tmp_path_factory) -> str:
    name, codec, options = KINDS[request.param]
    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this PyAV has no encoder {codec}")
    return fakes.video(tmp_path_factory.mktemp("videos") / name, codec, **options)


@pytest.fixture(scope="module")
def mp4(tmp_path_factory) -> str:
    return fakes.video(tmp_path_factory.mktemp("mp4") / "a.mp4", "libx264", b_frames=3)


def test_index_counts_every_frame(path):
    assert videos.index(path).count == 40


def test_index_gives_the_size_of_a_frame_that_is_not_square(path):
    video = videos.index(path)
    assert (video.height, video.width) == (fakes.VIDEO_HEIGHT, fakes.VIDEO_WIDTH)


def test_a_frame_carries_the_number_drawn_in_it(path):
    frames = list(videos.read(videos.index(path), 0, 40))
    assert [(f.index, fakes.number(f.pixels)) for f in frames] == [(i, i) for i in range(40)]


def test_ranges_join_to_the_sequential_decode(path):
    video = videos.index(path)
    with av.open(path) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    # Ranges begin on, just before and just after the key frames 12, 24 and 36.
    cuts = [0, 5, 11, 12, 13, 22, 23, 24, 25, 35, 36, 39, 40]
    joined = [f for a, b in itertools.pairwise(cuts) for f in videos.read(video, a, b)]
    assert [f.index for f in joined] == list(range(40))
    assert [f.index for f in joined if not np.array_equal(f.pixels, expected[f.index])] == []


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mts", "libx264"), ("a.mts", "mpeg4"), ("a.mpg", "mpeg1video")]
)
@pytest.mark.parametrize("start", [143, 258, 390])
def test_a_frame_within_a_long_group_of_pictures_is_found(tmp_path, name, codec, start):
    path = fakes.video(tmp_path / name, codec, 400, gop=250)
    (frame,) = videos.read(videos.index(path), start, start + 1)
    assert fakes.number(frame.pixels) == start


def test_an_empty_range_gives_no_frame(mp4):
    assert list(videos.read(videos.index(mp4), 7, 7)) == []


def test_a_range_behind_the_end_is_accounted_for(mp4):
    frames = list(videos.read(videos.index(mp4), 38, 43))
    assert [f.index for f in frames] == [38, 39, 40, 41, 42]
    assert [bool(f.failure) for f in frames] == [False, False, True, True, True]


def test_fps_is_the_average_rate(mp4):
    assert videos.index(mp4).fps == pytest.approx(25)


def test_times_of_variable_rate_are_those_of_the_frames(tmp_path):
    steps = [0, 40, 90, 400, 410, 1000]
    path = fakes.video(tmp_path / "v.mp4", "libx264", 6, times=steps)
    video = videos.index(path)
    with av.open(path) as container:
        base = container.streams.video[0].time_base
    assert [round(float(t * base) * 1000) for t in video.times] == steps


def test_frames_before_an_edit_are_not_counted(mp4, tmp_path):
    path = str(tmp_path / "cut.mp4")
    with av.open(mp4) as source, av.open(path, "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts -= 5 * packet.duration
                packet.dts -= 5 * packet.duration
                packet.stream = copy
                out.mux(packet)
    video = videos.index(path)
    numbers = [fakes.number(f.pixels) for f in videos.read(video, 0, video.count)]
    assert numbers == list(range(5, 40))


@pytest.mark.parametrize(
    ("suffix", "paired"), [(".mts", True), (".mts", False), (".mp4", True), (".mp4", False)]
)
def test_two_fields_are_one_frame(tmp_path, suffix, paired):
    video = videos.index(field_films.film(tmp_path / f"a{suffix}", 20, paired=paired))

    assert (video.count, video.fps, bool(video.times)) == (20, 25.0, True)
    assert video.declared in (0, 20)
    assert [fakes.number(f.pixels) for f in videos.read(video, 0, 20)] == list(range(20))
    some = [7, 13, 19]
    assert [fakes.number(next(videos.read(video, n, n + 1)).pixels) for n in some] == some


def test_interlaced_frames_that_are_not_split_into_fields_are_all_counted(tmp_path):
    options = {"x264-params": "interlaced=1:cqm=jvt:bframes=2"}
    path = fakes.video(tmp_path / "a.mts", "libx264", 20, options=options)

    video = videos.index(path)
    assert [fakes.number(f.pixels) for f in videos.read(video, 0, 20)] == list(range(20))
    assert video.count == 20


def test_a_film_turned_by_its_header_is_read_upright(mp4):
    with open(mp4, "rb") as file:
        data = bytearray(file.read())
    at = data.index(b"tkhd") + 4 + 40
    # A quarter turn clockwise, as a phone held upright writes it.
    data[at : at + 36] = struct.pack(
        ">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, fakes.VIDEO_HEIGHT << 16, 0, 1 << 30
    )
    video = videos.index(films.rewritten(mp4, "turned_", data))
    (frame,) = videos.read(video, 9, 10)
    assert (video.height, video.width) == (fakes.VIDEO_WIDTH, fakes.VIDEO_HEIGHT)
    assert fakes.number(np.rot90(frame.pixels)) == 9


TURNS = {
    "quarter": ((0, 1, -1, 0), lambda pixels: np.rot90(pixels, -1)),
    "half": ((-1, 0, 0, -1), lambda pixels: np.rot90(pixels, 2)),
    "back": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down in a mirror": ((1, 0, 0, -1), np.flipud),
    "mirrored and turned": ((0, 1, 1, 0), lambda pixels: np.swapaxes(pixels, 0, 1)),
}


@pytest.mark.parametrize("name", TURNS)
def test_a_film_is_shown_as_its_header_says_mirrors_too(mp4, name, caplog):
    (a, b, c, d), shown = TURNS[name]
    with open(mp4, "rb") as file:
        data = bytearray(file.read())
    at = data.index(b"tkhd") + 4 + 40
    matrix = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    data[at : at + 36] = struct.pack(">9i", *matrix)
    (wanted,) = videos.read(videos.index(mp4), 9, 10)
    video = videos.index(films.rewritten(mp4, f"{name}_", data))
    (frame,) = videos.read(video, 9, 10)
    np.testing.assert_array_equal(frame.pixels, shown(wanted.pixels))
    # DeepLabCut's reader turns a film by its header, and does not mirror it.
    told = f"NOTE {video.path}: its header mirrors it" in caplog.text
    assert told == (a * d - b * c < 0)


def test_read_ahead_gives_what_read_gives(mp4):
    video = videos.index(mp4)
    ahead = list(videos.read_ahead(video, 3, 37, depth=4))
    plain = list(videos.read(video, 3, 37))
    assert [f.index for f in ahead] == [f.index for f in plain]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(ahead, plain, strict=True))


def test_read_ahead_stops_its_thread_when_the_consumer_stops_early(mp4):
    before = threading.active_count()
    frames = videos.read_ahead(videos.index(mp4), 0, 40, depth=2)
    assert next(frames).index == 0
    assert threading.active_count() == before + 1
    frames.close()
    assert threading.active_count() == before


def test_read_ahead_raises_the_error_of_its_thread(mp4, monkeypatch):
    def broken(*_):
        raise IndexError("broken")
        yield

    monkeypatch.setattr(videos, "read", broken)
    with pytest.raises(IndexError):
        list(videos.read_ahead(videos.index(mp4), 0, 3, 2))


def test_some_frames_of_a_range_are_those_of_the_whole(mp4):
    video = videos.index(mp4)
    whole = list(videos.read(video, 0, video.count))
    some = list(videos.read(videos.window(video, 7, 30), 7, 30, {9, 14, 29, 35}))
    assert [f.index for f in some] == [9, 14, 29]
    for frame in some:
        np.testing.assert_array_equal(frame.pixels, whole[frame.index].pixels)


def test_frames_far_apart_are_those_of_the_whole_and_what_lies_between_is_not_decoded(
    path, monkeypatch
):
    monkeypatch.setattr(videos, "_FAR", 5)
    video = videos.index(path)
    whole = list(videos.read(video, 0, video.count))
    passes = []
    decode = videos._decode
    monkeypatch.setattr(
        videos, "_decode", lambda v, a, b, only: passes.append((a, b)) or decode(v, a, b, only)
    )
    wanted = [2, 7, 9, 22, 39]
    some = list(videos.read_some(video, wanted))
    assert [frame.index for frame in some] == wanted
    for frame in some:
        np.testing.assert_array_equal(frame.pixels, whole[frame.index].pixels)
    trusted = [(2, 10), (22, 23), (39, 40)]
    assert passes == (trusted if video.times else [(2, 40)])
    assert list(videos.read_some(video, [])) == []


def test_a_window_of_timestamps_reads_as_all_of_them(mp4, monkeypatch):
    monkeypatch.setattr(videos, "_BACKS", (0, 4))
    video = videos.index(mp4)
    part = videos.window(video, 22, 31)
    assert (part.first, len(part.times)) == (18, 13)
    for one, other in zip(videos.read(part, 22, 31), videos.read(video, 22, 31), strict=True):
        assert one.index == other.index
        np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(
    ("name", "count", "height", "width"),
    [
        ("openfield-Pranav-2018-10-30/videos/m3v1mp4.mp4", 2330, 480, 640),
        ("flies-clip-sleap/videos/clip.mp4", 1500, 1024, 1024),
        ("extra-videos/reaching_half-size_256frames.avi", 256, 374, 416),
        ("extra-videos/reaching_31frames_mjpeg.mov", 31, 747, 832),
    ],
)
def test_real_videos_have_their_known_count(shared_data, name, count, height, width):
    video = videos.index(str(shared_data / name))
    assert (video.count, video.height, video.width) == (count, height, width)


@pytest.mark.parametrize(
    ("name", "start", "stop"),
    [
        ("extra-videos/reaching_half-size_256frames.avi", 250, 256),
        ("extra-videos/reaching_31frames_mjpeg.mov", 26, 31),
        ("openfield-Pranav-2018-10-30/videos/m3v1mp4.mp4", 251, 254),
    ],
)
def test_a_range_of_a_real_video_equals_the_sequential_decode(shared_data, name, start, stop):
    path = str(shared_data / name)
    with av.open(path) as container:
        decoded = itertools.islice(container.decode(video=0), start, stop)
        expected = [frame.to_ndarray(format="rgb24") for frame in decoded]
    frames = list(videos.read(videos.index(path), start, stop))
    assert len(frames) == len(expected) == stop - start
    assert all(np.array_equal(f.pixels, e) for f, e in zip(frames, expected, strict=True))


def test_that_a_file_holds_two_films_is_said(tmp_path, caplog):
    path = str(tmp_path / "two.mkv")
    with av.open(path, "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, side in zip(streams, (48, 96), strict=True):
            stream.height, stream.width, stream.pix_fmt = side, side, "yuv420p"
        for stream in streams:
            for i in range(3):
                frame = av.VideoFrame.from_ndarray(
                    np.full((stream.height, stream.width, 3), 60 * i, np.uint8), format="rgb24"
                )
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    assert videos.index(path).height == 48
    assert "holds 2 films (48x48, 96x96), of which the first is read" in caplog.text
    # Of the second, an encoding that nobody knows.
    data = Path(path).read_bytes()
    last = data.rindex(b"V_MPEG4/ISO/AVC")
    Path(path).write_bytes(data[:last] + b"V_UNKNOWN/X/YZZ" + data[last + 15 :])
    assert videos.index(path).height == 48
    assert "holds 2 films (48x48, ?), of which the first is read" in caplog.text
