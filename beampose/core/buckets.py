"""Configures fsspec for Google Cloud Storage; every module that opens addresses imports it."""

import importlib
import os

import fsspec
import fsspec.config

# gcsfs first asks a second service, by gRPC and for a minute, what kind of bucket it has.
SKIP_BUCKET_KIND = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
_NEEDED = "Addresses in gs:// need the package gcsfs: pip install 'beampose[all]'"
_FILES = "beampose.core.bucket_files.Bucket"


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
        # By its name: gcsfs is imported by whoever opens an address, and by nobody else.
        module, _, name = _FILES.rpartition(".")
        loaded = protocol in fsspec.registry
        found = getattr(importlib.import_module(module), name) if loaded else _FILES
        fsspec.register_implementation(protocol, found, clobber=True, errtxt=_NEEDED)


configure()
