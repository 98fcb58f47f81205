"""Tiny sources: DeepLabCut projects, crop folders, videos whose pixels say their number."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import yaml
from PIL import Image

from beampose.trainer.schema import LabelRecord

SCORER = "Ann"
BODYPARTS = ("nose", "ear", "tail")
# Not square, so that swapped axes show.
HEIGHT, WIDTH = 40, 60
VIDEO_HEIGHT, VIDEO_WIDTH = 48, 80
_BITS, _BITS_A_ROW = 10, 5


class Bomb:
    """An object whose unpickling creates the file `path`."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def pixels(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A random RGB image, different for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encode(image: np.ndarray | Image.Image, format: str = "PNG", **options) -> bytes:
    """The bytes of an image file."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def points(rows: int = 3) -> np.ndarray:
    """Keypoints (rows, bodyparts, 2) inside the fake images; the second row has no ear."""
    x = np.arange(rows)[:, None] + np.array([10.25, 20.5, 30.75])
    y = np.arange(rows)[:, None] + np.array([5.5, 15.25, 25.125])
    found = np.stack([x, y], axis=-1)
    found[1:2, 1] = np.nan
    return found


def csv_text(
    names: Sequence[str],
    keypoints: np.ndarray,
    *,
    scorer: str = SCORER,
    bodyparts: Sequence[str] = BODYPARTS,
) -> str:
    """A CollectedData csv; a comma in a name makes an index of several columns."""
    gap = "," * (names[0].count(",") + 1)
    columns = [(part, axis) for part in bodyparts for axis in "xy"]
    lines = [
        "scorer" + gap + ",".join([scorer] * len(columns)),
        "bodyparts" + gap + ",".join(part for part, _ in columns),
        "coords" + gap + ",".join(axis for _, axis in columns),
    ]
    for name, row in zip(names, keypoints.reshape(len(names), -1), strict=True):
        lines.append(name + "," + ",".join("" if np.isnan(v) else repr(float(v)) for v in row))
    return "\n".join(lines) + "\n"


def table(names: Sequence, keypoints: np.ndarray, bodyparts: Sequence[str] = BODYPARTS):
    """The same labels as the DataFrame DeepLabCut writes to h5."""
    import pandas as pd

    columns = pd.MultiIndex.from_product(
        [[SCORER], bodyparts, ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    index = pd.MultiIndex.from_tuples(names) if isinstance(names[0], tuple) else list(names)
    return pd.DataFrame(keypoints.reshape(len(names), -1), index=index, columns=columns)


def project(root: Path, *, video: str = "cam1", rows: int = 3, config: dict | None = None) -> Path:
    """Writes a DeepLabCut project with one folder of labeled frames in csv; returns its folder."""
    root.mkdir(parents=True, exist_ok=True)
    settings = {
        "Task": "reach",
        "scorer": SCORER,
        "date": "Jan7",
        "multianimalproject": None,
        "project_path": "/nowhere/reach-Ann",
        "video_sets": {"C:\\gone\\other.avi": {"crop": "0, 60, 0, 40"}},
        "bodyparts": list(BODYPARTS),
        "skeleton": [["nose", "ear"]],
        **(config or {}),
    }
    (root / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    folder = label_folder(root, video)
    names = [f"labeled-data/{video}/img{i}.png" for i in range(rows)]
    for i in range(rows):
        (folder / f"img{i}.png").write_bytes(encode(pixels(i)))
    (folder / f"CollectedData_{SCORER}.csv").write_text(csv_text(names, points(rows)))
    return root


def animals(
    root: Path,
    keypoints: np.ndarray,
    *,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    first: bool = False,
) -> Path:
    """Writes a project of two animals and a unique bodypart `door`; returns its folder.

    Args:
      keypoints: (frames, 3, 4, 2): of ann and bob their nose, ear and tail, of `single` the door.
      first: writes the columns of `single` before the others, as convert2_maDLC does.
    """
    config = {
        "bodyparts": "MULTI!",
        "multianimalproject": True,
        "individuals": ["ann", "bob"],
        "multianimalbodyparts": list(BODYPARTS),
        "uniquebodyparts": ["door"],
    }
    project(root, config=config)
    columns = [
        (i, j, owner, part)
        for i, owner in enumerate(("ann", "bob", "single"))
        for j, part in enumerate((*BODYPARTS, "door"))
        if (owner == "single") == (part == "door")
    ]
    if first:
        columns = columns[-1:] + columns[:-1]
    lines = [
        "scorer," + ",".join([SCORER] * 2 * len(columns)),
        "individuals," + ",".join(owner for *_, owner, _ in columns for _ in "xy"),
        "bodyparts," + ",".join(part for *_, part in columns for _ in "xy"),
        "coords," + ",".join(axis for _ in columns for axis in "xy"),
    ]
    for k, frame in enumerate(keypoints):
        cells = [frame[i, j, axis] for i, j, *_ in columns for axis in (0, 1)]
        text = ",".join("" if np.isnan(v) else repr(float(v)) for v in cells)
        lines.append(f"labeled-data/cam1/img{k}.png,{text}")
        (root / f"labeled-data/cam1/img{k}.png").write_bytes(encode(pixels(k, *size)))
    (root / f"labeled-data/cam1/CollectedData_{SCORER}.csv").write_text("\n".join(lines) + "\n")
    return root


def label_folder(root: Path, video: str = "cam1") -> Path:
    """The folder of a video's labeled frames, made if absent."""
    folder = root / "labeled-data" / video
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def crops(root: Path, counts: dict[str, int]) -> Path:
    """Writes crop folders such as {"Training/Positive": 3}; every image is another."""
    seed = 0
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (root / folder / f"bird_{i}_0.jpg").write_bytes(
                encode(pixels(seed, 12, 20), "JPEG", quality=90)
            )
            seed += 1
    return root


def numbered(number: int) -> np.ndarray:
    """A frame that carries its number as bright and dark blocks, one a bit."""
    height, width = VIDEO_HEIGHT * _BITS_A_ROW // _BITS, VIDEO_WIDTH // _BITS_A_ROW
    frame = np.zeros((VIDEO_HEIGHT, VIDEO_WIDTH, 3), np.uint8)
    for bit in range(_BITS):
        row, column = divmod(bit, _BITS_A_ROW)
        block = frame[row * height : (row + 1) * height, column * width : (column + 1) * width]
        block[:] = 235 if number >> bit & 1 else 20
    return frame


def number(frame: np.ndarray) -> int:
    """The number a decoded frame carries."""
    height, width = VIDEO_HEIGHT * _BITS_A_ROW // _BITS, VIDEO_WIDTH // _BITS_A_ROW
    blocks = frame.reshape(-1, height, _BITS_A_ROW, width, 3).mean(axis=(1, 3, 4)).ravel()
    return sum(int(value > 128) << bit for bit, value in enumerate(blocks))


def video(
    path: Path,
    codec: str,
    count: int = 40,
    *,
    gop: int = 12,
    b_frames: int = 0,
    options: dict[str, str] | None = None,
    times: Sequence[int] | None = None,
    pix_fmt: str | None = None,
    size: tuple[int, int] = (VIDEO_HEIGHT, VIDEO_WIDTH),
) -> str:
    """Writes a video of numbered frames, 25 a second or at `times` in milliseconds.

    Of another `size`, height and width, the frames are cut or repeated.
    """
    base = Fraction(1, 1000) if times else Fraction(1, 25)
    container_options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=container_options) as out:
        stream = out.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = pix_fmt or ("yuvj420p" if codec == "mjpeg" else "yuv420p")
        stream.codec_context.time_base = base
        stream.codec_context.gop_size = gop
        if b_frames:
            stream.codec_context.max_b_frames = b_frames
        for i in range(count):
            rows, columns = (
                -(-new // old) for new, old in zip(size, numbered(i).shape, strict=False)
            )
            image = np.tile(numbered(i), (rows, columns, 1))[: size[0], : size[1]]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = times[i] if times else i, base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return str(path)


def label_record(
    number: int, keypoints: np.ndarray | None = None, *, video: str = "film", label: int = -1
) -> LabelRecord:
    """A label of a training split: keypoints (individuals, bodyparts, 2) or a class."""
    return LabelRecord(
        key=str(number),
        name=f"img{number}",
        image_uri="",
        video=video,
        file="",
        row=number,
        split="train",
        height=480,
        width=640,
        copy=0,
        keypoints=np.empty((0, 0, 2)) if keypoints is None else keypoints,
        label=label,
    )
