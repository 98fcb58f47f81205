import io
import struct
import zlib

import fakes
import numpy as np
import pytest
from PIL import Image

from beampose.preprocess import images

RGB = fakes.pixels(0)
GRAY = RGB[..., 0]
WIDE = np.arange(fakes.HEIGHT * fakes.WIDTH, dtype=np.uint16).reshape(fakes.HEIGHT, -1) * 27


def gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=-1)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_keep_every_pixel(format):
    np.testing.assert_array_equal(images.decode(fakes.encode(RGB, format)), RGB)


def test_a_compressed_tiff_keeps_every_pixel():
    data = fakes.encode(RGB, "TIFF", compression="tiff_lzw")
    np.testing.assert_array_equal(images.decode(data), RGB)


def test_jpeg_comes_close_in_height_width_and_order_of_colours():
    ramp = np.zeros((40, 60, 3), np.uint8)
    ramp[..., 0], ramp[..., 2] = np.arange(40)[:, None] * 6, np.arange(60) * 4
    found = images.decode(images.encode_jpeg(ramp, quality=95))
    assert found.shape == ramp.shape
    assert np.abs(found.astype(int) - ramp).mean() < 6


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_gray_is_repeated_to_three_channels(format):
    np.testing.assert_array_equal(images.decode(fakes.encode(GRAY, format)), gray(GRAY))


def test_gray_with_alpha_loses_its_alpha():
    data = fakes.encode(Image.merge("LA", [Image.fromarray(RGB[..., i]) for i in (0, 1)]))
    np.testing.assert_array_equal(images.decode(data), gray(GRAY))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_alpha_is_dropped_and_not_blended(format):
    alpha = np.zeros((fakes.HEIGHT, fakes.WIDTH, 1), np.uint8)
    data = fakes.encode(np.concatenate([RGB, alpha], axis=-1), format)
    np.testing.assert_array_equal(images.decode(data), RGB)


def test_a_palette_is_looked_up():
    indexed = Image.fromarray(GRAY // 86).convert("P")
    indexed.putpalette([255, 0, 0, 0, 200, 10, 7, 8, 9])
    colours = np.array([[255, 0, 0], [0, 200, 10], [7, 8, 9]], np.uint8)
    np.testing.assert_array_equal(images.decode(fakes.encode(indexed)), colours[GRAY // 86])


def test_a_transparent_palette_entry_keeps_its_colour():
    indexed = Image.fromarray(np.zeros((4, 6), np.uint8)).convert("P")
    indexed.putpalette([255, 10, 20])
    data = fakes.encode(indexed, transparency=bytes([0]))
    np.testing.assert_array_equal(images.decode(data), np.full((4, 6, 3), [255, 10, 20]))


def test_cmyk_jpeg_becomes_rgb():
    red = Image.new("CMYK", (60, 40), (0, 255, 255, 0))
    found = images.decode(fakes.encode(red, "JPEG", quality=95))
    assert found.shape == (40, 60, 3)
    assert np.abs(found.astype(int) - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_gray_keeps_its_high_byte(format):
    high = (WIDE >> 8).astype(np.uint8)
    np.testing.assert_array_equal(images.decode(fakes.encode(WIDE, format)), gray(high))


def test_big_endian_16_bit_tiff_keeps_its_high_byte():
    data = fakes.encode(Image.frombytes("I;16B", (60, 40), WIDE.astype(">u2").tobytes()), "TIFF")
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "I;16B"
    np.testing.assert_array_equal(images.decode(data), gray((WIDE >> 8).astype(np.uint8)))


def test_1_bit_becomes_black_and_white():
    bits = GRAY > 127
    found = images.decode(fakes.encode(Image.fromarray(bits)))
    np.testing.assert_array_equal(found, gray(bits * np.uint8(255)))


def test_a_float_tiff_within_a_byte_is_cut_to_integers():
    values = GRAY.astype(np.float32) * 0.9
    data = fakes.encode(Image.fromarray(values), "TIFF")
    np.testing.assert_array_equal(images.decode(data), gray(values.astype(np.uint8)))


@pytest.mark.parametrize("bad", [-1, 256, np.nan, np.inf])
def test_a_float_tiff_outside_a_byte_is_refused(bad):
    values = GRAY.astype(np.float32)
    values[3, 5] = bad
    with pytest.raises(ValueError, match="floating point values outside 0..255"):
        images.decode(fakes.encode(Image.fromarray(values), "TIFF"))


def test_a_float_tiff_of_shares_is_refused_and_not_black():
    shares = Image.fromarray(GRAY.astype(np.float32) / 255)
    with pytest.raises(ValueError, match="floating point values from 0 to 1: save it as 8 bit"):
        images.decode(fakes.encode(shares, "TIFF"))


def test_a_tiff_of_other_numbers_says_what_to_do():
    data = fakes.encode(GRAY, "TIFF")
    bits = struct.pack("<HHI", 258, 3, 1)
    at = data.index(bits) + len(bits)
    with pytest.raises(ValueError, match="a TIFF with other channels .* save it as 8 bit RGB"):
        images.decode(data[:at] + struct.pack("<H", 64) + data[at + 2 :])


def test_integers_above_16_bit_are_refused():
    values = GRAY.astype(np.int32)
    values[3, 5] = 70000
    with pytest.raises(ValueError, match="integers outside"):
        images.decode(fakes.encode(Image.fromarray(values), "TIFF"))


def test_the_exif_orientation_is_told_and_not_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = fakes.encode(RGB, "JPEG", exif=exif)
    pixels, orientation = images.read(data)
    assert orientation == 6
    assert pixels.shape == RGB.shape


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(5000)])
def test_an_empty_file_is_said_to_be_empty(data):
    with pytest.raises(ValueError, match="is empty, as a file that a cloud drive"):
        images.decode(data)


def test_an_image_without_exif_is_upright():
    assert images.read(fakes.encode(RGB))[1] == 1


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_image_is_a_value_error(format, share):
    data = fakes.encode(RGB, format)
    with pytest.raises(ValueError, match="cannot be decoded|not an image"):
        images.decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("data", [b"x", fakes.pixels(7).tobytes()])
def test_random_bytes_are_a_value_error(data):
    with pytest.raises(ValueError, match="not an image of a known format"):
        images.decode(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_bytes_damaged_anywhere_give_an_image_or_a_value_error(format):
    data = fakes.encode(RGB, format)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        broken = bytearray(data)
        for at in rng.integers(0, min(len(data), 250), 3):
            broken[at] = rng.integers(256)
        try:
            pixels, orientation = images.read(bytes(broken))
            assert pixels.dtype == np.uint8
            assert isinstance(orientation, int)
        except ValueError:
            refused += 1
    assert refused > 0


def test_formats_that_run_programs_are_refused():
    with pytest.raises(ValueError, match="not an image of a known format"):
        images.decode(fakes.encode(RGB, "EPS"))


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"0"))


@pytest.mark.parametrize(
    ("width", "height"), [(17_001, 10_000), (19_000, 10_000), (60_000, 60_000)]
)
def test_a_huge_image_is_refused_before_it_is_decoded(width, height):
    with pytest.raises(ValueError, match="pixels"):
        images.decode(png_header(width, height))


def test_a_large_image_below_the_limit_gives_no_warning():
    # Warnings are errors here: Pillow's own would come as another type.
    with pytest.raises(ValueError, match="truncated"):
        images.decode(png_header(10_000, 10_000))


def test_the_digest_is_of_pixels_and_not_of_the_file():
    png, tiff = (images.decode(fakes.encode(RGB, format)) for format in ("PNG", "TIFF"))
    assert images.digest(png) == images.digest(tiff)


def test_the_digest_tells_one_changed_pixel():
    changed = RGB.copy()
    changed[3, 5, 1] ^= 1
    assert images.digest(changed) != images.digest(RGB)


def test_the_digest_tells_the_shape():
    assert images.digest(RGB) != images.digest(RGB.reshape(fakes.WIDTH, fakes.HEIGHT, 3))
