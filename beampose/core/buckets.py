"""Configures fsspec for Google Cloud Storage; every module that opens addresses imports it."""

import os

import fsspec.config

# gcsfs first asks a second service, by gRPC and for a minute, what kind of bucket it has.
SKIP_BUCKET_KIND = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}


def configure() -> None:
    """Sets the defaults of gs:// addresses; what the environment or fsspec's config says stays."""
    for name, value in SKIP_BUCKET_KIND.items():
        os.environ.setdefault(name, value)
    # Other processes write too, so listings are never from memory. The credentials are Google's
    # defaults: gcsfs itself would then ask servers that a laptop cannot reach.
    token = "anon" if os.environ.get("STORAGE_EMULATOR_HOST") else "google_default"
    for protocol in ("gs", "gcs"):
        known = fsspec.config.conf.setdefault(protocol, {})
        known.setdefault("token", token)
        known.setdefault("cache_timeout", 0)


configure()
