"""When a photograph was taken, by what cameras write."""

import pytest

from beampose.preprocess import exif


@pytest.mark.parametrize(
    ("told", "time"),
    [
        ("2026:05:01 06:30:00", "2026-05-01T06:30:00"),
        ("2026-05-01T06:30:00", "2026-05-01T06:30:00"),
        ("2026:12:31 24:00:00", "2027-01-01T00:00:00"),
        *((wrong, "") for wrong in ("2026:00:00 00:00:00", "2026:13:45 25:61:61")),
        *((wrong, "") for wrong in ("2026:02:30 06:30:00", "2026:05:01 24:00:01")),
        *((wrong, "") for wrong in ("0000:00:00 00:00:00", "9999:12:31 24:00:00", "", None)),
    ],
)
def test_what_is_no_time_of_any_day_is_no_time(told, time):
    assert exif.clock(told) == time
