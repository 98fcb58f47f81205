"""Files of web servers, as fsspec reads them."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from fsspec.implementations import http

from beampose.core.answering import Refused, Unanswered, said

_REFUSALS = (401, 403, 407)
_GONE = (404, 410)


class Web(http.HTTPFileSystem):
    """fsspec's, with questions that are answered or raise OSError with the address in its text."""

    async def _exists(self, path: str, strict: bool = False, **options: Any) -> bool:
        # Where it is not strict it takes a server that is down for one without the file.
        asked = super()._exists
        try:
            return await _told(path, lambda: asked(path, strict=True, **options))
        except FileNotFoundError:
            return False

    async def _info(self, url: str, **options: Any) -> dict[str, Any]:
        asked = super()._info
        return await _told(url, lambda: asked(url, **options))

    async def _cat_file(
        self, url: str, start: int | None = None, end: int | None = None, **options: Any
    ) -> bytes:
        asked = super()._cat_file
        return await _told(url, lambda: asked(url, start=start, end=end, **options))

    async def _get_file(self, rpath: str, lpath: Any, **options: Any) -> None:
        asked = super()._get_file
        await _told(rpath, lambda: asked(rpath, lpath, **options))

    async def _ls(self, url: str, detail: bool = True, **options: Any) -> list[Any]:
        asked = super()._ls
        return await _told(url, lambda: asked(url, detail=detail, **options))

    async def _put_file(self, lpath: Any, rpath: str, **options: Any) -> None:
        raise _read_only(rpath)

    async def _pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        raise _read_only(path)


async def _told(url: str, ask: Callable[[], Awaitable[Any]]) -> Any:
    """What a request gives, or OSError that names its address."""
    try:
        return await ask()
    except FileNotFoundError as error:
        # Fsspec says so of every question for a file's size that failed.
        if isinstance(error.__cause__, (aiohttp.ClientError, TimeoutError)):
            raise _meaning(url, error.__cause__) from error
        raise
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _meaning(url, error) from error


def _meaning(url: str, error: Exception) -> OSError:
    status = error.status if isinstance(error, aiohttp.ClientResponseError) else 0
    if status in _GONE:
        return FileNotFoundError(url)
    if status in _REFUSALS:
        return Refused(f"{url}: the server wants a login (it answers {status}): download it first")
    if isinstance(error, aiohttp.InvalidURL):
        return OSError(f"{url}: is no address of a web server")
    why = f"answers {status}" if status else said(error) or "did not answer in time"
    return Unanswered(f"{url}: {why}: check the address and the network, or try it again later")


def _read_only(url: str) -> OSError:
    return PermissionError(f"{url}: web addresses are only read: write to a folder or a bucket")
