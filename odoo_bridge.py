"""What Odoo 14 needs and 15 does not, in one place."""
import contextlib

from odoo import api, release


def environments():
    """A context in which a new thread may make environments.

    Odoo 14 keeps them per thread (``odoo/api.py``, ``Environment.manage``).
    """
    if release.version_info[0] < 15:
        return api.Environment.manage()
    return contextlib.suppress()
