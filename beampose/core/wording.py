"""Counts with their nouns, as messages say them, and the first of many names."""

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """Returns the count and its noun, such as "1 labeled image" or "3 labeled images".

    Args:
        count: how many there are.
        noun: the noun in the singular, with what stands before it.
    """
    return f"{count} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Returns the plural of a noun that follows the rules: copies, boxes, switches, frames."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "s", "ch", "sh")) else f"{noun}s"


def agreed(count: int, verb: str) -> str:
    """Returns the verb as it follows a count: `agreed(1, "are")` is "is"."""
    return verb if count != 1 else {"are": "is", "have": "has"}.get(verb, f"{verb}s")


def listed(names: Sequence[str], most: int) -> str:
    """Returns the first names and how many follow, such as "nose, ear and 3 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
