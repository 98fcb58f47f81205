"""Files of Amazon S3, and of servers that speak as it does, as s3fs reads them."""

import errno
from typing import Any

import s3fs
from botocore import exceptions
from fsspec import asyn

from beampose.core.answering import Answering, Refused, Unanswered, is_foreign, no_bucket, said

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
# What s3fs makes of answers of a server that is down, has too much to do, or fails.
_DOWN = (errno.EBUSY, errno.EIO, getattr(errno, "EREMOTEIO", errno.EIO), errno.ENOSYS)
# Headers that it sends with each answer; servers that speak as it does send some, too.
_OWN = ("x-amz",)


class S3(Answering, s3fs.S3FileSystem):
    """s3fs, with questions that are answered or raise OSError with the address in its text."""

    async def _call_s3(self, method: str, *words: Any, **options: Any) -> Any:
        address = _address(words, options)
        try:
            answer = await super()._call_s3(method, *words, **options)
        except exceptions.BotoCoreError as error:
            raise Unanswered(f"{address}: {sentence(error)}") from error
        except PermissionError as error:
            said = (error.strerror or str(error)).rstrip(".")
            what = "sign in again if the credentials are old, or ask its owner for the right to it"
            raise Refused(f"{address}: {said}: {what}") from error
        except OSError as error:
            if error.errno in _DOWN or isinstance(error, (TimeoutError, ConnectionError)):
                why = Exception(error.strerror or str(error))
                raise Unanswered(f"{address}: {sentence(why)}") from error
            # Made from S3's answer, which tells no address.
            if error.errno is None:
                error.args = (f"{address}: {error}",)
            else:
                error.filename = address
            raise
        about = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
        if is_foreign(about.get("HTTPHeaders", {}), _OWN):
            raise Unanswered(
                f"{address}: S3 answered with a web page: does this network need a login?"
            )
        return answer

    async def _require_bucket(self, bucket: str) -> None:
        """Raises FileNotFoundError if there is no such bucket."""
        try:
            await self._call_s3("head_bucket", Bucket=bucket)
        except FileNotFoundError as error:
            raise FileNotFoundError(no_bucket(f"s3://{bucket}")) from error

    require_bucket = asyn.sync_wrapper(_require_bucket)


def sentence(error: Exception) -> str:
    """Says what an error of Amazon's library means, and what to do."""
    why = said(error)
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
