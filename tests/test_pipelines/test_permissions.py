"""What a job needs in projects, buckets and repositories of every kind."""

import pytest
from cloud_jobs import CLOUD

from beampose.pipelines.cloud import permissions
from beampose.pipelines.cloud.cloud_settings import Cloud


class Asked:
    """Services that know of everything, in a bucket's place; notes what is asked."""

    def __init__(self, **about):
        self.about, self.paths, self.unseen = about, [], []

    def __call__(self, service, path, what, body=None):
        self.paths.append(path)
        return {"permissions": [*permissions.BUCKET], **self.about}


@pytest.mark.parametrize(
    ("region", "about", "near"),
    [
        ("europe-west4", {"location": "EUROPE-WEST4"}, True),
        ("europe-west4", {"location": "EU"}, True),
        ("europe-west4", {"location": "US"}, False),
        ("europe-west4", {"location": "EUR4"}, True),
        ("us-east1", {"location": "NAM4"}, True),
        ("us-west1", {"location": "NAM4"}, False),
        (
            "us-west1",
            {
                "location": "US",
                "customPlacementConfig": {"dataLocations": ["US-EAST1", "US-WEST1"]},
            },
            True,
        ),
        (
            "us-west2",
            {
                "location": "US",
                "customPlacementConfig": {"dataLocations": ["US-EAST1", "US-WEST1"]},
            },
            False,
        ),
    ],
)
def test_a_bucket_is_where_the_jobs_are_or_that_is_said(region, about, near):
    found = permissions._bucket(Asked(**about), Cloud(**{**CLOUD, "region": region}))
    assert [line.startswith("bucket: gs://lab is in ") for line in found] == [True] * (not near)


def test_images_of_a_project_of_a_domain_are_looked_for_in_it():
    base = "europe-west4-docker.pkg.dev"
    for image, path in [
        (f"{base}/example.com/lab/mine/beampose:1", "example.com%3Alab/locations/europe-west4"),
        (f"{base}/my-project/mine/team/beampose:1", "my-project/locations/europe-west4"),
    ]:
        asked = Asked()
        assert permissions._image(asked, Cloud(**{**CLOUD, "image": image})) == []
        (told,) = asked.paths
        assert told.startswith(f"/v1/projects/{path}/repositories/mine/packages/")
