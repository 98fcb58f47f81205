"""Trains on sets by the defaults alone (a config of five lines), over seeds and backbones.

Usage: python scripts/benchmark/defaults.py DATA OUT.jsonl [--sets NAME …] [--seeds 0 1 2]
           [--backbones resnet_compact …] [--weights NAME=PATH …] [--set KEY=VALUE …]
           [--resize FACTOR]
       python scripts/benchmark/defaults.py --table OUT.jsonl
DATA holds the sets below by their folder names. A line for each set, backbone and seed: error on
the test split (mean, median, pixels), mAP or accuracy, seconds, and what was chosen. What OUT has
already is passed over, so that a stopped run continues; the features of a set and backbone are
made once for all seeds. `--table` prints what is there. `--resize` makes images and labels that
many times as wide and high first: rules that look at pixels should not mind.
Example: python scripts/benchmark/defaults.py data out.jsonl --sets openfield-image --seeds 0 1 2
"""

import argparse
import csv
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import sets
import yaml
from PIL import Image

SETS = {
    **{name: (place, {"by": by}) for name, (_, place, by, _) in sets.SETS.items()},
    "mirror-mouse": ("mirror-mouse-lightningpose", None),
    # The same 18 of 90 frames in every comparison of this set.
    "mirror-mouse-fixed": (
        "mirror-mouse-lightningpose",
        {"from": "split/Documentation_data-x_80shuffle1.pickle"},
    ),
    "flies": ("flies-clip-sleap", {"by": "image", "test": 0.25}),
    "flies-other-film": ("flies-centeredpair-sleap", None),
    "montblanc": ("MontBlanc-Daniel-2019-12-16", None),
    "golden-mouse": ("golden_mouse-shaokai-2022-10-19", None),
    "reaching-v1": ("v1-reachingJan30/data-reaching", None),
}
FORMATS = {"birdfeeder": "crops", "pollenbees": "crops", "reaching-v1": "imagej"}
FIGURES = ("mean_error_px", "median_error_px", "mAP", "accuracy")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("data", type=Path, nargs="?")
    made.add_argument("out", type=Path, nargs="?")
    made.add_argument("--table", type=Path, metavar="OUT.jsonl")
    made.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    made.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    made.add_argument("--backbones", nargs="+", metavar="NAME", default=["default"])
    made.add_argument("--weights", nargs="+", metavar="NAME=PATH", default=[])
    made.add_argument("--set", nargs="+", metavar="KEY=VALUE", default=[], dest="more")
    made.add_argument("--resize", type=float, metavar="FACTOR", help="of projects of DeepLabCut")
    return made


def main() -> int:
    arguments = parser().parse_args()
    if arguments.table:
        print("\n".join(table(lines(arguments.table))))
        return 0
    if not arguments.data or not arguments.out:
        parser().error("DATA and OUT.jsonl are missing")
    weights = dict(one.split("=", 1) for one in arguments.weights)
    for name in arguments.sets:
        for backbone in arguments.backbones:
            called = f"{name}@{arguments.resize:g}" if arguments.resize else name
            done = {(one["set"], one["backbone"], one["seed"]) for one in lines(arguments.out)}
            seeds = [one for one in arguments.seeds if (called, backbone, one) not in done]
            if not seeds:
                continue
            with tempfile.TemporaryDirectory() as folder:
                config = Path(folder) / "experiment.yaml"
                experiment = values(arguments.data, name, folder)
                if arguments.resize:
                    source = Path(experiment["source"]["path"])
                    resized(source, Path(folder) / source.name, arguments.resize)
                    experiment["source"]["path"] = f"{folder}/{source.name}"
                config.write_text(yaml.safe_dump(experiment), "utf-8")
                words = [f"features.backbone={backbone}"] * (backbone != "default")
                if backbone in weights:
                    words.append(f"features.weights={weights[backbone]}")
                for result in measure(config, [*words, *arguments.more], seeds):
                    with arguments.out.open("a", encoding="utf-8") as out:
                        line = {"set": called, "backbone": backbone, **result}
                        print(json.dumps(line), file=out, flush=True)
    return 0


def values(data: Path, name: str, folder: str) -> dict[str, Any]:
    """The config of a set: task, source, split where it is not the default, output."""
    place, split = SETS[name]
    found = FORMATS.get(name, "deeplabcut")
    if split and "from" in split:
        split = {"from": str(data.absolute() / place / split["from"])}
    return {
        "task": "crops" if found == "crops" else "pose",
        "source": {"format": found, "path": str(data.absolute() / place)},
        "output": f"{folder}/run",
        **({"split": split} if split else {}),
    }


def resized(source: Path, target: Path, factor: float) -> None:
    """Writes a project of DeepLabCut whose labeled images are `factor` times as wide and high."""
    from beampose.core import csv_cells

    target.mkdir()
    shutil.copy(source / "config.yaml", target)
    for file in sorted(source.glob("labeled-data/*/*")):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".png":
            with Image.open(file) as image:
                size = [round(factor * side) for side in image.size]
                image.resize(size, Image.Resampling.BICUBIC).save(place)
        elif file.suffix == ".csv":
            with file.open(newline="", encoding="utf-8") as stream:
                rows = list(csv.reader(stream))
            head = [row[0] for row in rows].index("coords") + 1
            for row in rows[head:]:
                # Pixels are counted from the middle of the first one.
                row[:] = [
                    repr((float(cell) + 0.5) * factor - 0.5) if csv_cells.is_number(cell) else cell
                    for cell in row
                ]
            with place.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerows(rows)


def measure(config: Path, words: list[str], seeds: list[int]):
    """One result per seed; the features of the first serve the others."""
    run = config.parent / "run"
    for seed in seeds:
        shutil.rmtree(run / "model", ignore_errors=True)
        settings = [*words, f"train.seed={seed}"]
        for verb in ("features", "train"):
            subprocess.run(
                ["beampose", verb, str(config), *(w for one in settings for w in ("--set", one))],
                check=True,
                stdout=sys.stderr,
            )
        metrics = json.loads((run / "model/metrics.json").read_text("utf-8"))
        info = json.loads((run / "model/info.json").read_text("utf-8"))
        test = metrics["test"]
        yield {
            "seed": seed,
            "split": metrics["split"],
            **{key: test[key] for key in FIGURES if key in test},
            "seconds": metrics["seconds"],
            "chosen": {key: one["value"] for key, one in info.get("chosen", {}).items()},
            "words": words,
        }


def lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def table(results: list[dict[str, Any]]) -> list[str]:
    """Mean over seeds, and each seed's figure, as a Markdown table."""
    rows = [
        "| set | backbone | mean of seeds | seeds | seconds of training |",
        "|---|---|---|---|---|",
    ]
    for name, backbone in dict.fromkeys((one["set"], one["backbone"]) for one in results):
        found = [one for one in results if (one["set"], one["backbone"]) == (name, backbone)]
        figure = next(one for one in ("mAP", "accuracy", "mean_error_px") if one in found[0])
        digits = 2 if figure == "mean_error_px" else 3
        each = ", ".join(f"{one[figure]:.{digits}f}" for one in found)
        mean = statistics.fmean(one[figure] for one in found)
        seconds = statistics.fmean(one["seconds"]["train"] for one in found)
        rows.append(f"| {name} | {backbone} | {mean:.{digits}f} | {each} | {seconds:.0f} |")
    return rows


if __name__ == "__main__":
    sys.exit(main())
