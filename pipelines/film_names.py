"""Names under which films keep results, frames and crops: by one rule for every verb.

They are called after the film's file. Where that name belongs to another film, or to what this one
held before it was changed, the beginning of the film's fingerprint follows: `trial-1a2b3c4d`.
A name that a film has already stays its own. A name with which its files would be too long for the
system is cut, and the beginning of a digest of it follows.
"""

import contextlib
import hashlib
import logging
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from beampose.core import artefacts, files, fingerprints, storage
from beampose.core.infos import FilmInfo
from beampose.core.names import FILM
from beampose.preprocess import film_paths
from beampose.preprocess.film_paths import FilmPath
from beampose.preprocess.stills import Stills

LOG = logging.getLogger(__name__)
# Stands for the fingerprint of a film that was not read yet.
LATER = "later"
# Films of a bucket that are read at the same time.
_READ = 16
# Digits of the fingerprint in a name; more where those are taken too.
_DIGITS = (8, 16, 32)
# Bytes of a name: results add a scorer and an ending, and systems take 255.
_LONGEST = 150
# How sure it is that a name belongs to a film.
_OURS, _PROBABLY, _NOT = 2, 1, 0


class Film(NamedTuple):
    """A film and the name of its results.

    Attributes:
      fingerprint: of its content; empty if the file is not there, `LATER` if it was not read.
      problem: why its results cannot be told from those of others; empty if they can.
      stills: the images, where it is a set of photographs.
    """

    name: str
    path: str
    fingerprint: str = ""
    problem: str = ""
    stills: Stills | None = None


class Owner(NamedTuple):
    """The film a name belongs to, as far as it was written down.

    Attributes:
      fingerprint: empty in what was made before November 2026.
      bytes: of the file; 0 if not known.
      by_path: only the same path is taken for the same film if there is no fingerprint.
      lies_there: says whether a set of photographs is where it was; None of a film, which is one
        file.
      told: as labels named it.
    """

    video: str
    fingerprint: str = ""
    bytes: int = 0
    by_path: bool = False
    lies_there: Callable[[], bool] | None = None
    told: FilmPath | None = None


class Known(Protocol):
    """The names of a folder: of predictions, of labeled frames, of crops."""

    def owners(self, name: str) -> list[Owner]:
        """Films whose results have a name; none where it is free."""
        ...

    def names(self, path: str) -> Iterable[str]:
        """Names that are there and may be of a film of this path, whichever rule made them."""
        ...

    def everything(self) -> Iterable[tuple[str, Owner]]:
        """All names that are there, with the film of each that was written down."""
        ...


class _Wanted(NamedTuple):
    path: str
    fingerprint: str
    bytes: int
    stem: str
    told: FilmPath | None = None

    @property
    def plain(self) -> str:
        """The stem, as far as it is not too long; with `_` for what hides a folder, or names an
        image inside another file."""
        stem = files.INSIDE.sub(r"_\1=", self.stem)
        stem = f"_{stem[1:]}" if stem.startswith(".") else stem
        data = os.fsencode(stem)
        if len(data) <= _LONGEST:
            return stem
        cut = data[: _LONGEST - _DIGITS[0] - 1].decode("utf-8", "ignore")
        return f"{cut}-{hashlib.sha256(data).hexdigest()[: _DIGITS[0]]}"

    def names(self) -> Iterator[str]:
        """Names it may get, the plain one first."""
        yield self.plain
        code = self.fingerprint or hashlib.sha256(os.fsencode(self.path)).hexdigest()
        yield from (f"{self.plain}-{code[:digits]}" for digits in _DIGITS)


def assign(
    paths: Sequence[str | Stills | FilmPath],
    known: Known,
    *,
    replace: bool = False,
    later: bool = False,
) -> list[Film]:
    """Films with their names. Of one content and one stem there is one film, the first.

    What is guessed, and every name that is not the plain one, is told in the log.

    Args:
      paths: absolute; those that are not there get a name too. Sets of photographs stand for films.
        Of a film of labels that was not found only its path in them says which it is.
      replace: a film that was changed takes the name of what it held before.
      later: films of buckets need not be read where their names alone tell them apart.
    """
    later = later and _plain(paths) and next(iter(known.everything()), None) is None
    wanted, taken = _distinct(paths, later), set[str]()
    found: dict[str, Film] = {}
    sets = {one.path: one for one in paths if isinstance(one, Stills)}
    for one in wanted:
        if one.path in sets and (name := sets[one.path].owns):
            found[one.path] = Film(name, one.path, one.fingerprint)
            taken.add(_folded(name))
    # Names that are theirs already come first, whatever the order of the films.
    for sure in (_OURS, _PROBABLY, _NOT):
        for one in (w for w in wanted if w.path not in found):
            if sure:
                film = _claim(one, known, taken, sure) if one.fingerprint or one.told else None
            else:
                find = _renamed if one.fingerprint else _nothing if one.told else _absent
                film = find(one, known, taken) or _new(one, known, taken, replace)
            if film is not None:
                found[one.path] = film
                taken.add(_folded(film.name))
    return [found[one.path]._replace(stills=sets.get(one.path)) for one in wanted]


def record(folder: storage.Address, film: Film, named: FilmPath | None = None) -> None:
    """Writes down which film the content of a folder is from, and how labels name it."""
    file = storage.place(folder, FILM)
    before = artefacts.find_info(file, FilmInfo)
    # Of a film that is where the labels say it is, the path of the video is that.
    says = named if named and not (film.fingerprint and named.told == film.path) else None
    told = {"told": says.told, "frames": says.frames} if says else {}
    known = before is not None and before.fingerprint == film.fingerprint
    if before is not None and (known or (named and not film.fingerprint)):
        if told and not before.told:
            artefacts.write_info(file, before.replace(**told))
        return
    size = files.size(film.path) if film.fingerprint and files.exists(film.path) else 0
    info = FilmInfo(video=film.path, fingerprint=film.fingerprint, bytes=size)
    artefacts.write_info(file, info.replace(**told))


def recorded(folder: storage.Address) -> list[Owner]:
    """The film a folder's content is from; empty if nobody wrote it down."""
    said = artefacts.find_info(storage.place(folder, FILM), FilmInfo)
    if said is None:
        return []
    by_path = bool(said.told) and not said.fingerprint
    told = FilmPath(said.told, frames=said.frames) if said.told else None
    return [Owner(said.video, said.fingerprint, said.bytes, by_path, told=told)]


def _plain(paths: Sequence[str | Stills | FilmPath]) -> bool:
    """Whether each film has a name of its own."""
    stems = [one.name if isinstance(one, Stills) else files.stem(_path(one)) for one in paths]
    names = [_folded(stem) for stem in stems]
    return len(set(names)) == len(names)


def _path(film: str | FilmPath) -> str:
    return film if isinstance(film, str) else film.found or film.told


def _distinct(paths: Sequence[str | Stills | FilmPath], later: bool) -> list[_Wanted]:
    """Films that are there or not, each content of a stem once."""
    there = [one.found if isinstance(one, FilmPath) else one for one in dict.fromkeys(paths)]
    sizes = files.sizes([path for path in there if isinstance(path, str) and path])

    def wanted(film: str | Stills | FilmPath) -> _Wanted:
        if isinstance(film, Stills):
            return _Wanted(film.path, film.fingerprint, film.bytes, film.name)
        told = film if isinstance(film, FilmPath) else None
        path, fingerprint = _path(film), ""
        if sizes.get(path):
            unread = later and files.is_address(path)
            # One that cannot be read is told where it is opened; the others go on.
            with contextlib.suppress(OSError):
                fingerprint = LATER if unread else fingerprints.of_file(path)
        return _Wanted(path, fingerprint, sizes.get(path, 0), files.stem(path), told)

    found: dict[tuple[str, str], _Wanted] = {}
    with ThreadPoolExecutor(_READ) as pool:
        for one in pool.map(wanted, dict.fromkeys(paths)):
            first = found.setdefault((one.stem, one.fingerprint or one.path), one)
            if first is not one:
                _tell(one.path, f"is the same film as {first.path}, whose results are its own")
    return list(found.values())


def _claim(one: _Wanted, known: Known, taken: set[str], sure: int) -> Film | None:
    """A film with a name that is its own, or that probably is; None if there is no such name."""
    for name in dict.fromkeys([*one.names(), *known.names(one.path)]):
        owners = known.owners(name)
        levels = [_level(one, owner) for owner in owners]
        if _folded(name) in taken or not levels or max(levels) != sure:
            continue
        if sure == _PROBABLY and _NOT in levels:
            continue
        if sure == _PROBABLY:
            alike = "by its name and length" if one.fingerprint else "by its name"
            what = f"was not recorded; taken to be those of this film {alike}"
            _tell(one.path, f"which film the earlier files called {name} belong to {what}")
        return Film(name, one.path, one.fingerprint)
    return None


def _renamed(one: _Wanted, known: Known, taken: set[str]) -> Film | None:
    """A film that had another name when something was made of it, with the name of that.

    Where a file of that name, or the set of photographs, is still there it is a copy, and both have
    names of their own.
    """
    for name, owner in known.everything():
        same = owner.fingerprint == one.fingerprint and _folded(name) not in taken
        if same and not _lies_there(owner):
            _tell(one.path, f"was {owner.video} when {name} was made of it, and is called so still")
            return Film(name, one.path, one.fingerprint)
    return None


def _lies_there(owner: Owner) -> bool:
    return owner.lies_there() if owner.lies_there else bool(_bytes(owner.video))


def _level(one: _Wanted, owner: Owner) -> int:
    """How sure it is that a film is an owner."""
    if owner.fingerprint and one.fingerprint:
        return _OURS if owner.fingerprint == one.fingerprint else _NOT
    if _is_told(one, owner):
        return _OURS
    if not one.fingerprint:
        # Where only paths are known another one is another film.
        return _NOT if owner.video else _PROBABLY
    if owner.fingerprint:
        return _NOT
    same_bytes = owner.bytes in (0, one.bytes)
    if owner.video == one.path:
        return _PROBABLY if same_bytes else _NOT
    if owner.bytes in (0, _bytes(owner.video)) and _bytes(owner.video):
        return _OURS if fingerprints.of_file(owner.video) == one.fingerprint else _NOT
    return _PROBABLY if same_bytes and not owner.by_path else _NOT


def _bytes(path: str) -> int:
    """Size of a file; 0 if it is not there, or is an address that nobody opens."""
    return files.sizes([path])[path]


def _new(one: _Wanted, known: Known, taken: set[str], replace: bool) -> Film:
    """A film with the first name that is free; or that of what it held before."""
    others: list[Owner] = []
    for name in one.names():
        owners = known.owners(name)
        changed = any(owner.video == one.path for owner in owners)
        if _folded(name) not in taken and (not owners or (changed and replace)):
            if name != one.stem:
                _tell(one.path, _why(one, others, name))
            return Film(name, one.path, one.fingerprint)
        others += owners
    raise ValueError(f"{one.path}: all names are taken, from {one.plain} on.")


def _why(one: _Wanted, others: Sequence[Owner], name: str) -> str:
    if not others and name == one.plain:
        return f"has a name that is too long for files made of it, which are called {name}"
    if any(owner.video == one.path for owner in others):
        return (
            f"has changed since {one.plain} was made of it, which stays as it is; what is made of "
            f"it now is called {name}"
        )
    other = next((owner.video for owner in others if owner.video), "")
    by = f", {other}" if other else ""
    return f"{one.plain} belongs to another film of that name{by}; this one is called {name}"


def _nothing(one: _Wanted, known: Known, taken: set[str]) -> Film | None:
    """Of a film that labels name and that is not there no other path is its own."""
    return None


def _absent(one: _Wanted, known: Known, taken: set[str]) -> Film | None:
    """A film that is not there, with the results of that path, or the only ones of its name."""
    names = [name for name in known.names(one.path) if _folded(name) not in taken]
    there = {name: owners for name in names if (owners := known.owners(name))}
    absent = "cannot be read" if files.exists(one.path) else "is not there"
    own = [n for n, owners in there.items() if any(o.video == one.path for o in owners)]
    if len(own or there) > 1:
        several = ", ".join(sorted(own or there))
        problem = f"{absent}, and {several} may belong to it. Name the file of one"
        return Film((own or [*there])[0], one.path, problem=problem)
    if not own and there:
        _tell(one.path, f"{absent}: {next(iter(there))} is taken for its own, by name")
    return Film((own or [*there])[0], one.path) if there else None


def _is_told(one: _Wanted, owner: Owner) -> bool:
    """Whether labels name a film as they named an owner: by one path, with as many frames."""
    if one.told is None or (owner.told is None and one.fingerprint):
        return False
    other = owner.told or FilmPath(owner.video)
    same = film_paths.spelled(one.told.told) == film_paths.spelled(other.told)
    return same and one.told.is_as_long(other.frames)


def _folded(name: str) -> str:
    """A name as file systems compare it that ignore case."""
    return unicodedata.normalize("NFC", name).casefold()


def _tell(path: str, what: str) -> None:
    LOG.warning("NOTE %s: %s", path, what)
