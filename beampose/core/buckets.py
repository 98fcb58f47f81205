"""Configures fsspec for buckets; every module that opens addresses imports it."""

import functools
import importlib
import importlib.util
import os
import re
from urllib.parse import urlsplit

import fsspec
import fsspec.config
from fsspec.registry import known_implementations

# gcsfs first asks a second service, by gRPC and for a minute, what kind of bucket it has.
SKIP_BUCKET_KIND = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
# Whose class does not tell what it needs.
_PACKAGES = {
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
}
_CLASSES = {
    **dict.fromkeys(("gs", "gcs"), "beampose.core.bucket_files.Bucket"),
    **dict.fromkeys(("s3", "s3a"), "beampose.core.s3_files.S3"),
    **dict.fromkeys(("http", "https"), "beampose.core.web_files.Web"),
}
_BEGIN = "begin with gs://, s3://, az:// or https://"
# Of single servers, for which nobody here says what an error means.
_CONNECTING = frozenset(("ftp", "sftp", "ssh", "smb", "webdav", "webhdfs", "hdfs", "arrow_hdfs"))
# The beginning of an address that a shell or a program took for a path, and made shorter.
_ONE_SLASH = re.compile(r"(gs|gcs|s3a?|az|abfss?|adl|https?):/(?!/)")


def configure() -> None:
    """Sets the defaults of addresses; what the environment or fsspec's config says stays."""
    for name, value in SKIP_BUCKET_KIND.items():
        os.environ.setdefault(name, value)
    token = "anon" if os.environ.get("STORAGE_EMULATOR_HOST") else "google_default"
    for protocol, file_system in _CLASSES.items():
        known = fsspec.config.conf.setdefault(protocol, {})
        # Other processes write too, so listings are never from memory.
        if protocol in ("gs", "gcs"):
            # The credentials are Google's defaults: gcsfs itself would then ask servers that a
            # laptop cannot reach.
            known.setdefault("token", token)
            known.setdefault("cache_timeout", 0)
        else:
            known.setdefault("use_listings_cache", False)
        # By its name: gcsfs is imported by whoever opens an address, and by nobody else.
        module, _, name = file_system.rpartition(".")
        loaded = protocol in fsspec.registry
        found = getattr(importlib.import_module(module), name) if loaded else file_system
        fsspec.register_implementation(protocol, found, clobber=True)


def check(address: str) -> None:
    """Raises ValueError where nothing here opens such addresses; the text says what would."""
    if _ONE_SLASH.match(address):
        protocol, _, rest = address.partition(":/")
        raise ValueError(f"{address}: a slash is missing, addresses begin as {protocol}://{rest}")
    protocol, mark, _ = address.partition("://")
    if protocol in ("http", "https"):
        try:
            urlsplit(address).port  # noqa: B018  It is only read where it is asked for.
        except ValueError as error:
            raise ValueError(f"{address} is no address of a web server: {error}") from error
    if mark and (lack := _lack(protocol.rpartition("::")[2])):
        raise ValueError(f"{address}: {lack}")


@functools.cache
def _lack(protocol: str) -> str:
    known = known_implementations.get(protocol)
    if known is None and protocol not in fsspec.registry:
        return f"there is no storage of the name {protocol!r}: addresses {_BEGIN}"
    if protocol in _CONNECTING:
        return (
            f"{protocol}:// is not read: download the file first, or mount the folder. Addresses "
            f"{_BEGIN}"
        )
    package = _PACKAGES.get(protocol) or str((known or {}).get("class", "")).partition(".")[0]
    # Asked for by its name: what nobody opens is not imported.
    if not package or importlib.util.find_spec(package) is not None:
        return ""
    return f"addresses in {protocol}:// need the package {package}: pip install {package}"


configure()
