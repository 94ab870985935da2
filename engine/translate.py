"""Texts in the language of an environment, for functions that belong to no model."""

from odoo import _ as odoo_gettext


class Translator:
    """To be called ``_``, so that the texts are found by the export of translations.

    Odoo's own looks for a language in the frame of its caller, in ``self.env`` among others
    (``odoo/tools/translate.py``, ``GettextAlias``): a function that has ``env`` alone would
    speak English.
    """

    def __init__(self, env):
        self.env = env

    def __call__(self, source, *args, **kwargs):
        return odoo_gettext(source, *args, **kwargs)
