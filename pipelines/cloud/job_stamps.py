"""What tells one job from the others: the time of day, and a few letters by chance."""

import secrets
import time


def stamp() -> str:
    """Digits and dashes that no other job has, even one that is sent within the same second."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
