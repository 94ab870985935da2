"""Bring the template and the translations in ``i18n`` up to date."""

import re

import polib

from . import paths, processes
from .sandbox import log_file, sandbox
from .say import step

DATABASE = "cloud_storage_texts"
FOLDER = paths.CHECKOUT / "i18n"
TEMPLATE = FOLDER / "cloud_storage.pot"
WIDTH = 88
#: Lines of a header that differ between two exports of the same texts.
CHANGING = re.compile(r'^"(POT-Creation-Date|PO-Revision-Date): .*\n', re.MULTILINE)


def run(python):
    """Export the template, merge it into the translations, say what they lack.

    :param pathlib.Path python: interpreter of the virtualenv
    """
    with sandbox(python) as box:
        box.create_database(DATABASE)
        box.install_addon(DATABASE)
        export(box)
    for path in FOLDER.glob("*.po"):
        merge(path)


def export(box):
    """Write the template, as Odoo exports it."""
    exported = box.folder / "texts.po"
    command = box.odoo_command("-d", DATABASE, "--stop-after-init", "--no-http")
    command += ["--modules", paths.ADDON, "--i18n-export", exported]
    log = log_file("texts-" + box.tree.version)
    processes.run(command, log, "exporting the texts", env=box.environment())
    keep(TEMPLATE, exported.read_text(encoding="utf-8"))


def merge(path):
    """Give a translation the texts of the template; it keeps what it knows."""
    catalog = polib.pofile(str(path), wrapwidth=WIDTH)
    catalog.merge(polib.pofile(str(TEMPLATE)))
    for entry in catalog.obsolete_entries():
        catalog.remove(entry)
    catalog.sort(key=lambda entry: entry.msgid)
    keep(path, str(catalog))
    missing = catalog.untranslated_entries()
    step("%s: %d texts, %d not translated", path.name, len(catalog), len(missing))
    for entry in missing:
        step("  %s", entry.msgid)


def keep(path, text):
    """Write a file without what differs from one export to the next."""
    path.write_text(CHANGING.sub("", text).rstrip() + "\n", encoding="utf-8")
