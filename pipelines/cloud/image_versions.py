"""What the image's workers run: Dataflow refuses jobs that were built by another Python or Beam."""

import sys

# Of the Dockerfile and requirements/cpu.lock; tests/test_image.py holds them together.
PYTHON = (3, 11)
BEAM = "2.77.0"


def mismatch() -> str:
    """Why a job that is built here fails on the image's workers; empty if it does not."""
    import apache_beam

    here = sys.version_info[:2]
    beam = apache_beam.__version__
    if here == PYTHON and beam == BEAM:
        return ""
    wanted = f"Python {_dotted(PYTHON)} and apache-beam {BEAM}"
    return (
        f"The image runs {wanted}, this is Python {_dotted(here)} and apache-beam {beam}: Dataflow "
        f"refuses such jobs. Run this from an environment with Python {_dotted(PYTHON)} and "
        f"`pip install apache-beam[gcp]=={BEAM}`, or start the Flex Template: docs/cloud.md."
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
