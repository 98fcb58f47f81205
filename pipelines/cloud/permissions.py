"""Looks at what a job needs before it is sent: bucket, image, account, roles of who sends it.

Nothing is changed. What may not be looked at is said, and is no refusal.
"""

import re
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from beampose.pipelines.cloud.cloud_settings import Cloud, is_stand_in

STORAGE = "https://storage.googleapis.com"
PROJECTS = "https://cloudresourcemanager.googleapis.com"
ACCOUNTS = "https://iam.googleapis.com"
REGISTRY = "https://artifactregistry.googleapis.com"
# One permission of each role that docs/cloud.md names for the person who sends a job.
DATAFLOW = {"dataflow.jobs.create": "roles/dataflow.developer"}
VERTEX = {
    "aiplatform.customJobs.create": "roles/aiplatform.user",
    "logging.logEntries.list": "roles/logging.viewer",
}
BUCKET = {
    "storage.objects.create": "roles/storage.objectUser",
    "storage.objects.get": "roles/storage.objectUser",
    "storage.objects.list": "roles/storage.objectUser",
    "storage.objects.delete": "roles/storage.objectUser",
}
ACT_AS = {"iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser"}
_IMAGE = re.compile(
    # A project of a domain, example.com:lab, is written with / for its colon.
    r"(?P<region>[a-z0-9-]+)-docker\.pkg\.dev/((?P<domain>[^/]+\.[^/]+)/)?(?P<project>[^/]+)/"
    r"(?P<repository>[^/]+)/"
    r"(?P<name>[^:@]+)(?P<mark>[:@])(?P<version>.+)"
)
# Regions of the places that hold a bucket in two; the others are a whole continent.
TWO_REGIONS = {
    "asia1": ("asia-northeast1", "asia-northeast2"),
    "eur4": ("europe-north1", "europe-west4"),
    "eur5": ("europe-west1", "europe-west2"),
    "eur7": ("europe-west2", "europe-west3"),
    "eur8": ("europe-west3", "europe-west6"),
    "nam4": ("us-central1", "us-east1"),
}
_CONTINENTS = {"us": "us-", "eu": "europe-", "asia": "asia-"}
_SECONDS = 20


class Seen(NamedTuple):
    """What is refused, and what could not be looked at; human-readable."""

    refused: list[str]
    unseen: list[str]


def look(cloud: Cloud, credentials: Any, endpoint: str | None, roles: dict[str, str]) -> Seen:
    """Asks the services for what a job needs.

    Args:
      endpoint: of a stand-in on this machine, which answers for all services.
      roles: by permissions in the project that who sends the job needs.
    """
    from google.auth.transport.requests import AuthorizedSession
    from requests import Session

    stand_in = is_stand_in(endpoint)
    with Session() if stand_in else AuthorizedSession(credentials) as session:
        asked = _Asked(session, endpoint if stand_in else None)
        return Seen(
            [why for check in _CHECKS for why in check(asked, cloud)]
            + list(
                _roles(
                    asked, PROJECTS, f"/v1/projects/{_quoted(cloud.project)}", roles, cloud.project
                )
            ),
            asked.unseen,
        )


class _Asked:
    """Answers of the services; those that refuse to say are listed in `unseen`."""

    def __init__(self, session: Any, stand_in: str | None):
        self._session, self._stand_in = session, stand_in
        self.unseen: list[str] = []

    def __call__(
        self, service: str, path: str, what: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The answer; an empty one if there is no such thing, None if it is not known."""
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        address = f"{self._stand_in or service}{path}"
        try:
            if body is None:
                answer = self._session.get(address, timeout=_SECONDS)
            else:
                answer = self._session.post(address, json=body, timeout=_SECONDS)
            if answer.status_code == 404:
                return {}
            if answer.ok:
                return answer.json()
            why = f"the service answers {answer.status_code}"
        except (GoogleAuthError, RequestException, ValueError) as error:
            why = str(error).splitlines()[0][:200]
        self.unseen.append(f"{what}: {why}")
        return None


def _bucket(asked: _Asked, cloud: Cloud) -> list[str]:
    name = cloud.bucket.removeprefix("gs://").partition("/")[0]
    about = asked(STORAGE, f"/storage/v1/b/{name}", f"the bucket {name}")
    if about is None:
        return []
    if not about:
        return [f"bucket: gs://{name} does not exist, or this account may not see it."]
    found = []
    location = str(about.get("location", "")).lower()
    if not _is_near(cloud.region, location, about.get("customPlacementConfig")):
        found.append(
            f"bucket: gs://{name} is in {location} and the jobs in {cloud.region}: each byte would "
            "be paid for. Choose the bucket's region, or another bucket."
        )
    query = urllib.parse.urlencode([("permissions", one) for one in BUCKET])
    path = f"/storage/v1/b/{name}/iam/testPermissions?{query}"
    held = asked(STORAGE, path, f"what this account may do in gs://{name}")
    return found + _missing(held, BUCKET, f"gs://{name}")


def _is_near(region: str, location: str, placement: Any) -> bool:
    """Whether a bucket is in a region, or in several that it is one of."""
    chosen = placement.get("dataLocations", ()) if isinstance(placement, dict) else ()
    if chosen:
        return region in [str(one).lower() for one in chosen]
    if location in _CONTINENTS:
        return region.startswith(_CONTINENTS[location])
    return region in TWO_REGIONS.get(location, (location,))


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _image(asked: _Asked, cloud: Cloud) -> list[str]:
    match = _IMAGE.fullmatch(cloud.image)
    if match is None:
        asked.unseen.append(f"the image {cloud.image}: not in Artifact Registry")
        return []
    project = f"{match['domain']}:{match['project']}" if match["domain"] else match["project"]
    base = (
        f"/v1/projects/{_quoted(project)}/locations/{match['region']}/repositories/"
        f"{match['repository']}/packages/{_quoted(match['name'])}"
    )
    kind = "tags" if match["mark"] == ":" else "versions"
    about = asked(REGISTRY, f"{base}/{kind}/{match['version']}", f"the image {cloud.image}")
    if about == {}:
        return [f"image: {cloud.image} does not exist. docs/cloud.md, part 2, builds it."]
    return []


def _account(asked: _Asked, cloud: Cloud) -> list[str]:
    if cloud.service_account is None:
        return []
    path = f"/v1/projects/-/serviceAccounts/{cloud.service_account}"
    return list(_roles(asked, ACCOUNTS, path, ACT_AS, cloud.service_account))


def _roles(asked: _Asked, service: str, path: str, roles: dict[str, str], where: str) -> list[str]:
    body = {"permissions": list(roles)}
    held = asked(service, f"{path}:testIamPermissions", f"this account's roles on {where}", body)
    return _missing(held, roles, where)


def _missing(held: dict[str, Any] | None, roles: dict[str, str], where: str) -> list[str]:
    """Lines of the roles of which a permission is missing."""
    if held is None:
        return []
    lacking = [one for one in roles if one not in held.get("permissions", ())]
    wanted: dict[str, list[str]] = {}
    for one in lacking:
        wanted.setdefault(roles[one], []).append(one)
    return [
        f"roles: this account lacks {', '.join(ones)} on {where}: it needs {role} there."
        for role, ones in wanted.items()
    ]


_CHECKS: Sequence[Callable[[_Asked, Cloud], list[str]]] = (_bucket, _image, _account)
