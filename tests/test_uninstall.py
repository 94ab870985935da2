import hashlib
import os
import time
from unittest.mock import patch

from odoo.exceptions import AccessDenied, RedirectWarning, UserError
from odoo.tools import config

from ..cache.layout import CacheLayout
from ..engine import runner, transaction, uninstall
from ..engine.runner import keep_alive
from ..exceptions import RunBusyError
from ..hooks import uninstall_hook
from .odoo_process import OdooShell, database_copy, run_shell, sql
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
#: As above; the hook waits after its transaction began.
FORCED_SLOWLY = """
import odoo
addon = odoo.addons.cloud_storage
hook = addon.uninstall_hook
def slowly(cr, registry):
    cr.execute("SELECT count(*) FROM ir_attachment")
    wait()
    return hook(cr, registry)
addon.uninstall_hook = slowly
""" + FORCED
SYNC = """
service = env["cloud_storage.sync.service"]
summary = service.manual_sync(%d)
env.cr.commit()
report(summary["synced"])
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
        self.cr.commit()
        uninstall_hook(self.cr, self.registry)
        self.cr.rollback()  # what others see is committed
        self.env.cache.invalidate()
        self.assertEqual(
            (link.type, link.url), ("url", "/cloud_storage/file/%d" % file.id)
        )
        self.assertEqual((file.type, file.url), ("binary", False))

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
            self.assertEqual(run_shell(REFUSED, name), ["RedirectWarning", "installed"])
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
        self.env["ir.attachment"]._disk_cache().put("9" * 40, b"")
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


class TestUninstallAlone(RestoreCase):
    """Nobody moves a file between the question and the end of the uninstallation."""

    def setUp(self):
        super().setUp()
        self.module = self.env.ref("base.module_cloud_storage")

    def begin(self):
        """The snapshot of the uninstallation begins."""
        self.cr.commit()
        self.cr.execute("SELECT count(*) FROM ir_attachment")

    def is_free(self):
        with self.other_transaction() as env:
            return transaction.share_installation(env.cr)

    # -- what is counted -----------------------------------------------------------------

    def test_what_others_committed_counts(self):
        self.config.delete_local_after_sync = True
        file = self.make_attachment()
        for leave in (
            lambda: uninstall_hook(self.cr, self.registry),
            self.module.button_uninstall,
        ):
            self.begin()
            self.sync_elsewhere()
            with self.assertRaisesRegex(Exception, "1 files"):
                leave()
        self.fresh()
        self.assertFalse(file.store_fname)
        self.assertEqual(file.type, "url")

    def test_links_that_others_made_are_plain_files(self):
        file = self.make_attachment()
        self.begin()
        self.sync_elsewhere()
        uninstall_hook(self.cr, self.registry)
        self.cr.rollback()
        self.fresh()
        self.assertEqual((file.type, file.url), ("binary", False))
        self.assertTrue(os.path.exists(self.local_path(file)))

    def test_another_process_syncs_meanwhile(self):
        self.config.delete_local_after_sync = True
        files = self.make_attachments(5)
        contents = files.mapped(lambda a: a.raw.decode())
        with database_copy(self) as name:
            leaving = OdooShell(FORCED_SLOWLY, name)
            self.wait_for(lambda: leaving.is_ready)
            self.assertEqual(run_shell(self.sync_code(), name), 5)
            leaving.go()
            self.assertEqual(leaving.finish(), ["UserError", "installed"])
            found = run_shell(READ % files.ids, name)
        self.assertEqual([content for _type, _url, content in found], contents)

    def sync_code(self):
        """A sync in a copy, which is the real database for now."""
        confirm = "env['cloud_storage.auth'].search([]).action_confirm_database()\n"
        return confirm + SYNC % self.config.id

    def test_rows_are_not_believed(self):
        """Each of these has its bytes in Drive alone, whatever its row says."""
        lies = {
            "no size": "cloud_size_bytes = NULL, file_size = NULL, cloud_md5 = NULL",
            "size 0": "cloud_size_bytes = 0, file_size = 0, cloud_md5 = NULL",
            "size 0 here": "file_size = 0, cloud_sync_status = 'error'",
            "another status": "cloud_sync_status = 'local'",
            "no link": "type = 'binary', url = NULL",
            "empty in the database": "db_datas = ''",
            "a file that is not here": "store_fname = '00/' || repeat('0', 40)",
        }
        file = self.synced(keep=False)
        for name, lie in sorted(lies.items()):
            with self.subTest(name):
                self.assertCounted(file, lie)

    def assertCounted(self, file, lie):
        self.cr.execute(  # pylint: disable=sql-injection
            "UPDATE ir_attachment SET %s WHERE id = %%s" % lie, (file.id,)
        )
        self.assertEqual(uninstall.count_remote_files(self.cr)[0], 1)
        self.cr.rollback()

    def test_a_file_that_is_not_whole(self):
        file = self.synced(keep=True)
        path, content = self.local_path(file), file.raw
        self.assertEqual(uninstall.count_remote_files(self.cr)[0], 0)
        for broken in (content[:-1], b"", content + b"x"):
            self.write(path, broken)
            self.assertEqual(uninstall.count_remote_files(self.cr)[0], 1, broken)
        self.write(path, content)
        # unknown or wrong sizes say nothing of a file that is what its name says
        for size in ("NULL", "0", "7"):
            self.cr.execute("UPDATE ir_attachment SET cloud_size_bytes = " + size)
            self.assertEqual(uninstall.count_remote_files(self.cr)[0], 0, size)
        self.cr.rollback()

    def write(self, path, content):
        with open(path, "wb") as file:
            file.write(content)

    def test_what_is_empty_is_no_loss(self):
        file = self.synced(keep=False, content=b"")
        self.assertEqual(file.cloud_md5, hashlib.md5(b"").hexdigest())
        self.assertEqual(uninstall.count_remote_files(self.cr)[0], 0)

    # -- who is locked out ---------------------------------------------------------------

    def test_nobody_begins_until_it_ends(self):
        file = self.make_attachment()
        self.begin()
        with uninstall.alone(self.cr):
            self.assertEqual(uninstall.count_now(self.cr)[0], 0)
        # the rest of the hook locks the table as well
        with self.assertRaisesRegex(RunBusyError, "uninstalled"):
            self.sync_elsewhere()
        self.assertFalse(self.is_free(), "a release that comes late")
        self.cr.rollback()
        self.assertTrue(self.is_free())
        self.fresh()
        self.assertEqual(file.cloud_sync_status, "local")
        self.assertEqual(self.sync()["synced"], 1)

    def test_refusal_frees_the_lock(self):
        self.synced(keep=False)
        with self.assertRaises(RedirectWarning):
            self.module.button_uninstall()
        self.assertTrue(self.is_free())
        with self.assertRaises(UserError):
            uninstall_hook(self.cr, self.registry)
        self.assertTrue(self.is_free())

    def is_one_freed(self, files):
        with self.other_transaction() as env:
            own = [("id", "in", files.ids), ("store_fname", "=", False)]
            return bool(env["ir.attachment"].search(own))

    def test_run_pauses_and_goes_on(self):
        """A run at work makes room; refused, it goes on where it stood."""
        self.config.write({"delete_local_after_sync": True, "max_parallel_uploads": 1})
        files = self.make_attachments(40)
        contents = files.mapped("raw")
        self.emulator.latency(30)
        self.addCleanup(self.emulator.latency, 0)
        with self.in_thread(self.sync_elsewhere):
            self.wait_for(lambda: self.is_one_freed(files))
            self.begin()
            started = time.monotonic()
            with self.assertRaisesRegex(UserError, "Restore all"):
                uninstall_hook(self.cr, self.registry)
            self.assertLess(time.monotonic() - started, 10)
        self.fresh()
        self.assertEqual(self.run_of("manual").state, "queued")
        self.assertLess(len(self.drive_files()), 40)
        self.emulator.latency(0)
        self.background()
        self.assertEqual(self.run_of("manual").state, "done")
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.assertEqual(files.mapped("raw"), contents)

    def test_run_that_does_not_pause(self):
        """Who is asked to leave knows who is at work; nothing was changed."""
        run = runner.create_run(self.config, "manual")
        with self.other_transaction() as env:
            with keep_alive(run.with_env(env)), patch.object(
                uninstall, "PAUSE_SECONDS", 1
            ):
                self.begin()
                for leave in (
                    lambda: uninstall_hook(self.cr, self.registry),
                    self.module.button_uninstall,
                    self.module.button_immediate_uninstall,
                ):
                    with self.assertRaisesRegex(UserError, run.name) as caught:
                        leave()
                    self.assertIn("uninstall again", str(caught.exception))
        self.assertTrue(self.is_free())
        self.assertEqual(self.module.state, "installed")
        self.assertEqual(self.run_of("manual").state, "queued")

    def test_release_keeps_it_waiting(self):
        """A transaction that drops bytes is waited for."""
        with self.other_transaction() as env:
            self.assertTrue(transaction.share_installation(env.cr))
            with patch.object(uninstall, "PAUSE_SECONDS", 1):
                with self.assertRaisesRegex(UserError, "Another process"):
                    uninstall_hook(self.cr, self.registry)
            env.cr.commit()
            uninstall_hook(self.cr, self.registry)
            self.assertFalse(transaction.share_installation(env.cr))
        self.cr.rollback()

    def test_rows_that_others_change(self):
        """Somebody who writes to an attachment delays it, and loses nothing."""
        file = self.synced(keep=True)
        with self.other_transaction() as env:
            same = file.with_env(env)
            same.description = "being written"
            same.flush()
            with patch.object(uninstall, "ROW_SECONDS", 1), patch.object(
                uninstall, "TRIES", 1
            ), self.assertRaisesRegex(UserError, "uninstall again"):
                uninstall_hook(self.cr, self.registry)
            self.assertTrue(self.is_free())
            env.cr.commit()
        self.cr.rollback()
        uninstall_hook(self.cr, self.registry)
        self.cr.rollback()

    def test_others_get_the_answer_of_odoo(self):
        user = self.make_user("employee", "base.group_user")
        self.synced(keep=False)
        self.cr.commit()
        with patch.object(uninstall, "pause_runs") as pause:
            for name in ("button_uninstall", "button_immediate_uninstall"):
                with self.assertRaises(AccessDenied):
                    getattr(self.module.with_user(user), name)()
        pause.assert_not_called()
