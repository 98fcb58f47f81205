"""Messages say one problem and two problems."""

import pytest

from beampose.core.wording import agreed, counted


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (1, "problem", "1 problem"),
        (0, "problem", "0 problems"),
        (2, "augmented copy", "2 augmented copies"),
        (3, "box", "3 boxes"),
        (5, "switch", "5 switches"),
        (2, "day", "2 days"),
        (1000, "frame", "1000 frames"),
    ],
)
def test_a_noun_follows_its_count(count, noun, said):
    assert counted(count, noun) == said


def test_a_verb_follows_its_count():
    assert [agreed(one, "are") for one in (0, 1, 2)] == ["are", "is", "are"]
    assert [agreed(1, verb) for verb in ("have", "hold", "lie")] == ["has", "holds", "lies"]
