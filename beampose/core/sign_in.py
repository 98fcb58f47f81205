"""What to do where Google knows nobody on this machine."""

import os

COMMAND = "gcloud auth application-default login"


def without(error: Exception, more: str = "") -> str:
    """Says why there are no credentials, and how to get some.

    Args:
      error: of Google's library, that looked for them.
      more: a sentence for those who have none, without credentials.
    """
    file = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if file:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return (
            f"GOOGLE_APPLICATION_CREDENTIALS names {file}, which holds no usable credentials: {why}"
        )
    said = (
        f"This machine has no Google credentials. Run `{COMMAND}`, or set "
        "GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account."
    )
    return f"{said} {more}" if more else said
