"""Works as a Dataflow worker: installs the staged packages and runs the staged pipeline.

Usage: python -I worker.py STAGING_LOCATION FOLDER
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import fsspec


def main(staging: str, folder: str) -> None:
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    system, root = fsspec.core.url_to_fs(staging, token="anon")
    staged = Path(folder, "staged")
    staged.mkdir()
    for file in system.find(root):
        system.get_file(file, str(staged / file.rpartition("/")[2]))
    packages = sorted(str(file) for file in staged.glob("*.whl"))
    installed = Path(folder, "installed")
    command = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--target", str(installed), *packages]
    subprocess.run(command, check=True)
    # An installation for development stands in the way of the staged packages.
    sys.meta_path = [f for f in sys.meta_path if "editable" not in str(getattr(f, "__module__", f))]
    sys.path = [str(installed), *[p for p in sys.path if "__editable__" not in p]]
    run(staged / "pipeline.pb", Path(folder, "counters.json"), installed)


def run(file: Path, counters: Path, installed: Path) -> None:
    import logging

    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.portability import python_urns
    from apache_beam.portability.api import beam_runner_api_pb2
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    logging.basicConfig(level=logging.ERROR)
    pipeline = beam_runner_api_pb2.Pipeline.FromString(file.read_bytes())
    for environment in pipeline.components.environments.values():
        environment.urn = python_urns.EMBEDDED_PYTHON
        environment.payload = b""
        del environment.dependencies[:]
    result = FnApiRunner().run_via_runner_api(pipeline, PipelineOptions([]))
    result.wait_until_finish()
    found = result.metrics().query()["counters"]
    counters.write_text(
        json.dumps(
            [[c.key.metric.namespace, c.key.metric.name, c.key.step, c.committed] for c in found]
        )
    )
    loaded = [m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "beampose"]
    strays = [file for file in loaded if not str(file).startswith(str(installed))]
    assert loaded and not strays, f"not from the staged packages: {strays}"


if __name__ == "__main__":
    main(*sys.argv[1:])
