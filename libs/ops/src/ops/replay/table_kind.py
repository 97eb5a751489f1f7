"""What a file is by its first bytes, when it is no table of text."""

GZIP = b"\x1f\x8b"
_EXCEL = "an Excel workbook, not a CSV file: save the sheet as CSV in UTF-8"
_KINDS = (
    (GZIP, "gzip within gzip: unpack it once"),
    (b"\xd0\xcf\x11\xe0", _EXCEL),
    (b"%PDF", "a PDF, not a CSV file"),
    (b"PAR1", "a Parquet file, not a CSV file"),
    (b"SQLite format 3\0", "an SQLite database, not a CSV file"),
    (b"BZh", "packed with bzip2: unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "packed with xz: unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf\x27\x1c", "packed with 7-Zip: unpack it, or pack it with gzip"),
)
_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def not_a_table(head: bytes, encoding: str) -> str:
    """Why a file that begins like this is no text in the encoding, in a sentence; empty when it may be."""
    if head.startswith(b"PK\x03\x04"):
        return _EXCEL if b"xl/" in head or b"[Content_Types].xml" in head else "a zip archive, not a CSV file: unpack it"
    for begins, kind in _KINDS:
        if head.startswith(begins):
            return kind
    if encoding.startswith(("utf-16", "utf-32")):
        return ""
    for mark, found in _MARKS:
        if head.startswith(mark):
            return f"the file is in {found}: declare encoding: {found} in the mapping, or save it in UTF-8"
    if b"\0" in head.partition(b"\n")[0]:
        return "the first line has NUL characters, so this is no text in a usual encoding: save it as CSV in UTF-8"
    return ""
