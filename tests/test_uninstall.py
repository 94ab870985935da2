import os

from odoo.exceptions import RedirectWarning, UserError
from odoo.tools import config

from ..hooks import uninstall_hook
from ..utils.cache_layout import CacheLayout
from .odoo_process import database_copy, run_shell, sql
from .test_restore import RestoreCase

REFUSED = """
module = env.ref("base.module_cloud_storage")
try:
    module.button_immediate_uninstall()
except Exception as err:
    env.cr.rollback()
    report([type(err).__name__, module.state])
"""
#: Past the button, as somebody who marks the module in SQL and restarts Odoo.
FORCED = """
import odoo
env.cr.execute("UPDATE ir_module_module SET state = 'to remove'"
               " WHERE name = 'cloud_storage'")
env.cr.commit()
try:
    odoo.modules.registry.Registry.new(env.cr.dbname, update_module=True)
except Exception as err:
    env.cr.rollback()
    env.cache.invalidate()
    report([type(err).__name__, env.ref("base.module_cloud_storage").state])
"""
LEAVE = """
wizard = env["cloud_storage.wizard.restore"].create({"mode": "all"})
wizard.action_confirm()
env["cloud_storage.sync.service"].automatic_sync()
env.cr.commit()
env.ref("base.module_cloud_storage").button_immediate_uninstall()
env.cr.commit()
report("left")
"""
READ = """
report([[a.type, a.url, a.raw.decode()] for a in env["ir.attachment"].browse(%s)])
"""
#: What would be left behind, by the catalogue that would show it.
TRACES = {
    "column": "SELECT table_name || '.' || column_name FROM information_schema.columns"
    " WHERE column_name LIKE 'cloud\\_%' AND table_schema = 'public'",
    "relation": "SELECT relname FROM pg_class WHERE relname LIKE '%cloud\\_%'",
    "function": "SELECT proname FROM pg_proc WHERE proname LIKE '%cloud\\_%'",
    "trigger": "SELECT tgname FROM pg_trigger WHERE tgname LIKE '%cloud\\_%'",
    "constraint": "SELECT conname FROM pg_constraint WHERE conname LIKE '%cloud\\_%'",
    "parameter": "SELECT key FROM ir_config_parameter WHERE key LIKE 'cloud\\_%'",
    "cron": "SELECT cron_name FROM ir_cron WHERE cron_name ILIKE '%cloud%'",
    "action": "SELECT name FROM ir_act_server WHERE code ILIKE '%reconcile_cloud%'",
    "window": "SELECT name FROM ir_act_window WHERE res_model LIKE 'cloud\\_storage%'",
    "view": "SELECT name FROM ir_ui_view WHERE model LIKE 'cloud\\_storage%'"
    " OR key LIKE 'cloud\\_storage.%'",
    "menu": "SELECT name FROM ir_ui_menu WHERE name = 'Cloud Storage'",
    "model": "SELECT model FROM ir_model WHERE model LIKE 'cloud\\_storage%'",
    "field": "SELECT name FROM ir_model_fields WHERE name LIKE 'cloud\\_%'",
    "group": "SELECT name FROM ir_module_category WHERE name = 'Cloud Storage'",
    "xml id": "SELECT name FROM ir_model_data WHERE module = 'cloud_storage'",
    "file": "SELECT name FROM ir_attachment WHERE res_model LIKE 'cloud\\_storage%'"
    " OR url LIKE '/cloud\\_storage/%'",
}


class TestUninstall(RestoreCase):
    """Leaving: refused while something would be lost, without a trace otherwise."""

    def test_refused_with_a_button(self):
        self.synced(keep=False)
        with self.assertRaises(RedirectWarning) as caught:
            self.env.ref("base.module_cloud_storage").button_uninstall()
        message, action, button, _context = caught.exception.args
        self.assertIn("1 files (32.00 bytes) live only in Google Drive", message)
        self.assertEqual(button, "Restore All Files")
        action = self.env["ir.actions.act_window"].browse(action)
        self.assertEqual(action.res_model, "cloud_storage.wizard.restore")
        values = self.env[action.res_model].default_get(["mode"])
        self.assertEqual(values["mode"], "all")

    def test_refused_with_a_module_below(self):
        self.synced(keep=False)
        with self.assertRaises(RedirectWarning):
            self.env.ref("base.module_web").button_uninstall()

    def test_hook_refuses(self):
        self.synced(keep=False)
        with self.assertRaisesRegex(UserError, "Restore all"):
            uninstall_hook(self.cr, self.registry)

    def test_files_that_the_filestore_lost(self):
        """They live only in Drive too, and come back with all others."""
        file = self.synced(keep=True)
        content, module = file.raw, self.env.ref("base.module_cloud_storage")
        file.restore_from_cloud()  # pinned: only the lost file is a reason to restore
        self.cr.commit()
        module.button_uninstall()
        self.cr.rollback()
        os.unlink(self.local_path(file))
        with self.assertRaisesRegex(RedirectWarning, "1 files"):
            module.button_uninstall()
        with self.assertRaisesRegex(UserError, "1 files"):
            uninstall_hook(self.cr, self.registry)
        wizard = self.wizard(mode="all")
        wizard.action_preview()
        self.assertEqual((wizard.file_count, wizard.total_size), (1, len(content)))
        self.confirm(wizard)
        self.assertRestored(file, content)
        module.button_uninstall()
        self.cr.rollback()

    def test_links_of_persons_stay(self):
        file = self.synced(keep=True)
        link = self.env["ir.attachment"].create(
            {"name": "see there", "type": "url", "url": file.url}
        )
        link.flush()
        uninstall_hook(self.cr, self.registry)
        self.env.cache.invalidate()
        self.assertEqual((link.type, link.url), ("url", "/cloud_storage/file/%d" % file.id))
        self.assertEqual((file.type, file.url), ("binary", False))
        self.cr.rollback()

    def test_allowed_while_the_bytes_are_here(self):
        self.synced(keep=True)
        self.env.ref("base.module_cloud_storage").button_uninstall()
        self.cr.rollback()

    def test_leaving_without_a_trace(self):
        remote = self.synced(2, keep=False)
        here = self.synced(keep=True)
        files = here + remote
        contents = files.mapped(lambda a: a.raw.decode())
        cache = self.make_cache_entry()
        with database_copy(self) as name:
            self.assertEqual(
                run_shell(REFUSED, name), ["RedirectWarning", "installed"]
            )
            self.assertEqual(run_shell(FORCED, name), ["UserError", "installed"])
            self.assertEqual(run_shell(LEAVE, name), "left")
            self.assertEqual(self.traces(name), [])
            self.assertFalse(os.path.isdir(self.cache_of(name)))
            self.assertTrue(os.path.isdir(cache), "that of another database stays")
            found = run_shell(READ % files.ids, name)
            self.assertEqual(
                found, [["binary", False, content] for content in contents]
            )

    def make_cache_entry(self):
        self.env["ir.attachment"]._disk_cache().put("9" * 32, b"")
        return os.path.join(config["data_dir"], "cloud_storage_cache")

    def cache_of(self, name):
        root = os.path.join(config["data_dir"], "cloud_storage_cache")
        return CacheLayout(root, name).base

    def traces(self, name):
        return [
            "%s %s" % (kind, row[0])
            for kind, query in sorted(TRACES.items())
            for row in sql(query, name, fetch=True)
        ]
