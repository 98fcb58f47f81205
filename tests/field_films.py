"""Interlaced H.264 as camcorders write it: the two fields of a frame are pictures of their own."""

from fractions import Fraction
from pathlib import Path

import av
import fakes
import numpy as np

# A field has whole macroblocks, so that the picture is coded with rows more than it shows.
_CODED, _WIDTH = 64, fakes.VIDEO_WIDTH
_NUMBER_BITS = 8
# A macroblock whose pixels follow as they are (I_PCM), and the end of a unit.
_PLAIN, _END = "000011010", "1"
_DELIMITER = b"\0\0\0\1\x09\xf0"


def film(path: Path, count: int, *, paired: bool, group: int = 6) -> str:
    """Writes a film of numbered frames, 25 a second.

    Args:
      paired: writes both fields of a frame as one packet, as camcorders do; programs that copied
        the stream into another container wrote a packet for each.
    """
    raw = path.with_name(f"{path.stem}.raw.h264")
    raw.write_bytes(_parameters() + _both(0, group)[0])
    with av.open(str(raw)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for number in range(count):
            fields = _both(number, group)
            if number % group == 0:
                fields = [_DELIMITER + _parameters() + fields[0], fields[1]]
            packets = [b"".join(fields)] if paired else fields
            for place, data in enumerate(packets):
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, 25 * len(packets))
                packet.pts = packet.dts = number * len(packets) + place
                packet.duration = 1
                out.mux(packet)
    raw.unlink()
    return str(path)


def _parameters() -> bytes:
    """Of the sequence, whose pictures may be fields, and of the pictures."""
    sequence = f"{77:08b}{0:08b}{30:08b}{_coded(0)}{_coded(_NUMBER_BITS - 4)}{_coded(2)}"
    sequence += f"{_coded(1)}0{_coded(_WIDTH // 16 - 1)}{_coded(_CODED // 32 - 1)}001"
    cut = (_CODED - fakes.VIDEO_HEIGHT) // 4
    sequence += f"1{_coded(0) * 3}{_coded(cut)}"
    # 50 fields a second.
    sequence += f"100001{1:032b}{50:032b}10000"
    pictures = f"{_coded(0) * 2}00{_coded(0) * 3}000{_coded(0) * 3}100"
    return _unit(0x67, _packed(sequence + _END)) + _unit(0x68, _packed(pictures + _END))


def _both(number: int, group: int) -> list[bytes]:
    """The fields of a frame; the first of each group is a key frame."""
    image = np.zeros((_CODED, _WIDTH, 3), np.uint8)
    image[: fakes.VIDEO_HEIGHT] = fakes.numbered(number)
    planes = av.VideoFrame.from_ndarray(image, format="rgb24").to_ndarray(format="yuv420p")
    light, colours = planes[:_CODED], planes[_CODED:].reshape(2, _CODED // 2, _WIDTH // 2)
    place = number % group
    return [
        _delimited(_field(light[i::2], colours[:, i::2], place, key=place + i == 0, bottom=i))
        for i in (0, 1)
    ]


def _field(light: np.ndarray, colours: np.ndarray, place: int, *, key: bool, bottom: int) -> bytes:
    head = f"{_coded(0)}{_coded(7)}{_coded(0)}{place:0{_NUMBER_BITS}b}1{bottom}"
    head += f"{_coded(0)}00" if key else "0"
    head += f"{_coded(0)}{_coded(1)}{_PLAIN}"
    blocks = [
        light[16 * y : 16 * y + 16, 16 * x : 16 * x + 16].tobytes()
        + colours[:, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].tobytes()
        for y in range(_CODED // 32)
        for x in range(_WIDTH // 16)
    ]
    data = _packed(head) + _packed(_PLAIN).join(blocks) + _packed(_END)
    return _unit(0x65 if key else 0x61, data)


def _delimited(unit: bytes) -> bytes:
    return _DELIMITER + unit


def _unit(head: int, data: bytes) -> bytes:
    """With bytes in between that keep data from looking like a start code."""
    found = bytearray()
    zeros = 0
    for byte in data:
        if zeros >= 2 and byte <= 3:
            found.append(3)
            zeros = 0
        found.append(byte)
        zeros = 0 if byte else zeros + 1
    return b"\0\0\0\1" + bytes([head]) + bytes(found)


def _coded(value: int) -> str:
    """Exponential-Golomb code."""
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def _packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
