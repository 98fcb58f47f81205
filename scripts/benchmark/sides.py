"""Runs the sides of a comparison one after the other, each in a process of its own."""

import argparse
import json
import resource
import subprocess
import sys


def parser(doc: str | None, names: tuple[str, ...]) -> argparse.ArgumentParser:
    """Arguments of all comparisons; only `run` uses `--side` and `--folder`."""
    made = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    made.add_argument("--frames", type=int, default=500)
    made.add_argument("--side", choices=names, help=argparse.SUPPRESS)
    made.add_argument("--folder", help=argparse.SUPPRESS)
    return made


def run(script: str, side: str, folder: str) -> dict:
    """Runs `script --side SIDE --folder FOLDER` and reads its last line as JSON.

    A process of its own gives each side its own peak memory and a cold start.
    """
    words = [sys.executable, script, "--side", side, "--folder", folder]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"The side {side!r} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def report(frames: int, seconds: float) -> None:
    """Prints a side's line: frames a second, and the peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"frames_per_s": round(frames / seconds, 2), "peak_mb": round(peak)}))
