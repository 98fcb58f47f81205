"""Works on one upload as a job of Cloud Run.

`python -m beampose.pipelines.cloud.upload_job ADDRESS GENERATION MODELS`, which the service that
takes events starts. Cloud Run starts a job again that ends with another code than 0.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence

from beampose.core import files
from beampose.pipelines import causes
from beampose.pipelines.cloud import upload_environment, upload_run
from beampose.pipelines.cloud.upload_watch import line


def main(argv: Sequence[str] | None = None) -> int:
    """0 once the upload has its verdict, `failed` too; 1 to be started again; 2 if asked wrongly.

    Progress is in the upload's `status.json`, and in the job's log.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    made = argparse.ArgumentParser(prog="python -m beampose.pipelines.cloud.upload_job")
    made.add_argument("address", help="the zip, such as gs://bucket/incoming/reach.zip")
    made.add_argument("generation", help="of the object")
    made.add_argument("models", help="folder or address of the results")
    given = made.parse_args(argv)
    name = upload_run.name_of(files.name(given.address))
    try:
        if name is None:
            raise ValueError(f"{given.address} is no upload: its name must be that of a zip.")
        settings = upload_environment.settings(os.environ)
    except (OSError, ValueError) as error:
        print(f"error: {causes.sentence(error)}", file=sys.stderr)
        return 2
    # Before Cloud Run ends a job it says so; its status then says that it will be resumed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    upload = upload_run.Upload(name, given.address, given.generation)
    try:
        outcome = upload_run.process(upload, given.models, settings, print)
    except (upload_run.Again, OSError) as error:
        print(f"error: {causes.to_be_tried_again(error)}", file=sys.stderr)
        return 1
    print(line(outcome))
    return 0


if __name__ == "__main__":
    sys.exit(main())
