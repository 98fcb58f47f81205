"""Questions to a storage that are answered or raise OSError.

fsspec answers that a file is not there where it was refused, or not answered: work that is finished
would be begun anew.
"""

from typing import Any

from fsspec import asyn


class Answering(asyn.AsyncFileSystem):
    """What file systems of buckets have in common; stands before the library's class."""

    async def _kind(self, path: str) -> str | None:
        try:
            about: Any = await self._info(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return about["type"]

    async def _isfile(self, path: str) -> bool:
        return await self._kind(path) == "file"

    async def _isdir(self, path: str) -> bool:
        return await self._kind(path) == "directory"

    async def _exists(self, path: str, **_: Any) -> bool:
        return await self._kind(path) is not None

    async def _expand_path(
        self, path: Any, recursive: bool = False, maxdepth: int | None = None, **_: Any
    ) -> list[str]:
        """Paths as they are: fsspec takes `cam [1]` for a pattern, also in order to remove it."""
        found: set[str] = set()
        for one in [path] if isinstance(path, str) else path:
            place: Any = self._strip_protocol(one)
            if recursive:
                found |= set(await self._find(place, maxdepth=maxdepth, withdirs=True))
            if place not in found and (not recursive or await self._exists(place)):
                found.add(place)
        if not found:
            raise FileNotFoundError(path)
        return sorted(found)
