"""Of several programs that show one project, only one writes into it."""

from beampose.core import files, folder_lock

FILE = ".beampose-label.lock"


class WritingLock:
    """Held by the first program that asks; the system frees it when that ends, however it ends.

    Attributes:
      why: reason why this program may not write; empty if it may.
    """

    def __init__(self, root: str):
        self._guard = folder_lock.guard_of(files.join(root, FILE))
        # Of disks that know no locks nobody can say whether another program writes.
        self._root, self.why, self._without = root, "", False
        self.try_again()

    def try_again(self) -> bool:
        """Takes the lock if it is free by now. Returns True if it is held."""
        if self._guard.is_locked or self._without:
            return True
        try:
            self._without = not folder_lock.take(self._guard)
            self.why = ""
        except TimeoutError:
            self.why = f"another program writes labels into {self._root}"
        except OSError as error:
            self.why = f"{self._root} cannot be written to: {error.strerror or error}"
        return self._guard.is_locked or self._without

    def require(self) -> None:
        """Raises PermissionError if another program holds it."""
        if not self.try_again():
            raise PermissionError(f"Nothing was changed: {self.why}.")

    def release(self) -> None:
        self._guard.release()
