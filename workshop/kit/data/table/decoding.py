"""The text of a file, whatever its encoding; files that are no text are named."""

import re
from pathlib import Path

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

# UTF-32's mark begins with UTF-16's.
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_FORMATS = (
    (b"PK\x03\x04", "a workbook or a zip archive: save its sheet as CSV, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "a workbook: save its sheet as CSV"),
    (b"\x1f\x8b", "a gzip archive: unpack it"),
    (b"BZh", "a bzip2 archive: unpack it"),
    (b"\xfd7zXZ", "an xz archive: unpack it"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"Rar!", "a rar archive: unpack it"),
    (b"%PDF", "a PDF: save the table as CSV"),
    (b"\x89PNG", "an image: save the table as CSV"),
    (b"\xff\xd8\xff", "an image: save the table as CSV"),
    (b"PAR1", "a Parquet file: save the table as CSV"),
    (b"\x89HDF", "an HDF5 file: save the table as CSV"),
    (b"SQLite format 3", "a database: save the table as CSV"),
)
_TEXT_FORMATS = (
    (r"<!doctype html|<html|<head|<body", "a web page: download the file itself, at GitHub by its button Raw"),
    (r"<\?xml|<svg", "XML: save the table as CSV"),
    (r"\{\s*[\"}]|\[\s*[\[{]", "JSON: save the table as CSV"),
    (r"version https://git-lfs", "only a pointer of Git LFS to the file: download the file itself"),
    (r"(%[^\n]*\s+)*@relation\b", "an ARFF file: save the table as CSV"),
    (r"\{\\rtf", "a document: save the table as CSV"),
)
_NOT_TEXT = "is not a text file: save the sheet as CSV"
_SAMPLE = 50_000  # bytes tell the encoding
# The encodings whose letters have bytes of their own all over the upper half, which tells them from Western Europe's.
_NAMES_OF_EASTERN = (
    "big5 big5hkscs cp932 cp936 cp949 cp950 cp1251 cp1253 cp1255 cp1256 euc_jp euc_kr gb18030 gb2312 gbk johab koi8_r "
    "koi8_u shift_jis shift_jis_2004 shift_jisx0213 mac_cyrillic iso8859_5 iso8859_7 cp874 tis_620"
)
_EASTERN = frozenset(_NAMES_OF_EASTERN.split())


def read(path: FilePath) -> tuple[str, str]:
    """Returns the text of a CSV file as `decode` does; raises WorkshopError where there is none."""
    if Path(path).is_dir():
        raise WorkshopError(f"{path} is a folder, takes a CSV file")
    return decode(files.read_bytes(path, advice="give the path of a CSV file"), path)


def decode(content: bytes, path: FilePath) -> tuple[str, str]:
    """Returns the text of a file, and its encoding where that is not UTF-8.

    Raises:
        WorkshopError: it is no text.
    """
    for mark, what in _FORMATS:
        if content.startswith(mark):
            raise WorkshopError(f"{path} is not a text file but {what}")
    text, encoding = _decode(content, path)
    start = text[:2000].lstrip().lower()
    for pattern, what in _TEXT_FORMATS:
        if re.match(pattern, start):
            raise WorkshopError(f"{path} is no CSV file but {what}")
    # Excel under DOS ended a file with this sign.
    return text.rstrip("\x1a"), encoding


def _decode(content: bytes, path: FilePath) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding), encoding.upper()
            except UnicodeDecodeError as error:
                raise WorkshopError(f"{path} is not whole {encoding.upper()} text (byte {error.start})") from error
    if b"\0" in content:
        return _decode_unmarked(content, path)
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        if any(byte < 32 and byte not in b"\t\n\r\f\v\x1a\x1b" for byte in content[:_SAMPLE]):
            raise WorkshopError(f"{path} {_NOT_TEXT}") from error
    # UTF-8 with a broken letter, as where texts were cut, is still that.
    repaired = content.decode("utf-8-sig", errors="replace")
    broken = repaired.count("\N{REPLACEMENT CHARACTER}")
    if sum(not letter.isascii() for letter in repaired) > 3 * broken:
        return repaired, f"UTF-8 with {broken} broken letters"
    encoding = _eastern(content[:_SAMPLE])
    if encoding:
        return content.decode(encoding, errors="replace"), encoding
    try:
        return content.decode("cp1252"), "Windows-1252 (Latin-1)"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "Latin-1"


def _decode_unmarked(content: bytes, path: FilePath) -> tuple[str, str]:
    """Returns UTF-16 without a mark: every second byte of a table's text is 0."""
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(content) % 2 == 0 and content[start::2].count(0) > 0.7 * len(content) / 2:
            try:
                text = content.decode(encoding)
            except UnicodeDecodeError:
                continue
            if "\0" not in text:
                return text, encoding.upper()
    raise WorkshopError(f"{path} {_NOT_TEXT}")


def _eastern(content: bytes) -> str:
    """Returns the encoding of a text in letters that are not Western Europe's, or nothing.

    Accents stand alone between plain letters; such letters stand together.
    """
    upper = sum(byte > 127 for byte in content)
    together = sum(len(run) for run in re.findall(rb"[\x80-\xff]{2,}", content))
    if not together or together < 0.5 * upper:
        return ""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return ""
    best = from_bytes(content).best()
    return best.encoding if best is not None and best.encoding in _EASTERN else ""
