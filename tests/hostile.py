"""Uploads of strangers who want to read our files, write them, or stop the watch, by name."""

import io
import pickle
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import h5py
import numpy as np
import yaml

LABELS = "labeled-data/cam1"
CSV = f"{LABELS}/CollectedData_{fakes.SCORER}.csv"
H5 = f"{LABELS}/CollectedData_{fakes.SCORER}.h5"
NAMES = [f"{LABELS}/img{i}.png" for i in range(3)]


def zip_of(folder: Path, *more: tuple[Any, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, f"p/{file.relative_to(folder).as_posix()}")
        for name, data in more:
            archive.writestr(name, data)
    return stream.getvalue()


def special(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system, made.external_attr = 3, (mode | 0o777) << 16
    return made


def member(name: Any, data: bytes = b"evil") -> Callable:
    return lambda folder, secret: zip_of(folder, (name(secret) if callable(name) else name, data))


def _bytes(change: Callable[[bytearray], bytes]) -> Callable:
    return lambda folder, secret: bytes(change(bytearray(zip_of(folder))))


def with_config(**values: Any) -> Callable:
    def make(folder: Path, secret: Path) -> bytes:
        file = folder / "config.yaml"
        told = {k: v(secret) if callable(v) else v for k, v in values.items()}
        known = yaml.safe_load(file.read_text(encoding="utf-8"))
        file.write_text(yaml.safe_dump({**known, **told}, sort_keys=False), encoding="utf-8")
        return zip_of(folder)

    return make


def with_text(name: str, text: Any) -> Callable:
    def make(folder: Path, secret: Path) -> bytes:
        data = text(secret) if callable(text) else text
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return zip_of(folder)

    return make


def with_rows(name: Callable[[Path], str]) -> Callable:
    """Labels whose images have other names."""
    return with_text(CSV, lambda secret: fakes.csv_text([name(secret)] * 3, fakes.points()))


def with_h5(change: Callable[[h5py.Group, Path], None]) -> Callable:
    """Labels as h5, of which something is changed."""

    def make(folder: Path, secret: Path) -> bytes:
        table = fakes.table(NAMES, fakes.points())
        table.to_hdf(str(folder / H5), key="df_with_missing", mode="w")
        with h5py.File(folder / H5, "r+") as file:
            change(file["df_with_missing"], secret)
        (folder / CSV).unlink()
        return zip_of(folder)

    return make


def _external(group: h5py.Group, secret: Path) -> None:
    del group["block0_values"]
    group.create_dataset("block0_values", (3, 6), "f8", external=[(str(secret), 0, 144)])


def _virtual(group: h5py.Group, secret: Path) -> None:
    del group["block0_values"]
    layout = h5py.VirtualLayout((3, 6), "f8")
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "box", (3, 6))
    group.create_virtual_dataset("block0_values", layout)


def _link(group: h5py.Group, secret: Path) -> None:
    del group["block0_values"]
    group["block0_values"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/box")


def _soft(group: h5py.Group, secret: Path) -> None:
    del group["block0_values"]
    group["block0_values"] = h5py.SoftLink("/df_with_missing/axis1")


def _second(group: h5py.Group, secret: Path) -> None:
    group.file["other"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/")


def _claims(group: h5py.Group, secret: Path) -> None:
    del group["block0_values"]
    group.create_dataset("block0_values", (20_000_000, 400), "f8", chunks=(100, 40))


def _filter(group: h5py.Group, secret: Path) -> None:
    del group["block0_values"]
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((3, 6))
    made.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((3, 6))
    h5py.h5d.create(group.id, b"block0_values", h5py.h5t.IEEE_F64LE, space, made)


def _objects(group: h5py.Group, secret: Path) -> None:
    del group["axis1"]
    group["axis1"] = np.array([group.ref] * 3, h5py.ref_dtype)


def _pickled(group: h5py.Group, secret: Path) -> None:
    del group["axis1"]
    data = np.frombuffer(pickle.dumps([fakes.Bomb(secret.with_name("ran"))]), np.uint8)
    group.create_dataset("axis1", (1,), h5py.vlen_dtype(np.uint8))[0] = data


def _header(data: bytes) -> Callable:
    def make(folder: Path, secret: Path) -> bytes:
        table = fakes.table(NAMES, fakes.points())
        table.to_hdf(str(folder / H5), key="k", mode="w", format="table")
        with h5py.File(folder / H5, "r+") as file:
            file["k"].attrs["non_index_axes"] = np.bytes_(data)
        (folder / CSV).unlink()
        return zip_of(folder)

    return make


def with_image(data: Any) -> Callable:
    return with_text(f"{LABELS}/img1.png", data)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def _anchors() -> str:
    text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for i in range(1, 10):
        text += f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n"
    return text + "bodyparts: *a9\nscorer: Ann\n"


def with_own(text: Any) -> Callable:
    return with_text("beampose.yaml", text)


def _swapped(old: bytes, new: bytes) -> Callable:
    return _bytes(lambda data: data.replace(old, new))


# Each gives the bytes of a zip from a good project's folder and the path of a file to be stolen.
KINDS: dict[str, Callable[[Path, Path], bytes]] = {
    "zip: parent": member("../../evil.txt"),
    "zip: parent inside": member("p/../../evil.txt"),
    "zip: absolute": member(lambda secret: f"/{secret.parent}/evil.txt"),
    "zip: backslashes": member("..\\..\\evil.txt"),
    "zip: drive": member("C:\\evil.txt"),
    "zip: share": member("\\\\server\\share\\evil.txt"),
    "zip: link": lambda f, s: zip_of(f, (special("p/link", stat.S_IFLNK), str(s).encode())),
    "zip: link as image": lambda f, s: zip_of(
        f, (special(f"p/{LABELS}/img9.png", stat.S_IFLNK), str(s).encode())
    ),
    "zip: pipe": member(special("p/pipe", stat.S_IFIFO)),
    "zip: device": member(special("p/device", stat.S_IFCHR)),
    "zip: control characters": member("p/a\nb"),
    "zip: long path": member("p/" + "a/" * 600 + "x"),
    "zip: deep path": member("p/" + "a/" * 60 + "x"),
    "zip: long name": member("p/" + "a" * 900),
    "zip: bomb": member("p/zeros.png", bytes(30_000_000)),
    "zip: bomb of small members": lambda f, s: zip_of(
        f, *[(f"p/{i}.png", bytes(5_000_000)) for i in range(8)]
    ),
    "zip: another packing": lambda f, s: zip_of(f, method=zipfile.ZIP_LZMA),
    "zip: cut short": _bytes(lambda data: data[: len(data) // 2]),
    "zip: without a list": _swapped(b"PK\x01\x02", b"PK\x01\x09"),
    "zip: damaged members": _bytes(lambda data: data[:60] + bytes(200) + data[260:]),
    "zip: encrypted": _swapped(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    ),
    "zip: text": lambda folder, secret: b"no zip at all",
    "zip: empty": lambda folder, secret: b"PK\x05\x06" + bytes(18),
    "zip: two projects": lambda f, s: zip_of(
        f, ("q/config.yaml", b""), ("q/labeled-data/a", b"")
    ),
    "zip: file and folder of one name": lambda f, s: zip_of(f, ("p/x", b"1"), ("p/x/y", b"2")),
    "config: anchors": with_text("config.yaml", _anchors()),
    "config: python": with_text(
        "config.yaml", "a: !!python/object/apply:os.system ['touch ran']\n"
    ),
    "config: deep": with_text("config.yaml", "[" * 50_000),
    "config: no keys": with_text("config.yaml", "- a\n"),
    "config: megabytes": with_text("config.yaml", "a: " + "x" * 2_000_000),
    "config: no text": with_text("config.yaml", bytes(range(256))),
    "config: task": with_config(Task="../../../evil"),
    "config: absolute task": with_config(Task=lambda secret: f"{secret.parent}/evil"),
    "config: date": with_config(date="/../../../evil"),
    "config: scorer": with_config(scorer="../../../evil"),
    "config: scorer of Windows": with_config(scorer="..\\..\\evil"),
    "config: bodyparts": with_config(bodyparts=["../../evil", "<script>alert(1)</script>", "=1+1"]),
    "config: bodyparts of numbers": with_config(bodyparts=[float("nan"), float("inf"), -1]),
    "config: individuals": with_config(
        multianimalproject=True, individuals=["../x", "\0"], multianimalbodyparts=["nose"]
    ),
    "config: project path": with_config(project_path=lambda secret: str(secret.parent)),
    "config: videos": with_config(
        video_sets={"/etc/passwd": {"crop": "0, 1, 0, 1"}, "x.m3u8": None}
    ),
    "config: skeleton": with_config(skeleton=[[["a"], {"b": 1}], "x", None]),
    "config: iteration": with_config(iteration="../../evil", TrainingFraction="x"),
    "own: output": with_own(lambda secret: f"output: {secret.parent}/evil\n"),
    "own: source": with_own(lambda secret: f"source: {{path: {secret.parent}}}\n"),
    "own: weights": with_own(lambda secret: f"features: {{weights: {secret}}}\n"),
    "own: split": with_own(lambda secret: f"split: {{from: {secret}}}\n"),
    "own: second project": with_own(lambda secret: f"split: {{test_from: {secret.parent}}}\n"),
    "own: endless training": with_own("train: {steps: .inf}\n"),
    "own: not a number": with_own("train: {steps: .nan}\n"),
    "own: negative seed": with_own("train: {seed: -1}\nsplit: {seed: -5}\n"),
    "own: finetuning": with_own("train: {mode: finetune}\nfeatures: {frames: true}\n"),
    "own: backbone": with_own("features: {backbone: resnet101, weights: imagenet}\n"),
    "own: memory": with_own("train: {cache_mb: 1000000, batch_size: 100000}\n"),
    "labels: parent": with_rows(lambda secret: "../../../secret.txt"),
    "labels: absolute": with_rows(str),
    "labels: frame of a film": with_rows(lambda secret: f"{LABELS}/list.m3u8#frame=0"),
    "labels: image in a file": with_rows(lambda secret: f"{LABELS}/../../secret.h5#image=box/0"),
    "labels: zero byte": with_rows(lambda secret: f"{LABELS}/img0.png\0.txt"),
    "labels: address": with_rows(lambda secret: "http://127.0.0.1:9/img0.png"),
    "labels: chain": with_rows(lambda secret: f"simplecache::file://{secret}"),
    "labels: exponents": with_text(
        CSV, fakes.csv_text(NAMES, fakes.points()).replace(",1", ",1e999999999")
    ),
    "labels: formulas": with_rows(lambda secret: f"{LABELS}/=cmd|' /C calc'!A0.png"),
    "labels: a quote": with_text(CSV, 'scorer,"' + "x" * 300_000),
    "labels: no text": with_text(CSV, bytes(range(256)) * 50),
    "h5: external": with_h5(_external),
    "h5: virtual": with_h5(_virtual),
    "h5: link": with_h5(_link),
    "h5: soft link": with_h5(_soft),
    "h5: link beside": with_h5(_second),
    "h5: claims": with_h5(_claims),
    "h5: filter": with_h5(_filter),
    "h5: references": with_h5(_objects),
    "h5: pickled objects": with_h5(_pickled),
    "h5: code in a header": _header(b"cos\nsystem\n(S'touch ran'\ntR."),
    "h5: doubled header": _header(b"K\x01" + b"2\x86" * 60 + b"."),
    "h5: room for a header": _header(b"]r\xff\xff\xff\x7f."),
    "image: claims": with_image(_png(100_000, 100_000)),
    "image: claims a little less": with_image(_png(13_000, 13_000)),
    "image: PostScript": with_image("%!PS-Adobe-3.0 EPSF-3.0\n(secret) run\n"),
    "image: SVG": with_image(lambda s: f'<svg><image href="file://{s}"/></svg>'),
    "image: playlist": with_image(lambda s: f"#EXTM3U\n#EXTINF:1,\n{s}\n"),
    "image: empty": with_image(b""),
    "image: cut short": with_image(lambda s: fakes.encode(fakes.pixels(1))[:200]),
}  # fmt: skip
