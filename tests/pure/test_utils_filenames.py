"""File names, extensions and folders."""

import pytest
from cloud_storage.utils.filenames import (
    MAX_NAME_LENGTH,
    drive_file_name,
    extension,
    model_folder_name,
    normalize_extension,
    without_bidi_overrides,
)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a.pdf", "a.pdf"),
        ("  a.pdf ", "a.pdf"),
        ("it's \"a\" \\ b/c.pdf", "it's \"a\" \\ b/c.pdf"),  # Drive takes all of it
        ("Ärger 文件 😀.pdf", "Ärger 文件 😀.pdf"),
        ("a\nb\tc\x00d\x9f.pdf", "a b cd.pdf"),
        ("a\u2029b", "a b"),
        ("\ud83d.pdf", "?.pdf"),
        ("", "unnamed"),
        (None, "unnamed"),
        ("\x00\n", "unnamed"),
        (".", "."),
    ],
)
def test_drive_names(name, expected):
    assert drive_file_name(name) == expected


@pytest.mark.parametrize(
    "name, end",
    [
        ("x" * 300 + ".pdf", "x.pdf"),
        ("文" * 300 + ".tar.gz", "文.tar.gz"),
        ("x" * 300, "xxx"),
        ("x" * 10 + "." + "y" * 300, "yyy"),  # no extension, part of the name
    ],
)
def test_long_names(name, end):
    found = drive_file_name(name)
    assert len(found) <= MAX_NAME_LENGTH
    assert len(found) > MAX_NAME_LENGTH - 5
    assert found.endswith(end)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a.pdf", "pdf"),
        ("A.PDF", "pdf"),
        ("a.b.pdf", "pdf"),
        ("a.pdf ", "pdf"),
        ("x.tar.gz", "tar.gz"),
        ("x.TAR.BZ2", "tar.bz2"),
        ("tar.gz", "gz"),
        (".tar.gz", "gz"),
        ("x.sql.gz", "gz"),
        ("noextension", ""),
        ("a.", ""),
        ("a..", ""),
        (".profile", ""),
        ("..", ""),
        (".profile.bak", "bak"),
        ("Mr. Smith", ""),
        ("Meeting. A long end of a sentence", ""),
        ("dir.d/file", ""),
        ("dir.d\\file.txt", "txt"),
        ("a.файл", "файл"),
        ("a.7z", "7z"),
        ("", ""),
        (None, ""),
    ],
)
def test_extensions(name, expected):
    assert extension(name) == expected


@pytest.mark.parametrize(
    "typed, stored",
    [(" .PDF ", "pdf"), ("*.Tar.GZ", "tar.gz"), ("", ""), (None, ""), ("..x", "x")],
)
def test_typed_extensions(typed, stored):
    assert normalize_extension(typed) == stored


def test_folders():
    assert model_folder_name("sale.order") == "sale_order"
    assert model_folder_name("res.partner", "image_1920") == "res_partner_image_1920"
    assert model_folder_name("") == "unnamed"


def test_bidi():
    assert without_bidi_overrides("a\u202eb\u2066c\u200fd") == "abc\u200fd"
