"""Readers of images, films, lists of films and packed folders."""

import io
import shutil
import zipfile
from pathlib import Path

import fakes  # pyright: ignore[reportMissingImports]
from reader import Reader

from beampose.core import zips
from beampose.pipelines import manifest
from beampose.preprocess import images, videos

FILMS = [("mp4", "libx264"), ("avi", "mpeg4"), ("mkv", "mjpeg"), ("webm", "libvpx"),
         ("ts", "mpeg2video"), ("mpg", "mpeg1video")]  # fmt: skip


def _film(folder: Path, suffix: str, codec: str) -> bytes:
    return Path(fakes.video(folder / f"film.{suffix}", codec, 12)).read_bytes()


def _frames(path: Path) -> None:
    video = videos.index(str(path))
    for _ in videos.read(video, 0, min(video.count, 3)):
        pass


def _list(path: Path) -> None:
    manifest.read(manifest.expand([str(path)]))


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p/config.yaml", "Task: x\n")
        archive.writestr("p/labeled-data/a.txt", "a" * 300)
    return stream.getvalue()


def _unpack(path: Path) -> None:
    target = path.parent / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    zips.unpack(path, target, zips.Limits(bytes=10_000_000, files=1000))


def readers(folder: Path) -> dict[str, Reader]:
    """Readers by name; see `readers.readers`."""
    pixels = fakes.pixels(1)
    pictures = [fakes.encode(pixels, kind) for kind in ("PNG", "JPEG", "TIFF", "BMP")]
    listed = b"video,what\na.mp4,1\nb.avi,2\n"
    return {
        "image": Reader("a.png", pictures, lambda p: images.decode(p.read_bytes())),
        "film": Reader("a.mp4", [_film(folder, *one) for one in FILMS], _frames),
        "list of videos": Reader("a.csv", [listed], _list),
        "zip": Reader("a.zip", [_zip()], _unpack),
    }
