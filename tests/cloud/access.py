"""What Google's services tell of a bucket, an image, an account and roles; a mixin of stand-ins."""

import re

from cloud.server import Answer, Request, error, not_found

BUCKET = re.compile(r"/storage/v1/b/([^/]+)(/iam/testPermissions)?$")
TAG = re.compile(r"/v1/projects/[^/]+/locations/[^/]+/repositories/[^/]+/packages/[^/]+/tags/(.+)$")
ROLES = re.compile(r"/v1/projects/([^/:]+)(/serviceAccounts/[^:]+)?:testIamPermissions$")


class Access:
    """Everything is there and allowed, but for what a test takes away.

    Attributes:
      location: of all buckets.
      tags: of images that exist; None: all.
      denied: permissions that the caller lacks.
      silent: services that do not answer this caller: storage, registry, roles.
    """

    def __init__(self):
        self.location = "EUROPE-WEST4"
        self.tags: set[str] | None = None
        self.denied: set[str] = set()
        self.silent: set[str] = set()

    def about(self, request: Request) -> Answer | None:
        """The answer, if that is what is asked."""
        if match := BUCKET.match(request.path):
            if "storage" in self.silent:
                return error(403, "PERMISSION_DENIED", "no")
            if match[2]:
                return self._held(request.all["permissions"])
            return Answer({"name": match[1], "location": self.location})
        if match := TAG.match(request.path):
            if "registry" in self.silent:
                return error(403, "PERMISSION_DENIED", "no")
            known = self.tags is None or match[1] in self.tags
            return Answer({"name": match[1]}) if known else not_found(match[1])
        if ROLES.match(request.path):
            if "roles" in self.silent:
                return error(403, "PERMISSION_DENIED", "no")
            return self._held(request.json()["permissions"])
        return None

    def _held(self, asked: list[str]) -> Answer:
        held = [one for one in asked if one not in self.denied]
        return Answer({"permissions": held} if held else {})
