"""Texts from strangers: files whose encoding is known, or refused; what is shown of them."""

import unicodedata

from beampose.core import file_kinds

UTF8 = "utf-8-sig"
WINDOWS = "cp1252"
# That of UTF-32 begins as that of UTF-16 does.
_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# Control characters, ends of lines and paragraphs, halves of letters (bytes of no known letter).
_NO_LETTERS = ("Cc", "Zl", "Zp", "Cs")
# Marks that turn the direction of writing.
_TURNS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Bytes looked at for zeros, of which a text in UTF-8 has none.
_BEGINNING = 256


def encoding(data: bytes) -> str | None:
    """The encoding of a text if its bytes say so: UTF-8, or that of its mark; else None."""
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    try:
        data.decode(UTF8)
    except UnicodeDecodeError:
        return None
    return UTF8


def looks_western(data: bytes) -> bool:
    """Returns True if a text makes sense as Windows-1252: what is not ASCII are letters.

    Bytes of a Chinese, Japanese or Cyrillic code page become signs among letters by it.
    """
    try:
        text = data.decode(WINDOWS)
    except UnicodeDecodeError:
        return False
    return all(unicodedata.category(sign)[0] == "L" for sign in text if sign > "\x7f")


def is_text(name: str) -> bool:
    """Returns False for a name of a file that is bytes in no encoding, which cannot be written."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def decode(data: bytes, also: str | None = None, *, table: bool = True) -> str:
    """The text of a file.

    Args:
      table: whether spreadsheet programs write such files, so that an error names what they say.
      also: an encoding that may be taken if the bytes are not UTF-8, such as that of a file beside
        it, written by the same program.

    Raises:
      ValueError: neither; the text says which line and what to do.
    """
    if what := file_kinds.name(data):
        raise ValueError(f"is {what}")
    known = encoding(data)
    zeros = data[:_BEGINNING].count(0)
    if (known == UTF8 and zeros > len(data[:_BEGINNING]) // 4) or (known is None and zeros):
        raise ValueError(
            f"is no text, or one in UTF-16 without the mark that says so: {_again(table)}"
        )
    if known is None and also and (also != WINDOWS or looks_western(data)):
        known = also
    try:
        return data.decode(known or UTF8)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = data[error.start : error.start + 1].hex()
        raise ValueError(
            f"is not UTF-8 (line {line} has the byte 0x{found}), so its letters are not known: "
            f"{_again(table)}"
        ) from None


def _again(table: bool) -> str:
    called = " (spreadsheet programs call it 'CSV UTF-8')" if table else ""
    return f"save it again as UTF-8{called}"


def unnameable(path: str) -> str:
    """Why a file of such a name cannot be used; empty if it can."""
    return "" if is_text(path) else f"{printable(path)} has a name in no known encoding: rename it"


def printable(text: str) -> str:
    """A text as one line of a terminal: ends of lines and what moves the cursor, colours, hides or
    turns letters is written as Python does, such as \\n and \\x1b."""
    if text.isprintable():
        return text
    return "".join(one.encode("unicode_escape").decode() if _moves(one) else one for one in text)


def _moves(letter: str) -> bool:
    return unicodedata.category(letter) in _NO_LETTERS or letter in _TURNS
