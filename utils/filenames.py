"""File names: what Drive accepts, what an extension is, which folder a model gets."""

import re

# Drive documents no limit. Its desktop client can not write more to a local disk.
MAX_NAME_LENGTH = 255  # characters
MAX_EXTENSION_LENGTH = 32  # characters; a longer "extension" is part of a sentence
FALLBACK_NAME = "unnamed"

DOUBLE_EXTENSIONS = frozenset(
    "tar." + compression
    for compression in ("gz", "bz2", "xz", "zst", "lz", "lzma", "br", "z")
)

_BREAKS = re.compile("[\t\r\n\v\f\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
# Marks that reorder text: "exe.fdp" can be made to look like "pdf.exe". The plain
# left-to-right and right-to-left marks stay, Arabic and Hebrew names need them.
_BIDI_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")


def drive_file_name(name):
    """Return ``name`` as it can be stored in Drive.

    Drive takes nearly any text, slashes and quotes included, so only what breaks
    requests or displays goes: control characters, line breaks, lone surrogates.

    :param str name: any text, may be empty or None
    :return: at most ``MAX_NAME_LENGTH`` characters, never empty
    :rtype: str
    """
    return shorten(printable(name or ""), MAX_NAME_LENGTH) or FALLBACK_NAME


def printable(text):
    """Return ``text`` in one line that can be encoded in UTF-8, ends stripped."""
    line = _CONTROLS.sub("", _BREAKS.sub(" ", text))
    return line.encode("utf-8", "replace").decode("utf-8").strip()


def without_bidi_overrides(text):
    """Return ``text`` without the characters that display it in another order."""
    return _BIDI_OVERRIDES.sub("", text)


def shorten(name, limit, measure=len):
    """Cut the stem of ``name`` until it measures ``limit``; the extension is kept.

    :param callable measure: gives the length of a text, in characters by default
    """
    if measure(name) <= limit:
        return name
    suffix = extension(name)
    tail = name[-len(suffix) - 1 :] if suffix else ""
    if measure(tail) >= limit:
        tail = ""
    stem = name[: len(name) - len(tail)][:limit]
    while stem and measure(stem) + measure(tail) > limit:
        stem = stem[:-1]
    return stem.rstrip() + tail


def extension(name):
    """Return the extension of ``name``, lower case and without its dot.

    >>> extension("Backup.TAR.GZ"), extension("a.pdf"), extension(".profile")
    ('tar.gz', 'pdf', '')
    """
    base = re.split(r"[/\\]", (name or "").strip())[-1].lstrip(".").lower()
    parts = base.split(".")
    if len(parts) < 2 or not _is_extension(parts[-1]):
        return ""
    double = ".".join(parts[-2:])
    return double if len(parts) > 2 and double in DOUBLE_EXTENSIONS else parts[-1]


def _is_extension(text):
    return 0 < len(text) <= MAX_EXTENSION_LENGTH and not re.search(r"\s", text)


def normalize_extension(text):
    """Return an extension as typed by a person (`` .PDF``) in stored form (``pdf``)."""
    return (text or "").strip().lstrip("*").lstrip(".").strip().lower()


def model_folder_name(model_name, field_name=""):
    """Return the folder for a model's files: ``sale.order`` gives ``sale_order``.

    :param str field_name: set when only this binary field of the model is stored
    """
    parts = [part for part in (model_name, field_name) if part]
    return drive_file_name("_".join(parts).replace(".", "_"))
