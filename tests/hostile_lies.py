"""Uploads that lie about themselves: sizes, places, names, kinds and counts, by name."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import fakes
import h5py
import hostile
import numpy as np

from beampose.core import names

LABELS, CSV, NAMES = hostile.LABELS, hostile.CSV, hostile.NAMES
CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def _entries(change: Callable[[bytearray, int, int], None]) -> Callable:
    """A zip of which one member's entry in the list, and where it begins, is changed."""

    def make(folder: Path, secret: Path) -> bytes:
        data = bytearray(hostile.zip_of(folder))
        name = f"p/{LABELS}/img1.png".encode()
        entry = data.index(name, data.index(CENTRAL)) - 46
        change(data, entry, struct.unpack_from("<I", data, entry + 42)[0])
        return bytes(data)

    return make


def _sets(form: str, at: int, value: int) -> Callable:
    return _entries(lambda data, entry, local: struct.pack_into(form, data, entry + at, value))


def _overlap(folder: Path, secret: Path) -> bytes:
    """All members of the list are one, the largest."""
    data = bytearray(hostile.zip_of(folder, ("p/zeros.png", bytes(900_000))))
    entry, last = data.index(CENTRAL), data.rindex(CENTRAL)
    facts = data[last + 10 : last + 28] + data[last + 42 : last + 46]
    while entry != last:
        data[entry + 10 : entry + 28], data[entry + 42 : entry + 46] = facts[:18], facts[18:]
        entry = data.index(CENTRAL, entry + 4)
    return bytes(data)


def _zip64(folder: Path, secret: Path) -> bytes:
    """A member that says it is an exabyte, in the fields for large ones."""
    data = hostile.zip_of(folder)
    start, end = data.rindex(CENTRAL), data.rindex(END)
    entry = bytearray(data[start:end])
    length = struct.unpack_from("<H", entry, 28)[0]
    extra = struct.pack("<HHQQ", 1, 16, 1 << 60, 1 << 60)
    struct.pack_into("<II", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, len(extra))
    entry = entry[: 46 + length] + extra
    tail = bytearray(data[end:])
    struct.pack_into("<I", tail, 12, struct.unpack_from("<I", tail, 12)[0] + len(extra))
    return data[:start] + bytes(entry) + bytes(tail)


def _local_name(data: bytearray, entry: int, local: int) -> None:
    length = struct.unpack_from("<H", data, local + 26)[0]
    data[local + 30 : local + 30 + length] = b"../../evil.txt".ljust(length, b"/")


def _raw_name(new: bytes, flags: int = 0) -> Callable:
    def change(data: bytearray, entry: int, local: int) -> None:
        for at, header in ((entry + 8, 46), (local + 6, 30)):
            struct.pack_into("<H", data, at, flags)
            place = at + header - (8 if header == 46 else 6)
            data[place : place + len(new)] = new

    return _entries(change)


def _twice(name: str, *texts: bytes) -> Callable:
    def make(folder: Path, secret: Path) -> bytes:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Of the double name.
            return hostile.zip_of(folder, *((name, text) for text in texts))

    return make


def _linked_folder(folder: Path, secret: Path) -> bytes:
    link = hostile.special("p/out", 0o120000)
    return hostile.zip_of(folder, (link, str(secret.parent).encode()), ("p/out/evil.txt", b"evil"))


def _hard_link(folder: Path, secret: Path) -> bytes:
    """As Unix' extra field 13 writes one: the name it is linked to stands after the times."""
    made = hostile.special("p/hard", 0o100000)
    body = struct.pack("<IIHH", 0, 0, 0, 0) + str(secret).encode()
    made.extra = struct.pack("<HH", 13, len(body)) + body
    return hostile.zip_of(folder, (made, b""))


def _many(folder: Path, secret: Path) -> bytes:
    """More empty members than a project has."""
    stream = io.BytesIO(hostile.zip_of(folder))
    with zipfile.ZipFile(stream, "a") as archive:
        for i in range(60_000):
            archive.writestr(f"p/x/{i}", b"")
    return stream.getvalue()


def _nested(folder: Path, secret: Path) -> bytes:
    inner = hostile.zip_of(folder, ("p/zeros", bytes(9_000_000)))
    (folder / "inner.zip").write_bytes(inner)
    return hostile.zip_of(folder)


def _png(*before: bytes, width: int = 40, height: int = 32) -> bytes:
    head = hostile.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = zlib.compress(bytes((1 + 3 * width) * height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(before)
        + hostile.chunk(b"IDAT", pixels)
        + hostile.chunk(b"IEND", b"")
    )


def _frames(count: int) -> bytes:
    """An animation that says it has more frames than anybody waits for."""
    return _png(hostile.chunk(b"acTL", struct.pack(">II", count, 0)))


def _profile() -> bytes:
    return _png(hostile.chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(100_000_000), 9)))


def _comment() -> bytes:
    return _png(hostile.chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(100_000_000), 9)))


def _tiff(*more: tuple[int, int, int, int], following: int = 8) -> bytes:
    """A TIFF whose list of pages leads back to itself."""
    tags = {256: (4, 1, 40), 257: (4, 1, 32), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    tags |= {273: (4, 1, 200), 277: (3, 1, 1), 278: (4, 1, 32), 279: (4, 1, 1280)}
    tags |= {tag: (kind, count, value) for tag, kind, count, value in more}
    body = struct.pack("<H", len(tags))
    for tag in sorted(tags):
        body += struct.pack("<HHII", tag, *tags[tag])
    return (b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", following)).ljust(
        200, b"\0"
    ) + bytes(1280)


def _jpeg_claims() -> bytes:
    data = bytearray(fakes.encode(fakes.pixels(1), "JPEG"))
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, 65500, 65500)
    return bytes(data)


def _compound(group: h5py.Group, secret: Path) -> None:
    del group["block0_values"]
    kind = np.dtype([("x", "f8"), ("y", "S1000000")])
    group.create_dataset("block0_values", (3, 6), kind, chunks=(1, 1), compression="gzip")


def _attribute(group: h5py.Group, secret: Path) -> None:
    group.attrs.create("axis0_nlevels", 2**62, dtype="i8")
    group.attrs.create("nblocks", 2**62, dtype="i8")


def _long_letters(group: h5py.Group, secret: Path) -> None:
    del group["axis1"]
    group.create_dataset("axis1", (3,), "S200000000", chunks=(1,), compression="gzip")


def _circle(group: h5py.Group, secret: Path) -> None:
    group["again"] = group.file["/"]


def _ranks(group: h5py.Group, secret: Path) -> None:
    del group["block0_values"]
    group.create_dataset("block0_values", (1,) * 30 + (3, 6), "f8")


def _wide() -> str:
    count = 300_000
    parts = ",".join(f"p{i // 2}" for i in range(count))
    scorers, coords = ",".join([fakes.SCORER] * count), ",".join(["x", "y"] * (count // 2))
    row = ",".join(["1"] * count)
    return f"scorer,{scorers}\nbodyparts,{parts}\ncoords,{coords}\n{NAMES[0]},{row}\n"


def _long() -> str:
    count = 100_000
    return fakes.csv_text([f"{LABELS}/i{i}.png" for i in range(count)], np.ones((count, 3, 2)))


# As in `hostile.KINDS`.
KINDS: dict[str, Callable[[Path, Path], bytes]] = {
    "zip: all members are one": _overlap,
    "zip: an exabyte": _zip64,
    "zip: a size of nothing": _sets("<I", 24, 0),
    "zip: packed into more than there is": _sets("<I", 20, 0x7FFFFFFF),
    "zip: a member behind the end": _sets("<I", 42, 0x7FFFFFFF),
    "zip: a member on another disk": _sets("<H", 34, 7),
    "zip: a checksum of another": _sets("<I", 16, 4711),
    "zip: another version": _sets("<H", 6, 99),
    "zip: patched data": _sets("<H", 8, 0x20),
    "zip: strong encryption": _sets("<H", 8, 0x41),
    "zip: an unknown packing": _sets("<H", 10, 97),
    "zip: a day that is none": _sets("<H", 14, 0xFFFF),
    "zip: another name in place": _entries(_local_name),
    "zip: zero byte in a name": _raw_name(b"p/a\0b/../../../evil.txt"),
    "zip: letters that are none": _raw_name(b"p/\xff\xfe\x80", 0x800),
    "zip: config twice": _twice("p/config.yaml", b"Task: a\n", b"Task: ../../evil\n"),
    "zip: one name in two compositions": lambda f, s: hostile.zip_of(
        f, (f"p/{LABELS}/\u00fc.png", b"1"), (f"p/{LABELS}/u\u0308.png", b"2")
    ),
    "zip: names of capitals": hostile.member(f"p/{LABELS}/IMG0.PNG"),
    "zip: config is a folder": lambda f, s: hostile.zip_of(f, ("q/config.yaml/", b"")),
    "zip: names of Windows' devices": lambda f, s: hostile.zip_of(
        f, ("p/CON", b"1"), ("p/a. ", b"1")
    ),
    "zip: letters from right to left": hostile.member(f"p/{LABELS}/\u202egnp.exe"),
    "zip: a link to a folder, and a file in it": _linked_folder,
    "zip: a hard link": _hard_link,
    "zip: a socket": hostile.member(hostile.special("p/socket", 0o140000)),
    "zip: a disk": hostile.member(hostile.special("p/disk", 0o060000)),
    "zip: sixty thousand members": _many,
    "zip: zips in a zip": _nested,
    "zip: a program before it": lambda f, s: b"MZ" + bytes(5000) + hostile.zip_of(f),
    "zip: a remark of another zip": lambda f, s: (
        hostile.zip_of(f)[:-2] + b"\x16\0" + END + bytes(18)
    ),
    "zip: gzip": lambda f, s: gzip.compress(hostile.zip_of(f)),
    "config: holds itself": hostile.with_text("config.yaml", "bodyparts: &a [*a]\nscorer: Ann\n"),
    "config: merged keys": hostile.with_text(
        "config.yaml",
        "a: &a {b: 1}\n"
        + "".join(
            f"c{i}: &c{i} {{<<: [{', '.join([f'*c{i - 1}' if i else '*a'] * 9)}]}}\n"
            for i in range(9)
        ),
    ),
    "config: half a letter": hostile.with_config(Task="\ud800", date="J\udfff"),
    "config: half a letter in a bodypart": hostile.with_config(bodyparts=["\ud800", "nose"]),
    "config: a number of a million digits": hostile.with_text(
        "config.yaml", f"scorer: {'9' * 10**6}\n"
    ),
    "config: a number of sixties": hostile.with_text(
        "config.yaml", f"scorer: 1{':59' * 200_000}\n"
    ),
    "config: packed": hostile.with_text(
        "config.yaml", lambda secret: gzip.compress(bytes(50_000_000))
    ),
    "config: twenty thousand bodyparts": hostile.with_config(
        bodyparts=[f"b{i}" for i in range(20_000)]
    ),
    "config: a bodypart of a megabyte": hostile.with_config(bodyparts=["x" * 900_000, "y"]),
    "config: names of its own files": hostile.with_config(
        Task="config.yaml", scorer=names.COMPLETED, bodyparts=["info.json", ".."]
    ),
    "own: a bucket": hostile.with_own("output: gs://somebody/else\n"),
    "own: steps of a thousand digits": hostile.with_own(f"train: {{steps: {'9' * 1000}}}\n"),
    "own: scale": hostile.with_own("features: {scale: 1.0e+300}\n"),
    "own: another task": hostile.with_own("task: crops\nsource: {format: crops, path: /}\n"),
    "own: films of ours": hostile.with_own(
        "predict: {videos: [/dev/zero, 'http://127.0.0.1:9/a.mp4']}\n"
    ),
    "own: no text": hostile.with_own(bytes(range(256))),
    "labels: hundred thousands of columns": hostile.with_text(CSV, lambda secret: _wide()),
    "labels: hundred thousands of rows": hostile.with_text(CSV, lambda secret: _long()),
    "labels: packed": hostile.with_text(CSV, lambda secret: gzip.compress(b"x," * 30_000_000)),
    "labels: device": hostile.with_rows(lambda secret: "/dev/zero"),
    "labels: own process": hostile.with_rows(lambda secret: "/proc/self/environ"),
    "labels: home": hostile.with_rows(lambda secret: "~/.ssh/id_rsa"),
    "labels: variable": hostile.with_rows(lambda secret: "$HOME/%USERPROFILE%/img0.png"),
    "labels: half a letter": hostile.with_text(
        CSV, fakes.csv_text(NAMES, fakes.points()).encode().replace(b"img1", b"\xed\xa0\x80")
    ),
    "h5: compound values": hostile.with_h5(_compound),
    "h5: counts": hostile.with_h5(_attribute),
    "h5: letters of 200 MB": hostile.with_h5(_long_letters),
    "h5: holds itself": hostile.with_h5(_circle),
    "h5: thirty-two dimensions": hostile.with_h5(_ranks),
    "image: endless animation": hostile.with_image(_frames(2**31 - 1)),
    "image: profile bomb": hostile.with_image(lambda secret: _profile()),
    "image: remark bomb": hostile.with_image(lambda secret: _comment()),
    "image: pages in a circle": hostile.with_image(_tiff()),
    "image: strips of gigabytes": hostile.with_image(_tiff((279, 4, 1, 2**31), following=0)),
    "image: strips without end": hostile.with_image(_tiff((273, 4, 2**30, 200), following=0)),
    "image: JPEG claims": hostile.with_image(lambda secret: _jpeg_claims()),
    "image: packed": hostile.with_image(lambda secret: gzip.compress(bytes(50_000_000))),
}
