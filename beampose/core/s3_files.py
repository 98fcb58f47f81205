"""Files of Amazon S3, and of servers that speak as it does, as s3fs reads them."""

from typing import Any

import s3fs
from botocore import exceptions

from beampose.core.answering import Answering

_SIGN_IN = (
    "No credentials for S3 on this machine: run `aws configure`, or set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY. FSSPEC_S3_ANON=true reads buckets that are open to all"
)
_NOBODY = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.SSOError,
)


class S3(Answering, s3fs.S3FileSystem):
    """s3fs, with questions that are answered or raise OSError with the address in its text."""

    async def _call_s3(self, method: str, *words: Any, **options: Any) -> Any:
        try:
            return await super()._call_s3(method, *words, **options)
        except exceptions.BotoCoreError as error:
            raise OSError(f"{_address(words, options)}: {sentence(error)}") from error
        except OSError as error:
            # Made from S3's answer, which tells no address.
            if error.errno is None:
                error.args = (f"{_address(words, options)}: {error}",)
            else:
                error.filename = _address(words, options)
            raise


def sentence(error: Exception) -> str:
    """Says what an error of Amazon's library means, and what to do."""
    why = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, _NOBODY):
        return f"{_SIGN_IN} ({why})"
    return f"S3 gave no answer but {why}: check the network, or try it again later"


def _address(words: tuple[Any, ...], options: dict[str, Any]) -> str:
    """The file, or the bucket, that a call is about."""
    given: dict[str, Any] = {}
    for one in (*words, options):
        given.update(one if isinstance(one, dict) else {})
    parts = (given.get("Bucket"), given.get("Key") or given.get("Prefix"))
    return f"s3://{'/'.join(str(one) for one in parts if one)}".rstrip("/")
