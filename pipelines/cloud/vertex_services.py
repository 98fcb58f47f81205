"""The services of Vertex AI in a region, and what they answer when they refuse."""

import concurrent.futures
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from beampose.core import sign_in, storage
from beampose.pipelines.cloud.cloud_settings import Cloud

# Letters of a name that people see: 128, less what the names of jobs add.
_LONGEST_NAME = 90


class Unanswered(OSError):
    """A service gave no answer: nobody here knows if it did what it was asked for."""


def shown_name(output: str) -> str:
    """The name of an experiment as people see it, as long as Vertex AI takes it."""
    name = storage.place(output).name
    return (
        name
        if len(name) <= _LONGEST_NAME
        else f"{name[: _LONGEST_NAME - 7]}-{storage.digest(name)[:6]}"
    )


def named(name: str) -> str:
    """A filter of resources by the name people see."""
    return f"display_name={json.dumps(name, ensure_ascii=False)}"


class Services:
    """The clients of a region, which speak HTTP so that a proxy or a stand-in can serve them."""

    def __init__(self, cloud: Cloud, credentials: Any):
        from google.cloud import aiplatform_v1 as api

        self.cloud = cloud
        self.api = api
        self.credentials = credentials
        self.parent = f"projects/{cloud.project}/locations/{cloud.region}"
        endpoint = cloud.vertex.endpoint or f"{cloud.region}-aiplatform.googleapis.com"
        known = {"credentials": credentials, "transport": "rest"}
        known["client_options"] = {"api_endpoint": endpoint}
        self.jobs = api.JobServiceClient(**known)
        self.models = api.ModelServiceClient(**known)

    def call(self, method: Callable, **request: Any) -> Any:
        """Calls the service.

        Raises:
          Unanswered: it may have done what it was asked for.
          OSError: it refused. Both have a human-readable text.
        """
        with self._sentences():
            return method(request=request, timeout=60)

    def outcome(self, operation: Any, *, seconds: float) -> Any:
        """Waits for the end of what a call began.

        Raises:
          OSError: it failed, or took longer.
        """
        with self._sentences():
            return operation.result(timeout=seconds)

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        """What the clients raise, as a sentence."""
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        try:
            yield
        except concurrent.futures.TimeoutError:
            raise OSError("Vertex AI took too long: look at the project's page.") from None
        except exceptions.GoogleAPICallError as error:
            kind = Unanswered if int(error.code or 0) >= 500 else OSError
            raise kind(_refusal(error, self.cloud)) from None
        except exceptions.RetryError as error:
            raise Unanswered(f"Vertex AI could not be reached: {error.cause or error}.") from None
        except GoogleAuthError as error:
            # Those that were good at first may be refused hours later.
            raise OSError(
                f"Google refuses the credentials of this machine: {_first_line(error)}. Sign in "
                f"again with `{sign_in.COMMAND}`."
            ) from None
        except OSError as error:
            why = _first_line(error).rstrip(".")
            raise Unanswered(f"Vertex AI could not be reached: {why}.") from None


def _refusal(error: Any, cloud: Cloud) -> str:
    text = _first_line(error)
    hints = {
        401: f"Sign in again with `{sign_in.COMMAND}`.",
        403: f"The account needs roles/aiplatform.user in {cloud.project}: docs/cloud.md.",
        404: f"Look at project ({cloud.project}) and region ({cloud.region}) in the settings.",
        429: f"A quota of {cloud.project} in {cloud.region} is used up: ask for more, or another "
        "region or machine.",
    }
    return f"Vertex AI refused: {text} {hints.get(int(error.code or 0), '')}".rstrip()


def _first_line(error: Exception) -> str:
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    return re.sub(r"\s+", " ", str(text).strip().splitlines()[0])[:300]
