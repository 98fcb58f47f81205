"""Runs the sides of a comparison one after the other, each in a process of its own."""

import json
import resource
import subprocess
import sys


def run(script: str, side: str, folder: str) -> dict:
    """What `script --side SIDE --folder FOLDER` prints as its last line, as JSON.

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
