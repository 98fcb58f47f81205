"""What a job on Google Cloud would be, and everything for which it would be refused, at once.

Nothing is sent and nothing is written into the bucket.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from beampose.core import files
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.cloud import (
    cloud_settings,
    code_wheel,
    credentials,
    dry_contents,
    image_versions,
    permissions,
    staging,
)
from beampose.pipelines.cloud.cloud_settings import Cloud

Value = TypeVar("Value")


class Found(NamedTuple):
    """Lines of what would be sent, of refusals, and of what could not be looked at."""

    sent: list[str]
    refused: list[str]
    unseen: list[str]

    def add(self, name: str, value: object) -> None:
        self.sent.append(f"{name:<10}{value}")

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """What the block is refused for is a line of `refused`, and all goes on."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.refused.append(files.why(error))
        except Exception as error:
            if not type(error).__module__.startswith("google.auth"):
                raise
            self.unseen.append(f"what is in the bucket: {error}")

    def text(self, verb: str) -> str:
        """All of it, human-readable."""
        lines = list(self.sent)
        lines += [f"UNSEEN    {one}" for one in self.unseen]
        lines += [f"REFUSED   {one}" for one in self.refused]
        count = len(self.refused)
        end = "as far as can be seen from here it would be taken"
        if count:
            end = f"it would be refused, for {counted(count, 'reason')}"
        lines.append(f"{verb}: a dry run. Nothing was sent; {end}.")
        return "\n".join(lines)


def run(
    arguments: argparse.Namespace,
    verb: str,
    config: Callable[[], Config],
    price: Callable[[Config, Cloud], str],
) -> int:
    """Prints what `verb` would send. 1 if it would be refused.

    Args:
      config: reads the experiment.
      price: says what the job costs; raises ValueError if that is above the limit.
    """
    found = Found([], [], [])
    found.refused.extend(cloud_settings.refusals(arguments.cloud))
    cloud = None if found.refused else cloud_settings.load(arguments.cloud)
    experiment = None
    with found.gathering():
        experiment = config()
    if cloud is not None:
        stand_in = _look(found, cloud, verb)
        if verb != "submit" and not stand_in and (why := image_versions.mismatch()):
            found.refused.append(why)
    if cloud is not None and experiment is not None:
        _describe(found, arguments, verb, experiment, cloud)
        with found.gathering():
            for line in price(experiment, cloud).splitlines():
                found.add("price", line)
    print(found.text(verb))
    return 1 if found.refused else 0


def _look(found: Found, cloud: Cloud, verb: str) -> bool:
    """Looks at what a client can see; True if a stand-in is spoken to."""
    service = cloud.vertex if verb == "submit" else cloud.dataflow
    stand_in = cloud_settings.is_stand_in(service.endpoint)
    roles = permissions.VERTEX if verb == "submit" else permissions.DATAFLOW
    try:
        known = credentials.find(stand_in=stand_in)
    except (OSError, ImportError) as error:
        found.unseen.append(f"bucket, image, accounts and roles: {error}")
        return stand_in
    seen = permissions.look(cloud, known, service.endpoint, roles)
    found.refused.extend(seen.refused)
    found.unseen.extend(seen.unseen)
    return stand_in


def _describe(
    found: Found, arguments: argparse.Namespace, verb: str, config: Config, cloud: Cloud
) -> None:
    moved = staging.placed(config, cloud)
    found.add("results", moved.output)
    with tempfile.TemporaryDirectory() as folder, found.gathering():
        wheel = code_wheel.build(folder)
        size, digest = wheel.stat().st_size, code_wheel.sha256(wheel)
        found.add("wheel", f"{wheel.name}, {size:,} bytes, sha256 {digest[:16]}")
        if Path(config.weights).is_absolute():
            length = files.size(config.weights)
            found.add("weights", f"{config.weights}, {length:,} bytes, to {staging.WEIGHTS}/")
        job = dry_contents.Job(arguments, config, moved, cloud, wheel)
        if verb == "submit":
            _gathered(found, job, dry_contents.TRAINING)
        else:
            _gathered(found, job, dry_contents.BEAM[verb])


def _gathered(
    found: Found,
    job: "dry_contents.Job",
    parts: Sequence[Callable[["dry_contents.Job"], Iterator[tuple[str, Any]]]],
) -> None:
    """Lines of the parts of a job; one that is refused keeps no other from being said."""
    for part in parts:
        with found.gathering():
            for name, value in part(job):
                if name == dry_contents.REFUSED:
                    found.refused.append(str(value))
                else:
                    found.add(name, value)
