"""The texts: the template is current, and the Spanish is complete."""

import io
import re

from babel.messages.pofile import read_po

import odoo
from odoo.modules.module import get_module_resource
from odoo.tests.common import tagged
from odoo.tools import trans_export

from .common import CloudCase
from .common_browser import DONE, MANAGER, BrowserCase
from .test_browser_access import some_of_everything

PLACEHOLDER = re.compile(r"%\(\w+\)s|%s")


def catalog(name):
    """A file of ``i18n`` as ``{msgid: msgstr}``."""
    with open(get_module_resource("cloud_storage", "i18n", name), "rb") as file:
        return {m.id: m.string for m in read_po(file) if m.id}


@tagged("-at_install", "post_install")
class TestTranslations(CloudCase):
    def exported(self):
        buffer = io.BytesIO()
        trans_export(None, ["cloud_storage"], buffer, "po", self.cr)
        buffer.seek(0)
        return {m.id for m in read_po(buffer) if m.id}

    def test_template_is_current(self):
        missing = self.exported() - set(catalog("cloud_storage.pot"))
        self.assertFalse(missing, "export the template again")

    def test_template_holds_nothing_old(self):
        if odoo.release.version_info < (15,):
            self.skipTest("other versions have other texts for the fields of Odoo")
        self.assertFalse(set(catalog("cloud_storage.pot")) - self.exported())

    def test_spanish_is_complete(self):
        spanish = catalog("es.po")
        missing = [
            text for text in catalog("cloud_storage.pot") if not spanish.get(text)
        ]
        self.assertFalse(missing)

    def test_placeholders_survive(self):
        for text, translated in catalog("es.po").items():
            self.assertEqual(
                sorted(PLACEHOLDER.findall(text)),
                sorted(PLACEHOLDER.findall(translated)),
                text,
            )


@tagged("-at_install", "post_install")
class TestSpanish(BrowserCase):
    def test_a_day_in_spanish(self):
        self.env["res.lang"]._activate_lang("es_ES")
        self.addCleanup(self.forget_spanish)
        module = self.env.ref("base.module_cloud_storage")
        module._update_translations(filter_lang="es_ES")
        manager = self.make_user("gestor", MANAGER)
        manager.lang = "es_ES"
        self.make_attachment(name="contrato.txt")
        self.open_action("cloud_storage_dashboard_action", manager.login)
        self.see("h3", "Cuentas")
        self.see("button[name=action_view_pending]", "archivos pendientes")
        self.click("button[name=action_sync]")
        self.see(DONE)
        self.see(".o_cloud_storage_progress small", "1 de 1 archivos")

    def test_no_view_shows_english(self):
        self.env["res.lang"]._activate_lang("es_ES")
        self.addCleanup(self.forget_spanish)
        modules = self.env["ir.module.module"].search(
            [("name", "in", ("base", "web", "cloud_storage"))]
        )
        modules._update_translations(filter_lang="es_ES")
        self.env.ref("base.user_admin").lang = "es_ES"
        self.addCleanup(self.admin_speaks_english)
        self.config.name = "Documentos"
        records = some_of_everything(self)
        self.open_action("cloud_storage_dashboard_action", "admin")
        english = {
            text for text, spanish in catalog("es.po").items() if text != spanish
        }
        found = set()
        for page in self.walk(records):
            found.update((text, page) for text in english.intersection(self.texts()))
        for button in ("action_migrate_between_accounts", "action_restore_local_from_folder"):
            self.open_record(self.config, "admin")
            self.click("button[name=%s]" % button)
            self.see(".modal button[name=action_preview]")
            texts = self.texts(".modal")
            found.update((text, button) for text in english.intersection(texts))
        self.assertFalse(found)

    def texts(self, inside=".o_action_manager"):
        """Every text in there, those of tooltips and labels for the blind included.

        Odoo itself translates neither its pager's (14) nor its dialogs' (15).
        """
        return self.js(
            "(() => {const top = document.querySelector('%s');"
            " const walker = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);"
            " const texts = [];"
            " while (walker.nextNode()) texts.push(walker.currentNode.data.trim());"
            " for (const name of ['title', 'aria-label', 'placeholder', 'help'])"
            "  for (const e of top.querySelectorAll('[' + name + ']'))"
            "   if (!e.closest('.o_pager, .close')) texts.push(e.getAttribute(name).trim());"
            " return [...new Set(texts)]})()" % inside
        )

    def admin_speaks_english(self):
        self.cr.rollback()
        self.env.ref("base.user_admin").lang = "en_US"
        self.cr.commit()

    def forget_spanish(self):
        self.cr.rollback()
        self.cr.execute("DELETE FROM ir_translation WHERE lang = 'es_ES'")
        self.cr.execute("UPDATE res_lang SET active = false WHERE code = 'es_ES'")
        self.cr.execute("UPDATE res_partner SET lang = 'en_US' WHERE lang = 'es_ES'")
        self.cr.commit()
        self.registry.clear_caches()
