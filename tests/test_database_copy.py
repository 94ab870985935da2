"""A copy of a database reads production's Drive and changes nothing there."""
import os
import shutil

from odoo.exceptions import UserError
from odoo.tools import config

from ..drive.errors import ReadOnlyError
from ..engine.account.database import has_marker
from ..engine.account.usable import check_may_write
from .common import CloudCase
from .odoo_process import run_shell
from .postgres_copy import as_postgres, cloned_cluster, dumped_cluster, other_server

LOOK = """
from odoo.addons.cloud_storage.engine.account.usable import check_may_write
auth = env["cloud_storage.auth"].browse({auth_id})
def may_write(auth):
    try:
        check_may_write(auth)
    except Exception as err:
        return str(err)
    return True
"""
MISUSE = (
    LOOK
    + """
from odoo.addons.cloud_storage.engine.outbox.deliver import deliver
files = env["ir.attachment"].browse({ids})
contents = [a.raw.decode() for a in files]
files.unlink()
env["ir.attachment"].create({{
    "name": "new.txt", "raw": b"new", "res_model": "res.partner", "res_id": 1,
}})
env.cr.commit()
service = env["cloud_storage.sync.service"]
service.automatic_sync()
deliver(env)
reconciled = service.reconcile_cloud_references()
runs = env["cloud_storage.sync.run"].search([], limit=2).mapped("message")
auth.invalidate_cache()
report([auth.health, may_write(auth), contents, reconciled["fixed"], runs])
"""
)
CONFIRM = (
    LOOK
    + """
auth.action_confirm_database()
env.cr.commit()
attachment = env["ir.attachment"].create({{
    "name": "moved.txt", "raw": b"moved", "res_model": "res.partner", "res_id": 1,
}})
env.cr.commit()
synced = attachment.sync_to_cloud()
report([auth.health, may_write(auth), synced])
"""
)
HEALTH = LOOK + "report([auth.health, may_write(auth)])"


class CopyCase(CloudCase):
    """Files in the cloud, and an account that is bound to this database."""

    def setUp(self):
        super().setUp()
        self.config.write({"delete_local_after_sync": True, "auto_sync": True})
        self.addCleanup(self.forget_markers)
        self.bind()

    def bind(self):
        """What the first use of the account after the consent does."""
        self.auth.database_name = self.cr.dbname
        self.cr.commit()
        check_may_write(self.auth)
        self.fresh()

    def forget_markers(self):
        folder = os.path.join(config["data_dir"], "cloud_storage_databases")
        shutil.rmtree(folder, ignore_errors=True)

    def in_cloud(self, count=3):
        files = self.make_attachments(count)
        self.sync()
        self.collect_garbage()
        self.fresh()
        self.assertFalse(any(files.mapped("store_fname")))
        return files

    def shell(self, code, **values):
        self.cr.commit()
        return run_shell(code.format(auth_id=self.auth.id, **values))

    def assertSpares(self, files):
        """What a process of another server does changes nothing in Drive."""
        contents = files.mapped(lambda a: a.raw.decode())
        before = self.emulator.files()
        health, refusal, read, fixed, runs = self.shell(MISUSE, ids=files.ids)
        self.assertEqual(health, "copy")
        self.assertIn("looks like a copy", refusal)
        self.assertEqual(read, contents, "a copy reads")
        self.assertEqual(fixed, 0)
        self.assertTrue(all("looks like a copy" in message for message in runs), runs)
        self.assertEqual(self.emulator.files(), before)
        self.fresh()
        self.assertEqual(files.mapped(lambda a: a.raw.decode()), contents)
        self.assertEqual(self.auth.health, "authorized")
        self.assertEqual(self.env["cloud_storage.sync.service"].check_invariants(), [])


class TestOtherCluster(CopyCase):
    """The same uuid, the same name, another PostgreSQL, a data directory of its own."""

    def test_dump(self):
        files = self.in_cloud()
        with dumped_cluster() as host, other_server(host):
            self.assertSpares(files)
            self.assertEqual(self.shell(CONFIRM), ["authorized", True, True])
            self.assertEqual(self.shell(HEALTH), ["authorized", True])
        self.assertEqual(self.shell(HEALTH), ["authorized", True])

    def test_dump_that_shares_the_data_directory(self):
        """Two servers on one machine, on which nobody changed data_dir."""
        self.in_cloud(1)
        with dumped_cluster() as host, other_server(host, own_data=False):
            self.assertEqual(self.shell(HEALTH)[0], "copy")

    def test_physical_copy(self):
        files = self.in_cloud()
        with cloned_cluster() as host, other_server(host):
            self.assertSpares(files)
            self.assertEqual(self.shell(CONFIRM), ["authorized", True, True])
            self.assertEqual(self.shell(HEALTH), ["authorized", True])

    def test_failover(self):
        """The server that knows the database meets a promoted standby."""
        with cloned_cluster() as host, other_server(host, own_data=False):
            self.assertEqual(self.shell(HEALTH), ["authorized", True])

    def test_second_server(self):
        """Several Odoo servers on one cluster, each with a data directory."""
        with other_server():
            self.assertEqual(self.shell(HEALTH), ["authorized", True])
            self.restart()
            self.assertEqual(self.shell(HEALTH), ["authorized", True], "it is known")

    def test_new_server_after_a_restart(self):
        """A server that nobody knows waits until one that is known was there."""
        self.restart()
        with other_server():
            self.assertEqual(self.shell(HEALTH)[0], "copy")
            self.fresh()
            check_may_write(self.auth)
            self.assertEqual(self.shell(HEALTH), ["authorized", True])

    def restart(self):
        """PostgreSQL was started anew since the account was used."""
        self.fresh()
        self.auth.database_instance = "2001-01-01 00:00:00"
        self.cr.commit()


class TestBinding(CopyCase):
    """How an account comes to know its database."""

    def test_consent_binds(self):
        self.assertTrue(self.auth.database_cluster)
        self.assertTrue(self.auth.database_instance)
        self.assertTrue(has_marker(self.auth.database_mark))

    def test_update_from_the_previous_version(self):
        """It stored uuid and name: the rest is taken over without a word."""
        for name in (self.cr.dbname, False):
            self.forget_markers()
            self.auth.write(
                {
                    "database_name": name,
                    "database_cluster": False,
                    "database_instance": False,
                    "database_mark": False,
                }
            )
            self.cr.commit()
            self.assertEqual(self.auth.health, "authorized")
            self.make_attachments(1)
            self.assertEqual(self.sync()["synced"], 1)
            self.fresh()
            self.test_consent_binds()
            self.assertEqual(self.auth.database_name, self.cr.dbname)

    def test_what_belongs_to_another_is_not_taken_over(self):
        for values in ({"database_uuid": "another"}, {"database_name": "another"}):
            with self.subTest(values):
                self.auth.write(dict(values, database_cluster=False))
                self.cr.commit()
                with self.assertRaisesRegex(UserError, "looks like a copy"):
                    check_may_write(self.auth)
                self.fresh()
                self.assertFalse(self.auth.database_cluster)
                self.auth.action_confirm_database()
                self.cr.commit()
                self.test_consent_binds()

    def test_service_of_a_copy_only_reads(self):
        self.auth.database_name = "another"
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"]
        files = service._get_google_drive_service(self.auth).files()
        self.assertEqual(files.list().execute()["files"], [])
        with self.assertRaises(ReadOnlyError):
            files.create(body={"name": "from a copy"}).execute()
        client = self.auth._drive_client()
        with self.assertRaises(ReadOnlyError):
            client.update("any", trashed=True)
        with self.assertRaises(ReadOnlyError):
            client.session().post(client.api_root + "upload/drive/v3/files")

    def test_pg_upgrade_needs_one_click(self):
        self.auth.database_cluster = "1"
        self.cr.commit()
        self.assertEqual(self.auth.health, "copy")
        with self.assertRaisesRegex(UserError, "This Is the Real Database"):
            check_may_write(self.auth)
        question = self.auth.action_ask_database()
        self.env[question["res_model"]].browse(question["res_id"]).action_confirm()
        self.assertEqual(self.auth.health, "authorized")
        self.make_attachments(1)
        self.assertEqual(self.sync()["synced"], 1)

    def test_restart_is_taken_over(self):
        self.auth.database_instance = "2001-01-01 00:00:00"
        self.cr.commit()
        check_may_write(self.auth)
        self.fresh()
        self.assertNotIn("2001", self.auth.database_instance)

    def test_refused_identifier(self):
        """A hardened server: what can be seen decides, and reading goes on."""
        attachment = self.in_cloud(1)
        self.revoke("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        self.addCleanup(
            self.revoke, "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC"
        )
        self.fresh()
        self.assertEqual(self.auth.health, "authorized")
        self.env["ir.attachment"]._clear_cloud_cache()
        self.assertTrue(attachment.raw)
        self.make_attachments(1)
        self.assertEqual(self.sync()["synced"], 1)
        self.forget_markers()
        self.auth.database_instance = "2001-01-01 00:00:00"
        self.cr.commit()
        self.assertEqual(self.auth.health, "copy")

    def revoke(self, statement):
        as_postgres(statement, self.cr.dbname)

    def test_data_directory_that_can_not_be_written(self):
        """Then only PostgreSQL's identifier decides."""
        folder = os.path.join(config["data_dir"], "cloud_storage_databases")
        self.forget_markers()
        self.auth.write({"database_mark": False, "database_instance": False})
        self.cr.commit()
        with open(folder, "w", encoding="utf-8"):
            pass
        self.addCleanup(os.unlink, folder)
        check_may_write(self.auth)
        self.fresh()
        self.assertFalse(self.auth.database_mark)
        self.assertEqual(self.auth.health, "authorized")

    def test_uncommitted_account(self):
        """Its row is the caller's: nobody waits for it."""
        account = self.make_account("second@example.com")
        check_may_write(account)
        self.auth.name = "Renamed"
        self.auth.flush()
        check_may_write(self.auth)

    def test_copy_of_an_account_is_bound_to_nothing(self):
        self.auth.client_secret = "x"
        copy = self.auth.copy()
        self.assertFalse(copy.database_mark or copy.database_cluster)
