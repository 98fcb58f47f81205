"""Says what a file is that was taken for another: by its first bytes, for errors."""

# Looked at; DICOM's sign stands behind 128 bytes of anything.
BEGINNING = 512
H5 = "an h5 file"
MATLAB = "a file of MATLAB"
HEIC = "a HEIC photograph"
MP4 = "an MP4 or QuickTime film"
_LFS = "a pointer of Git LFS, which stands for a file that was not fetched: `git lfs pull` does"
_ANNEX = (
    "a pointer of git-annex, which stands for a file that was not fetched: `git annex get` does"
)
_PAGE = "a web page, as a download that needs a login leaves"
_SIGNS = (
    (0, b"version https://git-lfs.github.com/spec/", _LFS),
    (0, b"/annex/objects/", _ANNEX),
    (0, b"\x1f\x8b\x08", "packed by gzip: unpack it"),
    (0, b"BZh", "packed by bzip2: unpack it"),
    (0, b"\xfd7zXZ\0", "packed by xz: unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (0, b"PK\x03\x04", "a zip, or a workbook of a spreadsheet program (.xlsx)"),
    (0, b"\xd0\xcf\x11\xe0", "a workbook of an older spreadsheet program (.xls)"),
    (0, b"\x89HDF\r\n\x1a\n", H5),
    (0, b"%PDF", "a PDF"),
    (0, b"bplist00", "a property list of macOS"),
    (0, b"\x89PNG\r\n", "a PNG"),
    (0, b"\xff\xd8\xff", "a JPEG"),
    (0, b"GIF8", "a GIF"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (0, b"\x93NUMPY", "an array of NumPy"),
    (0, b"MATLAB ", MATLAB),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM film"),
    (8, b"WEBP", "a WebP"),
    (8, b"AVI ", "an AVI film"),
    *((4, b"ftyp" + brand, HEIC) for brand in (b"heic", b"heix", b"heim", b"heis")),
    *((4, b"ftyp" + brand, HEIC) for brand in (b"hevc", b"hevx", b"mif1", b"msf1")),
    (4, b"ftypavif", "an AVIF"),
    (4, b"ftypavis", "an AVIF"),
    (4, b"ftyp", MP4),
    (128, b"DICM", "a DICOM file"),
)


def is_blank(data: bytes) -> bool:
    """Whether a file is empty or begins with zeros that are no sign of a kind: one that a cloud
    drive has not downloaded, or a copy that did not end."""
    return not data[:64].strip(b"\0") and not name(data)


def name(data: bytes) -> str:
    """What a file is by its first bytes, as an error says it; "" if they do not tell."""
    for at, sign, what in _SIGNS:
        if data[at : at + len(sign)] == sign:
            return what
    start = data[:BEGINNING].lstrip().lower()
    return _PAGE if start.startswith((b"<!doctype html", b"<html")) else ""
