import struct

import av
import numpy as np
import pytest
from PIL import Image

from beampose.pipelines import still_sets
from beampose.preprocess import images, inside, tiff_stacks, videos

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 255, (4, 30, 44), np.uint8)
COLOURS = RNG.integers(0, 255, (4, 30, 44, 3), np.uint8)


def written(path, pages, **options):
    first, *others = [Image.fromarray(page) for page in pages]
    first.save(path, "TIFF", save_all=True, append_images=others, **options)
    return str(path)


def big(path, pages, order="<", subfiles=(), text=b""):
    """A BigTIFF of gray pages of 8 or 16 bits, its lists of tags behind the pixels."""
    data = bytearray((b"II" if order == "<" else b"MM") + struct.pack(f"{order}HHHQ", 43, 8, 0, 0))
    link = 8
    for i, page in enumerate(pages):
        start = len(data)
        data += page.astype(page.dtype.newbyteorder(order)).tobytes()
        height, width = page.shape
        values = {254: (subfiles or [0] * len(pages))[i], 256: width, 257: height}
        values |= {258: page.dtype.itemsize * 8, 259: 1, 262: 1, 273: start, 277: 1, 278: height}
        values |= {279: page.nbytes}
        struct.pack_into(f"{order}Q", data, link, len(data))
        entries = [struct.pack(f"{order}HHQQ", tag, 16, 1, value) for tag, value in values.items()]
        if text:
            place = len(data) + 8 + 20 * (len(entries) + 1) + 8
            entries.insert(5, struct.pack(f"{order}HHQQ", 270, 2, len(text), place))
        data += struct.pack(f"{order}Q", len(entries)) + b"".join(entries)
        link = len(data)
        data += bytes(8) + text
    path.write_bytes(data)
    return str(path)


def frames(path):
    video = videos.index(path)
    return [frame.pixels for frame in videos.read(video, 0, video.count)]


def gray(pages):
    return [np.repeat(page[..., None], 3, axis=-1) for page in pages]


@pytest.mark.parametrize("packing", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("pages", [GRAY, COLOURS])
def test_pages_are_frames_in_order(tmp_path, pages, packing):
    path = written(tmp_path / "a.tif", pages, compression=packing)
    expected = pages if pages.ndim == 4 else gray(pages)
    np.testing.assert_array_equal(frames(path), expected)
    video = videos.window(videos.index(path), 2, 4)
    (frame,) = videos.read(video, 2, 4, {3})
    assert frame.index == 3
    np.testing.assert_array_equal(frame.pixels, expected[3])
    np.testing.assert_array_equal(images.load(inside.frame_of(path, 3))[0], expected[3])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_big_tiffs_are_read_in_both_orders_of_bytes(tmp_path, order, kind):
    pages = GRAY.astype(kind) * (257 if kind is np.uint16 else 1)
    np.testing.assert_array_equal(frames(big(tmp_path / "a.tif", pages, order)), gray(GRAY))


def test_a_stack_of_imagej_without_lists_of_pages_is_whole(tmp_path):
    text = b"ImageJ=1.53c\nimages=4\nframes=4\nfinterval=0.04\n\0"
    path = big(tmp_path / "a.tif", GRAY[:1], text=text)
    held = (tmp_path / "a.tif").read_bytes()
    # The pixels of the first page lie at 16: they and all others are put behind the tags.
    moved = bytearray(held + GRAY.tobytes())
    place = moved.index(struct.pack("<HHQQ", 273, 16, 1, 16))
    struct.pack_into("<Q", moved, place + 12, len(held))
    (tmp_path / "a.tif").write_bytes(moved)
    assert tiff_stacks.is_stack(path)
    np.testing.assert_array_equal(frames(path), gray(GRAY))
    assert videos.index(path).fps == 25


def test_pages_of_unequal_sizes_are_no_film(tmp_path):
    path = written(tmp_path / "a.tif", [GRAY[0], GRAY[1, :20]])
    with pytest.raises(ValueError, match="its page 1 is 44x20, page 0 is 44x30"):
        videos.index(path)


def test_smaller_copies_of_a_page_are_no_frames(tmp_path):
    photo = big(tmp_path / "a.tif", [GRAY[0], GRAY[0, :15, :22]], subfiles=[0, 1])
    assert not tiff_stacks.is_stack(photo)
    with pytest.raises(ValueError, match="is a photograph, not a film"):
        videos.index(photo)
    film = big(tmp_path / "b.tif", [GRAY[0], GRAY[0, :15, :22], GRAY[1]], subfiles=[0, 1, 0])
    np.testing.assert_array_equal(frames(film), gray(GRAY[:2]))


def test_a_stack_that_was_cut_short_gives_what_is_there_and_says_so(tmp_path, caplog):
    path = big(tmp_path / "a.tif", GRAY)
    held = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(held[: len(held) * 5 // 8])
    np.testing.assert_array_equal(frames(path), gray(GRAY[:2]))
    assert "its list of pages breaks after 2 of them" in caplog.text


def test_pages_in_a_circle_end(tmp_path, caplog):
    path = big(tmp_path / "a.tif", GRAY)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[-8:] = data[8:16]
    (tmp_path / "a.tif").write_bytes(data)
    assert videos.index(path).count == 4


def test_channels_and_dark_values_are_said(tmp_path, caplog):
    text = b"ImageJ=1.53c\nimages=4\nchannels=2\nframes=2\n\0"
    videos.index(big(tmp_path / "a.tif", GRAY.astype(np.uint16), text=text))
    assert "it holds 2 channels of a moment" in caplog.text
    assert "frames are nearly black" in caplog.text


def test_of_a_folder_stacks_are_films_and_single_pages_photographs(tmp_path):
    written(tmp_path / "film.tif", GRAY)
    written(tmp_path / "photo.tif", GRAY[:1])
    sources = still_sets.expand([str(tmp_path)])
    assert sources.videos == [str(tmp_path / "film.tif")]
    assert [list(one.sizes) for one in sources.sets] == [["photo.tif"]]
    (tmp_path / "photo.tif").unlink()
    assert still_sets.expand([str(tmp_path)]).videos == [str(tmp_path / "film.tif")]


@pytest.mark.parametrize("form", ["gray", "gray16le"])
def test_films_of_jpeg_2000_are_read(tmp_path, form):
    wide = form == "gray16le"
    with av.open(str(tmp_path / "a.mj2"), "w", format="mov") as container:
        stream = container.add_stream("jpeg2000", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, form
        for i in range(3):
            page = np.full(
                (32, 48), (i + 1) * (15000 if wide else 60), np.uint16 if wide else np.uint8
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(page, format=form)))
        container.mux(stream.encode())
    found = frames(str(tmp_path / "a.mj2"))
    told = [58, 117, 175] if wide else [60, 120, 180]
    np.testing.assert_allclose([frame.mean() for frame in found], told, atol=2)
