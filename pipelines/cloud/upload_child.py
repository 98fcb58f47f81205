"""Runs an upload's experiment in a process of its own: what a stranger's files do to it, they do to
that upload alone.

A library that crashes on a damaged file takes its process along, as does a machine without memory.
`run` starts `python -m beampose.pipelines.cloud.upload_child`, which tells its stages and its end
in lines of JSON, each after a word that only the two know.
"""

import contextlib
import importlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from beampose.core import leftovers, storage
from beampose.core.settings.experiment import Config, from_dict, to_dict
from beampose.pipelines.cloud import publish, upload_room
from beampose.pipelines.cloud.publish import Result

WORK = "beampose.pipelines.cloud.upload_run:train_and_report"
_ROOT = Path(__file__).resolve().parents[2]


def run(
    config: Config, stage: Callable[[str], Any], *, work: str = WORK, seconds: float = 12 * 3600
) -> Result:
    """Works on an experiment in another process.

    Args:
      stage: is told of each stage.
      work: `module:function` that the other process calls as this one is called.
      seconds: after which it is stopped.

    Raises:
      TooLittle: its disk is too full.
      ValueError: it failed, crashed, or took too long; the text is for whoever made the upload.
    """
    folder = Path(config.output).parent
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "run.json"
    storage.write_json(file, to_dict(config))
    word = secrets.token_hex(16)
    command = [sys.executable, "-m", __spec__.name, work, str(file)]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": _search_path(), "PYTHONUNBUFFERED": "1"},
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    late = threading.Event()
    clock = threading.Timer(seconds, lambda: (late.set(), child.kill()))
    clock.start()
    try:
        assert child.stdin is not None
        print(word, file=child.stdin, flush=True)
        for said in _told(child, word):
            if "stage" in said:
                stage(said["stage"])
            elif "needed" in said:
                raise upload_room.TooLittle(said["error"], said["needed"])
            elif "error" in said:
                raise ValueError(said["error"])
            else:
                return Result(said["metrics"], said["problems"])
        code = child.wait()
    finally:
        clock.cancel()
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
    raise ValueError(_end(code, seconds if late.is_set() else None))


def _search_path() -> str:
    return os.pathsep.join([str(_ROOT), *(path for path in sys.path if path)])


def _told(child: subprocess.Popen, word: str) -> Iterator[dict[str, Any]]:
    """What the child tells, among whatever libraries print."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(f"{word} "):
            yield json.loads(line.removeprefix(f"{word} "))


def _end(code: int, seconds: float | None) -> str:
    """How a process ended that gave no result."""
    if seconds is not None:
        return f"It took longer than {seconds / 3600:g} hours and was stopped."
    if code == -getattr(signal, "SIGKILL", 9):
        return "The process that worked on it was killed. Is there enough memory?"
    if code < 0:
        name = signal.strsignal(-code) or f"signal {-code}"
        return (
            f"The process that worked on it crashed ({name}): a file in it, such as an image or an "
            "h5, is damaged in a way that a library cannot bear."
        )
    return f"The process that worked on it ended early, with code {code}."


def main() -> int:
    """Works on the experiment of a file, for whoever holds the other end of the pipes."""
    work, file = sys.argv[1:]
    word = sys.stdin.readline().strip()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError):
        # Where memory ends, Linux shall take this process and not the one that waits for it.
        Path("/proc/self/oom_score_adj").write_text("500")
    # Libraries print, too, and a line of theirs must not end up inside one of ours.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(**values: Any) -> None:
        print(word, json.dumps(values, default=float), file=out, flush=True)

    module, function = work.split(":")
    config = from_dict(Config, storage.read_json(file))
    try:
        result = getattr(importlib.import_module(module), function)(
            config, lambda state: say(stage=state)
        )
    except Exception as error:  # Whatever a stranger's project may do.
        folder = Path(file).parent.parent
        needed = upload_room.needed_after(error, folder)
        say(error=publish.for_people(error, folder), **({"needed": needed} if needed else {}))
        return 1
    say(metrics=result.metrics, problems=result.problems)
    return 0


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    with leftovers.own_folder():
        ended = main()
    sys.exit(ended)
