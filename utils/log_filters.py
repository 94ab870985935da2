"""Keeps secrets out of logs that other code writes."""

import logging
import re


class AddressFilter(logging.Filter):
    """Shortens addresses that are as good as a password.

    The callback's holds a code and a state; in the access log it also stands encoded in
    the address of the login page. Who knows a resumable session's may write the file.
    """

    secret = re.compile(
        r"(oauth(?:/|%2F)callback(?:\?|%3F)|upload_id=)[^\s\"')]+", re.IGNORECASE
    )

    def filter(self, record):
        """Change the message; every record passes."""
        message = record.getMessage()
        shortened = self.secret.sub(r"\1...", message)
        if shortened != message:
            record.msg, record.args = shortened, ()
        return True


class CallFilter(logging.Filter):
    """Drops what Odoo says at the level debug of calls that carry secrets.

    ``odoo.netsvc`` makes a record of every line: those after the sign of a secret are
    dropped, too, as long as they are indented.
    """

    signs = re.compile(r"client_secret|service_account_(?:json|file)|state=auth_")

    def __init__(self):
        super().__init__()
        self._dropping = set()  # ids of threads

    def filter(self, record):
        """Whether the record has no sign of a secret and does not follow one."""
        message = record.getMessage()
        if self.signs.search(message):
            self._dropping.add(record.thread)
        elif not message.startswith(" "):
            self._dropping.discard(record.thread)
        return record.thread not in self._dropping


def install():
    """Add the filters to the loggers concerned."""
    for name in ("werkzeug", "urllib3.connectionpool"):
        logging.getLogger(name).addFilter(AddressFilter())
    for name in ("odoo.api", "odoo.http.rpc.request", "odoo.http.rpc.response"):
        logging.getLogger(name).addFilter(CallFilter())
