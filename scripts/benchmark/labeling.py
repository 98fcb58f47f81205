#!/usr/bin/env python
"""Clicks until labels teach as much as all of them: a simulated person, with the model in the loop
and without.

The person knows the truth of a project. A point without a suggestion is a click; a suggestion that
is off by more than 3 px, or too unsure to be accepted, is dragged, which is a click, too; the rest
of a frame is accepted by one key. Labeling takes this person the seconds of `--click` and
`--frame`, and the model that learns meanwhile has so many seconds of `--cores`, and none besides:
the person never waits.

A fifth of the frames is held out. After every few frames a head of its own, the same for all ways,
learns from what is labeled, and its mean error on held-out frames is measured. Ways: `loop`;
`listed`, suggestions but frames in random order; `scratch`, without suggestions in random order;
`outliers`, as in DeepLabCut: 20 frames from scratch, train, correct 20 unsure frames, train, ….

Prints a JSON line for each seed and way: frames, clicks and error of each measurement, and frames
and clicks when the error was within 10 % of that of all labels.

Usage: scripts/benchmark/labeling.py PROJECT [--seeds 0,1] [--ways loop,scratch] [--most 60]
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files
from beampose.pipelines.label.desk import ACCEPTED
from beampose.pipelines.label.label_session import LabelSession
from beampose.preprocess import images

OFF, NEAR = 3.0, 1.1
# Frames of a round of the way of DeepLabCut.
ROUND = 20
WAYS = ("loop", "listed", "scratch", "outliers")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("project")
    made.add_argument("--seeds", default="0")
    made.add_argument("--ways", default=",".join(WAYS))
    made.add_argument("--most", type=int, default=60, help="frames that are labeled at most")
    made.add_argument("--every", type=float, default=1.3, help="growth between measurements")
    made.add_argument("--judge", type=int, default=400, help="steps of the head that measures")
    made.add_argument("--click", type=float, default=1.5, help="seconds of a click")
    made.add_argument("--cores", type=float, default=2.0, help="of the machine")
    made.add_argument("--frame", type=float, default=3.0, help="seconds of a frame besides")
    return made


def main() -> None:
    arguments = parser().parse_args()
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    project = Project(arguments.project)
    judge = Judge(project, arguments.judge)
    for seed in map(int, arguments.seeds.split(",")):
        held, free = project.parted(seed)
        whole = judge.error(free, held, seed)
        print(json.dumps({"seed": seed, "labels": len(free), "error_of_all": whole}), flush=True)
        for way in arguments.ways.split(","):
            person = Person(project, judge, free, arguments)
            curve, reached = [], None
            for count, clicks in person.labels(way, seed):
                error = judge.error(person.labeled, held, seed)
                curve.append([count, clicks, error])
                if error <= NEAR * whole:
                    reached = [count, clicks]
                    break
            told = {"way": way, "seed": seed, "reached": reached, "curve": curve}
            print(json.dumps({**told, "waits": person.waits, "by_frame": person.each}), flush=True)


class Project:
    """Frames and what is true of them."""

    def __init__(self, path: str):
        self.session = LabelSession(path)
        known = {one.key: self.session.keypoints(one.key) for one in self.session.frames}
        self.truth = {key: one for key, one in known.items() if np.isfinite(one).any()}

    def pixels(self, key: str) -> np.ndarray:
        return images.decode(files.read_bytes(self.session.path(self.session.frame(key))))

    def parted(self, seed: int) -> tuple[list[str], list[str]]:
        """A fifth of the frames that is held out, and the others, in an order of the seed."""
        order = np.random.default_rng(seed).permutation(sorted(self.truth)).tolist()
        return order[: len(order) // 5], order[len(order) // 5 :]

    def clicks(self, key: str, suggested: list | None) -> int:
        """What labeling a frame costs."""
        count, accepted = 0, False
        truth = self.truth[key]
        for i, b in np.argwhere(np.isfinite(truth).all(axis=-1)).tolist():
            said = suggested[i][b] if suggested else None
            if (
                said is None
                or said[2] < ACCEPTED
                or np.linalg.norm(np.array(said[:2]) - truth[i, b]) > OFF
            ):
                count += 1
            else:
                accepted = True
        return count + accepted


class Judge:
    """Heads that learn from some labels, on features of all frames that are made once."""

    def __init__(self, project: Project, steps: int):
        from beampose.pipelines.label.live_frames import LiveFrames, Material

        self._project, self._steps = project, steps
        session, truth = project.session, project.truth
        self._frames = LiveFrames(session.names, session.edges)
        few = dict(list(truth.items())[::9])
        self._frames.know(Material(list(truth), few, frozenset(), (), project.pixels))
        while self._frames.embed(list(few)):
            pass
        # The scale of so many labels is kept.
        self._frames.fit()
        self._frames.know(Material(list(truth), truth, frozenset(), (), project.pixels))
        while self._frames.embed(list(truth)) or self._frames.embed(self._frames.copies()):
            pass
        self._network: Any = None

    def head(self, keys: Sequence[str], seed: int) -> Any:
        """A head that has learned from some frames."""
        from beampose.pipelines.label.live_heads import LiveHead, LiveNetwork
        from beampose.trainer import recipe

        frames = self._frames
        if self._network is None:
            frames.dataset.records = frames.records()
            facts = frames.facts()
            assert facts is not None
            chosen = recipe.of_head(frames.config, facts, recipe.STRIDE / frames.config.scale)
            self._network = LiveNetwork(recipe.resolved(frames.config, chosen), frames.dataset)
        records = [one for one in frames.records() if one.name in set(keys)]
        head = LiveHead(self._network, seed)
        head.learn(records, self._steps)
        head.finish(records)
        return head

    def error(self, keys: Sequence[str], held: Sequence[str], seed: int) -> float:
        """Mean error on held-out frames, pixels; of what is found, of several animals."""
        head = self.head(keys, seed)
        records = [self._plain(key) for key in held]
        found = head.network.task.judge.matched(records, self.predict(head, held))
        truth = np.stack([self._project.truth[key] for key in held])
        apart = np.linalg.norm(found[..., :2].reshape(truth.shape) - truth, axis=-1)
        return round(float(np.nanmean(apart)), 3)

    def predict(self, head: Any, keys: Sequence[str]) -> np.ndarray:
        return head.predict([self._plain(key) for key in keys])

    def _plain(self, key: str) -> Any:
        return self._frames.record(key, key, 0, self._project.truth[key])


class Person:
    """Labels frame after frame.

    Attributes:
      labeled: frames, in their order.
      each: points and clicks of each frame.
      waits: seconds of one core from labels to suggestions, median and 95 %.
    """

    def __init__(
        self, project: Project, judge: Judge, free: Sequence[str], settings: argparse.Namespace
    ):
        self._project, self._judge, self._settings = project, judge, settings
        self._free = list(free)
        self.labeled: list[str] = []
        self.each: list[tuple[int, int]] = []
        self.waits: list[float] = []

    def labels(self, way: str, seed: int) -> Iterator[tuple[int, int]]:
        """Frames and clicks so far, whenever it is to be measured."""
        ways: dict[str, Callable[[], Iterator[Offer]]] = {
            "loop": lambda: self._loop(chosen=True),
            "listed": lambda: self._loop(chosen=False),
            "scratch": lambda: (Offer(key, None) for key in self._free),
            "outliers": lambda: self._outliers(seed),
        }
        due, clicks = 8.0, 0
        for offer in ways[way]():
            clicks += self._label(offer)
            count, last = len(self.labeled), len(self.labeled) >= len(self._free)
            last = last or count >= self._settings.most
            if last or (count % ROUND == 0 if way == "outliers" else count >= due):
                due = count * self._settings.every
                yield count, clicks
            if last:
                return

    def _label(self, offer: "Offer") -> int:
        clicks = self._project.clicks(offer.key, offer.suggested)
        truth = self._project.truth[offer.key]
        self.each.append((int(np.isfinite(truth).all(axis=-1).sum()), clicks))
        self.labeled.append(offer.key)
        return clicks

    def _loop(self, *, chosen: bool) -> "Iterator[Offer]":
        from beampose.pipelines.label.learning import Learning
        from beampose.pipelines.label.live_frames import Material

        project, settings = self._project, self._settings
        learning = Learning(project.session.names, project.session.edges, clock=time.process_time)
        waits: list[float] = []
        while len(self.labeled) < len(self._free):
            proposed = learning.news.get("next", []) if chosen else []
            left = [key for key in self._free if key not in self.labeled]
            key = next((one for one in proposed if one in left), left[0])
            learning.look_at(key)
            yield Offer(key, learning.news["suggestions"].get(key))
            known = {one: project.truth[one] for one in self.labeled}
            learning.know(Material(self._free, known, frozenset(known), (), project.pixels))
            began = time.process_time()
            seconds = settings.frame + settings.click * self.each[-1][1]
            seconds *= settings.cores
            while time.process_time() - began < seconds and learning.step():
                pass
            waits = learning.status().get("waits", waits)
            self.waits = [round(float(np.percentile(waits, q)), 2) for q in (50, 95) if waits]

    def _outliers(self, seed: int) -> "Iterator[Offer]":
        from beampose.pipelines.label import suggestions

        points = [(i, b) for i, one in enumerate(next(iter(self._project.truth.values())))
                  for b in range(len(one))]  # fmt: skip
        yield from (Offer(key, None) for key in self._free[:ROUND])
        while left := [key for key in self._free if key not in self.labeled]:
            head = self._judge.head(self.labeled, seed)
            predicted = dict(zip(left, self._judge.predict(head, left), strict=True))
            unsure = sorted(left, key=lambda key: np.nanmean(predicted[key][..., 2]))
            among = np.random.default_rng(seed).permutation(unsure[: max(len(left) // 2, ROUND)])
            for key in among[:ROUND].tolist():
                yield Offer(key, suggestions.plain(predicted[key], points))


class Offer(NamedTuple):
    """A frame that the person sees, and what is suggested."""

    key: str
    suggested: list | None


if __name__ == "__main__":
    main()
