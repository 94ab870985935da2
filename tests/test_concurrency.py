import os
import random
import threading
import time
import traceback
from contextlib import closing

from odoo import SUPERUSER_ID, api

from ..engine import runner
from ..engine.outbox.deliver import deliver
from ..engine.transaction import Deadline, retrying
from ..odoo_bridge import environments
from .odoo_process import OdooShell
from .test_restore import RestoreCase

#: How long everything runs at once; the default keeps the whole suite quick.
SECONDS = float(os.environ.get("CLOUD_STORAGE_TEST_SECONDS", "6"))
FILES = 500
CRASHES = 5
WORK = """
from odoo.addons.cloud_storage.engine import runner
ready()
service = env["cloud_storage.sync.service"]
runner.recover(env)
runs = env["cloud_storage.sync.run"].search([("sync_type", "=", "%s")])
runs.action_resume()
env.cr.commit()
service.automatic_sync()
env.cr.commit()
report(runs.mapped("state"))
"""


class TestConcurrency(RestoreCase):
    """Reconcile, sync, restore and users, all at once on the same files."""

    def test_everything_at_once(self):
        self.config.delete_local_after_sync = True
        self.config.max_parallel_uploads = 8
        files = self.make_attachments(FILES)
        self.expected = {file.id: file.raw for file in files}
        self.lock, self.errors = threading.Lock(), []
        self.end = time.monotonic() + SECONDS
        actors = [self.reconcile_now, self.sync_now, self.restore_now]
        actors += [self.edit_now] * 2
        threads = [
            threading.Thread(target=self.act, args=(actor, seed))
            for seed, actor in enumerate(actors)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertFalse(self.errors, "\n".join(self.errors))
        self.settle()
        self.assertAllWell()
        found = self.env["ir.attachment"].browse(self.expected)
        self.assertEqual(found.exists(), found)
        for file in found:
            self.assertEqual(file.raw, self.expected[file.id])

    def act(self, actor, seed):
        """Do one thing over and over, each time in a transaction of its own."""
        dice = random.Random(seed)
        try:
            with environments():
                while time.monotonic() < self.end:
                    self.act_once(actor, dice)
        # a thread has no other way to fail the test
        except Exception:  # pylint: disable=broad-except
            self.errors.append(traceback.format_exc())

    def act_once(self, actor, dice):
        with closing(self.registry.cursor()) as cr:
            actor(api.Environment(cr, SUPERUSER_ID, {}), dice)
            cr.commit()

    def reconcile_now(self, env, _dice):
        env["cloud_storage.sync.service"].reconcile_cloud_references()

    def sync_now(self, env, _dice):
        env["cloud_storage.sync.service"].manual_sync(self.config.id, limit=100)

    def restore_now(self, env, dice):
        ids = dice.sample(sorted(self.expected), 20)
        config = env["cloud_storage.config"].browse(self.config.id)
        run = runner.create_run(config, "restore", ids=ids)
        runner.work_in_background(run, Deadline())
        retrying(env, lambda: self.unpin(env, ids))

    def unpin(self, env, ids):
        env["ir.attachment"].browse(ids).exists().write({"cloud_keep_local": False})

    def edit_now(self, env, dice):
        """A user writes, renames, copies or deletes a file."""
        number = dice.choice(sorted(self.expected))
        with self.lock:  # two users who write the same file: the last one counts
            if number not in self.expected:
                return
            change = dice.choice([self.write, self.rename, self.copy, self.delete])
            retrying(env, lambda: change(env["ir.attachment"].browse(number), dice))

    def write(self, file, dice):
        content = b"%030x" % dice.getrandbits(120)
        file.raw = content
        file.flush()
        self.expected[file.id] = content

    def rename(self, file, dice):
        file.name = "renamed %d.txt" % dice.getrandbits(30)
        file.flush()

    def copy(self, file, _dice):
        copied = file.copy()
        copied.flush()
        self.expected[copied.id] = self.expected[file.id]

    def delete(self, file, _dice):
        file.unlink()
        file.flush()
        self.expected.pop(file.id, None)

    def settle(self):
        """Let the queues run empty, as the crons do in time."""
        self.emulator.clear_faults()
        self.sync(limit=0)
        while deliver(self.env):
            continue
        self.reconcile(0)


class TestCrashes(RestoreCase):
    """kill -9 at any moment of a restore or a migration, then go on."""

    def setUp(self):
        super().setUp()
        self.emulator.latency(20)
        self.files = self.synced(40, keep=False)
        self.contents = self.files.mapped("raw")
        self.env["ir.attachment"]._clear_cloud_cache()

    def crash_through(self, sync_type):
        """Kill processes that work on the run, then let one end it."""
        self.cr.commit()
        dice = random.Random(7)
        for _crash in range(CRASHES):
            process = OdooShell(WORK % sync_type)
            while not process.is_ready:
                time.sleep(0.01)
            time.sleep(dice.uniform(0.1, 0.8))
            process.kill()
        states = OdooShell(WORK % sync_type).finish()
        self.assertEqual(states, ["done"])
        self.env.cache.invalidate()
        self.cr.commit()
        self.emulator.latency(0)

    def test_restore(self):
        self.wizard(mode="all").action_confirm()
        self.crash_through("restore")
        for file, content in zip(self.files, self.contents):
            self.assertRestored(file, content)
        self.collect_garbage()
        self.assertAllWell()
        for file, content in zip(self.files, self.contents):
            self.assertRestored(file, content)

    def test_migrate(self):
        target = self.make_account("second@example.com")
        wizard = self.env["cloud_storage.wizard.migrate"].create(
            {
                "source_auth_id": self.auth.id,
                "target_auth_id": target.id,
                "after": "trash",
            }
        )
        wizard.action_confirm()
        self.crash_through("migrate")
        self.background()
        self.assertEqual(self.files.cloud_auth_id, target)
        owners = [file["owner"] for file in self.drive_files()]
        self.assertEqual(owners, ["second@example.com"] * len(self.files))
        self.env["ir.attachment"]._clear_cloud_cache()
        self.assertEqual(self.files.mapped("raw"), self.contents)
        self.assertAllWell()
