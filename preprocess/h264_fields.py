"""Second fields among the packets of interlaced H.264, in which two packets may be one frame.

Camcorders (AVCHD) code the two fields of a frame as pictures of their own, of some frames or all.
A decoder makes one frame of both, and FFmpeg gives a packet for each.
"""

from collections.abc import Iterator
from typing import NamedTuple

# Kinds of network abstraction layer units: slices, one of them of a key frame, and parameters.
_SLICES, _PARAMETERS = (1, 5), 7
# Profiles whose parameters go on with the format of colours.
_HIGH = (44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244)
# Bytes of a unit that hold its header or parameters.
_HEAD = 256


class _Sequence(NamedTuple):
    """Parameters of a sequence, as far as headers of slices depend on them."""

    number_bits: int
    planes: bool
    fields: bool


class _Field(NamedTuple):
    """A picture that is one field: the number of its frame, and which of the two it is."""

    frame: int
    bottom: bool


class SecondFields:
    """Tells packets that hold the second field of the frame before.

    Args:
      extradata: of the stream: parameters, and how units are told apart.
    """

    def __init__(self, extradata: bytes | None):
        data = extradata or b""
        # Of mp4 and Matroska (avcC); elsewhere units begin with start codes.
        self._length = (data[4] & 3) + 1 if len(data) > 6 and data[0] == 1 else 0
        self._sequence: _Sequence | None = None
        self._open: _Field | None = None
        for unit in _listed(data) if self._length else _started(data):
            self._read_parameters(unit)

    @property
    def possible(self) -> bool:
        """False where all pictures are frames."""
        return self._sequence is None or self._sequence.fields

    def is_second(self, packet: bytes) -> bool:
        """Whether a packet completes the frame that the one before began; in order of decoding."""
        found = self._picture(packet)
        first = self._open
        # As FFmpeg pairs them: of one frame number, and not both top or both bottom.
        second = (
            found is not None
            and first is not None
            and (found.frame == first.frame and found.bottom != first.bottom)
        )
        self._open = None if second else found
        return second

    def _picture(self, packet: bytes) -> _Field | None:
        """The field of a packet's first slice; None of a frame."""
        for unit in _sized(packet, self._length) if self._length else _started(packet):
            self._read_parameters(unit)
            if unit and unit[0] & 31 in _SLICES and self._sequence:
                return _field(unit, self._sequence)
        return None

    def _read_parameters(self, unit: bytes) -> None:
        if unit and unit[0] & 31 == _PARAMETERS:
            self._sequence = _parameters(unit)


class _Bits:
    """Bits of a unit, without the bytes that keep it from looking like a start code."""

    def __init__(self, unit: bytes):
        data = unit[1:_HEAD].replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def number(self, bits: int) -> int:
        self._left -= bits
        if self._left < 0:
            raise ValueError("a unit ends before its header does")
        return self._value >> self._left & ((1 << bits) - 1)

    def coded(self) -> int:
        """A number in Exponential-Golomb code, ue(v)."""
        zeros = 0
        while not self.number(1):
            zeros += 1
        return (1 << zeros) - 1 + self.number(zeros)


def _field(unit: bytes, sequence: _Sequence) -> _Field | None:
    """7.3.3 of ITU-T H.264."""
    try:
        bits = _Bits(unit)
        for _ in range(3):
            bits.coded()
        if sequence.planes:
            bits.number(2)
        frame = bits.number(sequence.number_bits)
        if not sequence.fields or not bits.number(1):
            return None
        return _Field(frame, bool(bits.number(1)))
    except ValueError:
        return None


def _parameters(unit: bytes) -> _Sequence | None:
    """7.3.2.1.1 of ITU-T H.264."""
    try:
        bits = _Bits(unit)
        profile = bits.number(8)
        bits.number(16)
        bits.coded()
        planes = _colours(bits) if profile in _HIGH else False
        number_bits = bits.coded() + 4
        order = bits.coded()
        if order == 0:
            bits.coded()
        elif order == 1:
            bits.number(1)
            for _ in range(2):
                bits.coded()
            for _ in range(bits.coded()):
                bits.coded()
        bits.coded()
        bits.number(1)
        for _ in range(2):
            bits.coded()
        return _Sequence(number_bits, planes, fields=not bits.number(1))
    except ValueError:
        return None


def _colours(bits: _Bits) -> bool:
    """Whether each colour is a plane of its own."""
    format = bits.coded()
    planes = bool(bits.number(1)) if format == 3 else False
    for _ in range(2):
        bits.coded()
    bits.number(1)
    if bits.number(1):
        for place in range(12 if format == 3 else 8):
            if bits.number(1):
                _skip_scaling(bits, 16 if place < 6 else 64)
    return planes


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.coded()
            following = (last + (-(code // 2) if code % 2 == 0 else (code + 1) // 2)) % 256
        last = following or last


def _listed(data: bytes) -> Iterator[bytes]:
    """Parameters of sequences in avcC."""
    place = 6
    for _ in range(data[5] & 31):
        size = int.from_bytes(data[place : place + 2], "big")
        yield data[place + 2 : place + 2 + size]
        place += 2 + size


def _sized(data: bytes, length: int) -> Iterator[bytes]:
    """Beginnings of units that are preceded by their size."""
    place = 0
    while place + length < len(data):
        size = int.from_bytes(data[place : place + length], "big")
        place += length
        yield data[place : place + min(size, _HEAD)]
        place += size


def _started(data: bytes) -> Iterator[bytes]:
    """Beginnings of units that follow start codes."""
    place = data.find(b"\0\0\1")
    while place >= 0:
        yield data[place + 3 : place + 3 + _HEAD]
        place = data.find(b"\0\0\1", place + 3)
