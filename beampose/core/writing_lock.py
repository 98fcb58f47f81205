"""Of several programs that show or change one project's labels, only one writes into it."""

import contextlib
import os
from collections.abc import Iterator

from beampose.core import files, folder_lock

FILE = ".beampose-label.lock"
_END_OTHER = (
    " End `beampose label` there, or wait until the other command has ended, and run this again."
)


class WritingLock:
    """Held by the first program that asks; the system frees it when that ends, however it ends.

    Attributes:
      why: reason why this program may not write; empty if it may.
      refused: the system's error, if that is the reason and no other program.
    """

    def __init__(self, root: str):
        self._guard = folder_lock.guard_of(files.join(root, FILE))
        # Of disks that know no locks nobody can say whether another program writes.
        self._root, self.why, self._without = root, "", False
        self.refused: OSError | None = None
        self.try_again()

    def try_again(self) -> bool:
        """Takes the lock if it is free by now. Returns True if it is held."""
        if self._guard.is_locked or self._without:
            return True
        try:
            self._without = not folder_lock.take(self._guard)
            self.why, self.refused = "", None
        except TimeoutError:
            self.refused = None
            self.why = f"another program writes labels into {self._root}"
        except OSError as error:
            self.refused = error
            self.why = f"{self._root} cannot be written to: {error.strerror or error}"
        return self._guard.is_locked or self._without

    def require(self) -> None:
        """Raises PermissionError if another program holds it."""
        if not self.try_again():
            raise PermissionError(f"Nothing was changed: {self.why}.")

    def release(self) -> None:
        self._guard.release()


@contextlib.contextmanager
def alone(root: str) -> Iterator[None]:
    """Keeps other programs from writing labels into a project meanwhile; the folder is made.

    One that reads labels, adds to them and writes them would else write over what a labeling page
    saved in between. In a bucket there is no such lock.

    Raises:
      PermissionError: another program writes there.
      OSError: the folder cannot be written to.
    """
    if files.is_address(root):
        yield
        return
    new = not files.exists(root)
    os.makedirs(root, exist_ok=True)
    lock = WritingLock(root)
    try:
        if lock.refused:
            raise OSError(lock.refused.errno, lock.refused.strerror, root)
        if lock.why:
            raise PermissionError(f"Nothing was changed: {lock.why}.{_END_OTHER}")
        yield
    finally:
        lock.release()
        if new and os.listdir(root) == [FILE]:
            os.unlink(os.path.join(root, FILE))
            os.rmdir(root)
