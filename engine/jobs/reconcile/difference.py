"""A difference between Odoo and Drive."""

from collections import namedtuple

from odoo import _

#: What kind it is, the file's metadata (None when it is gone), its attachments as rows.
Difference = namedtuple("Difference", "kind file rows")

#: What Drive or a backup is about to lose: first, and however much it is.
RESCUES = ("trashed", "missing")
#: The others, in this order.
OTHERS = (
    "changed",
    "unproven",
    "healed",
    "lost",
    "public",
    "unused",
    "unmarked",
    "renamed",
    "moved",
)


class Sentences:
    """What is written to the log, and to rows, of each kind.

    :param env: the texts are in its language
    """

    def __init__(self, env):
        self.env = env

    def all(self):
        """:rtype: dict[str, str]"""
        return {
            "missing": _("The file is gone from Google Drive."),
            "changed": _("The file was changed in Google Drive."),
            "damaged": _("Google Drive gives other bytes than were stored."),
            "trashed": _("It was in the trash of Google Drive and was taken out."),
            "public": _("Anyone could read it in Google Drive; that was ended."),
            "renamed": _("It was renamed in Google Drive and has its name again."),
            "moved": _("It was moved in Google Drive and is back in its folder."),
            "unmarked": _("Its mark in Google Drive was missing and was renewed."),
            "healed": _("The file is in Google Drive again, as it was."),
            "lost": _("Its local file was missing; it is read from Google Drive."),
            "unproven": _("The file was read and is what its attachment has there."),
            "relinked": _("An attachment had lost its content and has it again."),
            "unused": _("No attachment uses this file: it goes to the trash."),
        }
