"""Google's credentials of this machine, or a sentence in seconds why there are none."""

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beampose.core import sign_in

SECONDS = 10
PRODUCT = Path("/sys/class/dmi/id/product_name")
# Set where containers of Cloud Run and of Vertex AI run.
INSIDE = ("K_SERVICE", "CLOUD_RUN_JOB", "CLOUD_ML_PROJECT_ID", "KUBERNETES_SERVICE_HOST")
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def find(*, stand_in: bool = False) -> Any:
    """Credentials that Google accepts now.

    Args:
      stand_in: a service on this machine is spoken to, which takes none.

    Raises:
      OSError: there are none, they are refused, or Google cannot be reached; the text says what to
        do.
    """
    from google.auth import credentials, default, exceptions
    from google.auth.transport.requests import Request

    if stand_in:
        return credentials.AnonymousCredentials()
    try:
        with _no_search_for_a_metadata_server():
            found, _ = default(scopes=SCOPES)
    except (exceptions.DefaultCredentialsError, exceptions.MalformedError, ValueError) as error:
        raise OSError(sign_in.without(error)) from None
    try:
        found.refresh(functools.partial(Request(), timeout=SECONDS))
    except exceptions.TransportError as error:
        raise OSError(
            f"Google cannot be reached to check the credentials: {_short(error)}. Check the "
            "network, a proxy (HTTPS_PROXY), or work without --cloud."
        ) from None
    except exceptions.GoogleAuthError as error:
        raise OSError(
            f"Google refuses the credentials of this machine: {_short(error)}. Sign in again with "
            f"`{sign_in.COMMAND}`, or give another key file in "
            "GOOGLE_APPLICATION_CREDENTIALS."
        ) from None
    return found


def _short(error: Exception) -> str:
    text = str(error.args[0] if error.args else error)
    return text.splitlines()[0][:200].rstrip(".")


@contextlib.contextmanager
def _no_search_for_a_metadata_server() -> Iterator[None]:
    """Outside Google's machines there is none, and looking for it takes many seconds."""
    inside = any(name in os.environ for name in INSIDE)
    with contextlib.suppress(OSError):
        inside = inside or PRODUCT.read_text().startswith("Google")
    before = os.environ.get("NO_GCE_CHECK")
    if not inside:
        os.environ["NO_GCE_CHECK"] = "true"
    try:
        yield
    finally:
        if not inside and before is None:
            del os.environ["NO_GCE_CHECK"]
