"""Trains the weights of `resnet_compact`: a small ResNet learns the feature maps of a large one.

Usage:
  python scripts/distill_backbone.py --images FOLDER [--images FOLDER ...] --out weights.npz
      [--exclude WORD ...] [--teacher mobilenet_v2_0.35] [--teacher-weights imagenet]
      [--steps 8000] [--batch 32] [--size 160] [--frames 80] [--seed 0] [--work FOLDER]

Every image and `--frames` frames of every video below the folders are used, no labels. Crops at
random scales, turned, flipped and recoloured, go through both networks; the student's maps at
strides 4, 8, 16 and 32, through a linear layer each, shall equal the teacher's, normalised by
channel. The result takes its place with `features: {backbone: resnet_compact, weights:
weights.npz}`. A killed run continues with the same command. On a machine with a GPU and ImageNet,
`--teacher resnet50 --images ILSVRC2012/train --steps 500000 --batch 256 --size 224` makes a better
one.
"""

import argparse
import hashlib
import io
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg")
# Images are kept with this smaller side at most: crops are taken at scales 0.6 to 1.6 of it.
SIDE = 512
# One image in this many is never trained on, to see what the student learned of the teacher.
HELD_OUT = 25
# Layers of a teacher at strides its backbone has no tap for.
MORE_TAPS = {"resnet50": [("conv2_block3_out", 4)], "resnet101": [("conv2_block3_out", 4)]}
# Squared errors beyond this, in standard deviations, do not pull harder.
CLIP = 25.0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--images", action="append", required=True, help="folder; may be repeated")
    made.add_argument("--exclude", action="append", default=[], help="paths with this word")
    made.add_argument("--out", required=True)
    made.add_argument("--work", help="checkpoint and image cache; default: OUT without suffix")
    made.add_argument("--teacher", default="mobilenet_v2_0.35")
    made.add_argument("--teacher-weights", default="imagenet")
    made.add_argument("--steps", type=int, default=8000)
    made.add_argument("--batch", type=int, default=32)
    made.add_argument("--size", type=int, default=160, help="side of a crop, a multiple of 32")
    made.add_argument("--frames", type=int, default=80, help="frames of each video")
    made.add_argument("--learning-rate", type=float, default=2e-3)
    made.add_argument("--seed", type=int, default=0)
    return made


def main() -> int:
    arguments = parser().parse_args()
    if arguments.size % 32:
        parser().error("--size must be a multiple of 32.")
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    work = Path(arguments.work or Path(arguments.out).with_suffix(""))
    work.mkdir(parents=True, exist_ok=True)
    images, sources = collect(arguments, work)
    print(f"{len(images)} images and frames of {len(sources)} files", flush=True)
    facts = Distillation(arguments, images).run(work, Path(arguments.out))
    facts["files"] = len(sources)
    facts["images"] = len(images)
    print(json.dumps(facts))
    return 0


def collect(arguments: argparse.Namespace, work: Path) -> tuple[list[bytes], list[str]]:
    """All pictures as JPEG, from a cache where one of the same files is there."""
    found = [
        path
        for folder in arguments.images
        for path in sorted(Path(folder).rglob("*"))
        if path.suffix.lower() in IMAGES + VIDEOS
        and not any(word in str(path) for word in arguments.exclude)
    ]
    if not found:
        sys.exit(f"No image or video below {', '.join(arguments.images)}.")
    names = [str(path) for path in found]
    identity = [[name, Path(name).stat().st_size] for name in names]
    code = hashlib.sha256(json.dumps([identity, arguments.frames]).encode()).hexdigest()[:16]
    cache = work / f"images-{code}.tfrecord"
    import tensorflow as tf

    if not cache.is_file():
        temporary = cache.with_suffix(".part")
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for path in found:
                for picture in pictures(path, arguments.frames):
                    writer.write(encode(picture, arguments.size))
        temporary.rename(cache)
    return [bytes(r) for r in tf.data.TFRecordDataset(str(cache)).as_numpy_iterator()], names


def pictures(path: Path, frames: int) -> Iterator[Any]:
    """The pixels of an image, or of evenly spread frames of a video."""
    from beampose.preprocess import images, videos

    try:
        if path.suffix.lower() in IMAGES:
            yield images.decode(path.read_bytes())
            return
        video = videos.index(str(path))
        every = max(1, video.count // frames)
        for frame in videos.read(video, 0, video.count):
            if frame.pixels is not None and frame.index % every == 0:
                yield frame.pixels
    except (OSError, ValueError) as error:
        print(f"{path} left out: {error}", file=sys.stderr)


def encode(pixels, least: int) -> bytes:
    """JPEG with the smaller side at most `SIDE` and at least `least`."""
    from PIL import Image

    image = Image.fromarray(pixels)
    side = min(image.size)
    factor = min(1.0, SIDE / side) if side > least else least / side
    if factor != 1.0:
        size = (max(least, round(image.width * factor)), max(least, round(image.height * factor)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


class Distillation:
    """Student, teacher, data and the state of the run."""

    def __init__(self, arguments: argparse.Namespace, pictures: list[bytes]):
        import keras

        from beampose.trainer import backbone_weights, compact, networks

        keras.utils.set_random_seed(arguments.seed)
        self.arguments = arguments
        self.held = pictures[::HELD_OUT]
        self.pictures = [p for i, p in enumerate(pictures) if i % HELD_OUT]
        spec = networks.spec(arguments.teacher)
        model = spec.build()
        backbone_weights.load(model, arguments.teacher_weights, spec.published)
        self.digest = backbone_weights.digest(model)
        known = [*MORE_TAPS.get(arguments.teacher, ()), *spec.taps[networks.EXPANDED]]
        taps = sorted(known, key=lambda tap: tap[1])
        outputs = [networks.tapped(model, name) for name, _ in taps] + [model.output]
        self.teacher = keras.Model(model.input, outputs)
        self.teacher.trainable = False
        self.teacher_scale = spec.scale
        self.strides = [stride for _, stride in taps] + [32]
        self.trained = compact.build(normalize=True)
        stages = [self.trained.get_layer(f"stage{s}").output for s in self.strides]
        self.student = keras.Model(self.trained.input, stages)
        self.heads = [keras.layers.Conv2D(int(o.shape[-1]), 1) for o in outputs]
        for head, stage in zip(self.heads, stages, strict=True):
            head.build(stage.shape)
        self.variables = [
            *self.student.trainable_variables,
            *[v for head in self.heads for v in head.trainable_variables],
        ]
        schedule = keras.optimizers.schedules.CosineDecay(
            arguments.learning_rate, arguments.steps, alpha=0.005
        )
        self.optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-4)  # pyright: ignore[reportArgumentType]
        self.optimizer.build(self.variables)
        self.live = [
            *self.student.variables,
            *[v for head in self.heads for v in head.variables],
            *self.optimizer.variables,
        ]

    def run(self, work: Path, out: Path) -> dict[str, Any]:
        """Trains to the last step, writes the folded weights, and tells what was done."""
        import tensorflow as tf

        self.means, self.deviations = self._statistics()
        step = tf.function(self._step)
        state = {"step": 0, "seconds": 0.0, "history": []}
        file = work / "checkpoint.npz"
        self._load(file, state)
        held = self._held_batch()
        began, start = time.perf_counter(), state["step"]
        losses = []
        for batch in self._batches(start):
            losses.append(step(batch))
            state["step"] += 1
            done = state["step"] == self.arguments.steps
            if state["step"] % 250 == 0 or done:
                state["seconds"] += time.perf_counter() - began
                entry = {
                    "step": state["step"],
                    "seconds": round(state["seconds"]),
                    "loss": [round(float(v), 4) for v in sum(losses) / len(losses)],  # pyright: ignore[reportGeneralTypeIssues]
                    "held_out": [round(float(v), 4) for v in self._losses(held, training=False)],
                }
                losses = []
                state["history"].append(entry)
                print(json.dumps(entry), flush=True)
                self._save(file, state)
                began = time.perf_counter()
        self._write(out)
        return {
            "teacher": self.arguments.teacher,
            "teacher_digest": self.digest,
            "steps": state["step"],
            "crops": state["step"] * self.arguments.batch,
            "seconds": round(state["seconds"]),
            "held_out": state["history"][-1]["held_out"],
            "held_out_halfway": state["history"][len(state["history"]) // 2 - 1]["held_out"],
        }

    def _batches(self, start: int):
        """Batches from step `start` on; what a step sees depends on (seed, step) alone."""
        import tensorflow as tf

        arguments = self.arguments
        pictures = tf.constant(self.pictures)

        def crop(number):
            seed = tf.stack([tf.constant(arguments.seed, tf.int64), number])
            chosen = tf.random.stateless_uniform(
                [], seed, maxval=len(self.pictures), dtype=tf.int64
            )
            return augment(pictures[chosen], seed, arguments.size)

        numbers = tf.data.Dataset.range(
            start * arguments.batch, arguments.steps * arguments.batch, output_type=tf.int64
        )
        crops = numbers.map(crop, num_parallel_calls=2).batch(arguments.batch, drop_remainder=True)
        return crops.prefetch(2)

    def _held_batch(self):
        import tensorflow as tf

        crops = [
            augment(tf.constant(data), tf.constant([7, i], tf.int64), self.arguments.size)
            for i, data in enumerate(self.held[:96])
        ]
        return tf.stack(crops)

    def _statistics(self):
        """Mean and standard deviation of each teacher channel over the first batches."""
        import tensorflow as tf

        sums: list[list] = [[] for _ in self.strides]
        for batch in self._batches(0).take(12):
            for found, maps in zip(sums, self._teach(batch), strict=True):
                found.append(tf.reshape(maps, (-1, maps.shape[-1])))
        joined = [tf.concat(found, 0) for found in sums]
        means = [tf.reduce_mean(values, 0) for values in joined]
        return means, [tf.math.reduce_std(values, 0) + 0.05 for values in joined]

    def _teach(self, images):
        from beampose.trainer.backbone import scaled

        return self.teacher(scaled(images, self.teacher_scale), training=False)

    def _losses(self, images, *, training: bool):
        import tensorflow as tf

        targets = [
            (maps - mean) / deviation
            for maps, mean, deviation in zip(
                self._teach(images), self.means, self.deviations, strict=True
            )
        ]
        stages = self.student(images / 127.5 - 1.0, training=training)
        answers = [head(stage) for head, stage in zip(self.heads, stages, strict=True)]
        return tf.stack(
            [
                tf.reduce_mean(tf.minimum((answer - target) ** 2, CLIP))
                for answer, target in zip(answers, targets, strict=True)
            ]
        )

    def _step(self, images):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            losses = self._losses(images, training=True)
            total = tf.reduce_sum(losses)
        gradients = tape.gradient(total, self.variables)
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))  # pyright: ignore[reportArgumentType]
        return losses

    def _identity(self) -> str:
        kept = ("steps", "batch", "size", "learning_rate", "seed", "teacher")
        values = [self.digest, len(self.pictures), *[getattr(self.arguments, k) for k in kept]]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    def _save(self, file: Path, state: dict) -> None:
        import numpy as np

        from beampose.core import storage

        facts = np.array(json.dumps({"run": self._identity(), **state}))
        arrays = {f"live{i}": v.numpy() for i, v in enumerate(self.live)}
        with storage.replacing(file) as temporary, temporary.open("wb") as handle:
            np.savez(handle, facts=facts, allow_pickle=False, **arrays)

    def _load(self, file: Path, state: dict) -> None:
        import numpy as np

        if not file.is_file():
            return
        with np.load(file, allow_pickle=False) as saved:
            facts = json.loads(str(saved["facts"]))
            if facts.pop("run") != self._identity():
                sys.exit(f"{file} is of a run with other settings: give another --work or --out.")
            for i, variable in enumerate(self.live):
                variable.assign(saved[f"live{i}"])
        state.update(facts)
        print(f"Continuing at step {state['step']}.", flush=True)

    def _write(self, out: Path) -> None:
        """The folded weights as bfloat16, and a check that they still say the same."""
        import numpy as np

        from beampose.trainer import backbone_weights, compact

        if not all(math.isfinite(float(np.sum(v))) for v in self.student.get_weights()):
            sys.exit("The weights became NaN or infinite: lower --learning-rate.")
        folded = compact.fold(self.trained)
        backbone_weights.save_npz(folded, out)
        again = compact.build()
        backbone_weights.load(again, str(out), backbone_weights.Published())
        probe = self._held_batch()[:8] / 127.5 - 1.0
        wanted, found = self.trained(probe, training=False), again(probe)
        error = float(np.abs(found - wanted).mean() / np.abs(wanted).mean())
        print(f"Folding and bfloat16 change the last map by {error:.2%} of its mean.", flush=True)


def augment(data, seed, size: int):
    """JPEG bytes to a random crop, float32 (size, size, 3), 0 to 255."""
    import tensorflow as tf

    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int32), 12))

    def uniform(i: int, low: float, high: float):
        return tf.random.stateless_uniform([], seeds[i], low, high)

    image = tf.io.decode_jpeg(data, channels=3)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.cast(size / uniform(0, 0.6, 1.6), tf.int32)
    side = tf.minimum(side, tf.minimum(height, width))
    top = tf.cast(uniform(1, 0.0, 1.0) * tf.cast(height - side + 1, tf.float32), tf.int32)
    left = tf.cast(uniform(2, 0.0, 1.0) * tf.cast(width - side + 1, tf.float32), tf.int32)
    top, left = tf.minimum(top, height - side), tf.minimum(left, width - side)
    image = tf.cast(image[top : top + side, left : left + side], tf.float32)
    image = tf.ensure_shape(tf.image.resize(image, (size, size)), (size, size, 3))
    image = tf.image.stateless_random_flip_left_right(image, seeds[3])
    image = tf.image.rot90(image, tf.cast(uniform(4, 0.0, 3.999), tf.int32))
    image = image + uniform(5, -40.0, 40.0)
    image = tf.image.stateless_random_contrast(image, 0.6, 1.5, seeds[6])
    image = tf.clip_by_value(image, 0.0, 255.0) / 255.0
    image = tf.image.stateless_random_hue(image, 0.2, seeds[7])
    image = tf.image.stateless_random_saturation(image, 0.3, 2.0, seeds[8])
    # One in five loses its colours: many cameras in the field see infrared.
    gray = tf.repeat(tf.image.rgb_to_grayscale(image), 3, axis=-1)
    image = tf.where(uniform(9, 0.0, 1.0) < 0.2, gray, image)
    return tf.clip_by_value(image, 0.0, 1.0) * 255.0


if __name__ == "__main__":
    sys.exit(main())
