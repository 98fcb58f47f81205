"""What the accuracy of held-out crops hides: too few of a class, or nearly all of one."""

from collections.abc import Iterator, Sequence

import numpy as np

from beampose.core.infos import Figures
from beampose.core.wording import listed

# Held-out crops of a class that say how many are found. If all of so many are, so are at least 55 %
# of new ones (95 % sure: 0.05 ** (1 / 5)); of fewer, less than half may be.
JUDGED = 5
# Classes that a sentence names.
_NAMED = 5


def doubts(names: Sequence[str], test: Figures) -> Iterator[str]:
    """Sentences on held-out figures, with the remedy; none without held-out crops."""
    if not test.confusion or test.accuracy is None:
        return
    held_out = np.array(test.confusion).sum(axis=1)
    few = [
        f"{names[i]} ({held_out[i]})"
        for i in np.argsort(held_out, kind="stable")
        if held_out[i] < JUDGED
    ]
    if few:
        yield (
            f"Few held-out crops: {listed(few, _NAMED)}. The test accuracy says nothing of "
            f"{'it' if len(few) == 1 else 'them'}. Label more, so that {JUDGED} or more of each "
            "are held out, or judge by `beampose evaluate --folds 5`, which takes all crops."
        )
    largest = float(held_out.max() / held_out.sum())
    if largest < 1 and test.accuracy <= largest:
        # What equal classes lack is not balance.
        equal = ", or set train.balance: 0 if each crop counts the same" if largest >= 0.5 else ""
        yield (
            f"{test.accuracy:.1%} of held-out crops are right, and always saying "
            f"{names[int(held_out.argmax())]} gives {largest:.1%}: `confusion` says what is found "
            f"of the others. Label more of those{equal}."
        )
