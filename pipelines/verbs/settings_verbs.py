"""Verbs on settings themselves."""

import argparse
import json

from beampose.core import storage
from beampose.core.settings import reference
from beampose.core.settings.experiment import Config


def schema(arguments: argparse.Namespace) -> int:
    """Prints or writes the JSON schema of an experiment file, or of a cloud.yaml."""
    from beampose.pipelines.cloud.cloud_settings import Cloud

    found = reference.schema(Cloud if arguments.cloud else Config)
    text = json.dumps(found, indent=2, ensure_ascii=False)
    if arguments.to is None:
        print(text)
        return 0
    storage.write_text(arguments.to, f"{text}\n")
    print(f"schema: {arguments.to}")
    return 0
