"""Draws what vary.py printed: the error against a setting, a line for each set.

Usage: python scripts/benchmark/plot.py KEY OUT.svg LINES.jsonl [LINES.jsonl ...]
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path


def main() -> int:
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("key")
    made.add_argument("out")
    made.add_argument("lines", nargs="+")
    arguments = made.parse_args()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    found: dict[str, dict] = defaultdict(lambda: defaultdict(list))
    for file in arguments.lines:
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            found[entry["set"]][entry[arguments.key]].append(entry)
    figures = (("mean_error_px", "mean error (px)"), ("median_error_px", "median error (px)"))
    plt.rcParams.update({"font.size": 9, "svg.hashsalt": "beampose"})
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", sharex=True)
    every = sorted({value for values in found.values() for value in values})
    for axis, (name, words) in zip(axes, figures, strict=True):
        for which, values in found.items():
            places = [every.index(value) for value in values]
            means = [sum(e[name] for e in es) / len(es) for es in values.values()]
            axis.plot(places, means, marker="o", markersize=4, label=which)
        axis.set_xticks(range(len(every)), [str(value) for value in every])
        axis.set(xlabel=arguments.key, ylabel=words, ylim=(0, None))
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.legend(
        *axes[0].get_legend_handles_labels(), frameon=False, ncols=4, loc="outside lower center"
    )
    figure.savefig(arguments.out, metadata={"Date": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
