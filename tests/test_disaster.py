import shutil

from odoo.tools import config

from .odoo_process import database_copy, run_shell
from .test_restore import RestoreCase

RELINK = """
service = env["cloud_storage.sync.service"]
first = service._relink_from_drive()
again = service._relink_from_drive()
env.cr.commit()
for auth in env["cloud_storage.auth"].search([]):
    auth.action_confirm_database()
env.cr.commit()
env["ir.attachment"]._clear_cloud_cache()
domain = [("res_model", "=", "res.partner"), ("name", "=like", "drill%%")]
# of two with the same name the later one, which the backup did not know
files = env["ir.attachment"].search(domain, order="name, id")
report({
    "first": first,
    "again": again,
    "contents": {a.name: (a.raw or b"").decode() for a in files},
    "partners": [a.res_id for a in files],
    "problems": service.check_invariants(),
    "reconciled": service.reconcile_cloud_references(),
})
"""
DELETE_ALL = """
from odoo.addons.cloud_storage.engine.outbox.deliver import deliver
files = env["ir.attachment"].browse(%s)
links = [a.raw.decode() for a in files]
files.unlink()
env.cr.commit()
service = env["cloud_storage.sync.service"]
service.automatic_sync()
deliver(env)
report([links, service.reconcile_cloud_references()["fixed"]])
"""


class TestDisaster(RestoreCase):
    """The drill of the documentation, and what copies of a database may not do."""

    def setUp(self):
        super().setUp()
        self.auth.database_name = self.cr.dbname  # as after the consent
        self.config.delete_local_after_sync = True

    def drill_file(self, number):
        return self.make_attachment(
            b"content %d" % number, name="drill %d.txt" % number
        )

    def test_drill(self):
        """Back up, sync more, lose the database and its files, restore, relink."""
        before = self.drill_file(0)
        self.sync()
        self.assertEqual(before.cloud_sync_status, "synced")
        waiting, rewritten = self.drill_file(1), self.drill_file(2)
        with database_copy(self, filestore=False) as name:
            shutil.rmtree(config.filestore(name), ignore_errors=True)
            before, waiting, rewritten = (
                file.with_env(self.env) for file in (before, waiting, rewritten)
            )
            rewritten.raw = b"content 2, a second time"
            after = self.drill_file(3)
            self.sync()
            self.collect_garbage()
            self.assertFalse(any((waiting + after).mapped("store_fname")))
            result = run_shell(RELINK, name)
        self.assertEqual(result["first"]["errors"], 0)
        self.assertEqual(result["again"]["linked"], 0)
        self.assertEqual(result["again"]["created"], 0)
        self.assertEqual(
            result["contents"],
            {
                "drill 0.txt": "content 0",
                "drill 1.txt": "content 1",
                "drill 2.txt": "content 2, a second time",
                "drill 3.txt": "content 3",
            },
        )
        self.assertEqual(set(result["partners"]), {before.res_id})
        self.assertEqual(result["problems"], [])
        self.assertEqual(result["reconciled"]["missing"], 0)

    def test_relink_in_place(self):
        """Only the links were lost."""
        files = self.synced(3, keep=False)
        contents = files.mapped("raw")
        self.cr.execute(
            "UPDATE ir_attachment SET cloud_file_id = NULL, cloud_auth_id = NULL,"
            " cloud_sync_status = 'local', type = 'binary', url = NULL"
            " WHERE id IN %s",
            (tuple(files.ids),),
        )
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.cr.commit()
        self.env.cache.invalidate()
        report = self.env["cloud_storage.sync.service"]._relink_from_drive()
        self.assertEqual(
            report, {"checked": 3, "linked": 3, "created": 0, "errors": 0}
        )
        self.assertEqual(files.mapped("raw"), contents)
        self.assertAllWell()

    def test_deletions_in_a_copy_spare_the_original(self):
        files = self.synced(3, keep=False)
        contents = files.mapped(lambda a: a.raw.decode())
        with database_copy(self) as name:
            read, _fixed = run_shell(DELETE_ALL % files.ids, name)
        files = files.with_env(self.env)
        self.assertEqual(read, contents, "a copy may read")
        for file in files:
            self.assertFalse(self.drive_file(file.cloud_file_id)["trashed"])
        self.assertEqual(files.mapped(lambda a: a.raw.decode()), contents)
        self.assertAllWell()
