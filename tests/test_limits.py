"""A job ends in time and hears Stop, whatever it is waiting for.

There is no way around it: the only client that a job can have asks, before and during each
request, wait, page and block.
"""

import ast
import functools
import os
import pathlib
import time

from ..drive.download import Download
from ..drive.errors import OutOfTimeError, StoppedError
from ..engine import runner
from ..engine.jobs.base import Job
from ..engine.transaction import Deadline, retrying
from .test_runs import RunCase

MB = 1024 * 1024
JOBS = pathlib.Path(__file__).parent.parent / "engine" / "jobs"
LONG = 40  # seconds that Drive takes; nobody may wait that long
SOON = 10  # seconds; a noisy machine is not that late
CALLS = {
    "about": lambda client: client.about(),
    "generate_ids": lambda client: client.generate_ids(1),
    "get": lambda client: client.get("any"),
    "get_many": lambda client: client.get_many(["any"]),
    "list": lambda client: list(client.list("trashed = false")),
    "update": lambda client: client.update("any", name="b"),
    "copy": lambda client: client.copy("any"),
    "delete": lambda client: client.delete("any"),
    "permissions": lambda client: client.permissions("any"),
    "download": lambda client: list(Download(client, "any", 0, 5, 5)),
}


class TestLimits(RunCase):
    def make_job(self, seconds=None):
        run = runner.create_run(self.config, "manual")
        retrying(self.env, lambda: run._start(0))
        return Job(run, Deadline(seconds))

    def client_of(self, job):
        client = job.client(self.auth, write=True)
        client.about()  # the token and the connection are there
        self.emulator.clear_requests()
        return client

    def stop_soon(self, job):
        """In half a second, over another connection."""
        run_id = job.run.id

        def press():
            time.sleep(0.5)
            with self.other_transaction() as env:
                run = env["cloud_storage.sync.run"].browse(run_id)
                retrying(env, run.action_stop)

        return self.in_thread(press)

    def test_nothing_is_asked_once_stop_was_pressed(self):
        job = self.make_job()
        client = self.client_of(job)
        retrying(self.env, job.run.action_stop)
        time.sleep(0.6)  # it is looked at twice a second
        for name, call in CALLS.items():
            with self.subTest(name), self.assertRaises(StoppedError):
                call(client)
        self.assertEqual(self.emulator.count(), 0)

    def test_nothing_is_asked_after_the_deadline(self):
        job = self.make_job(seconds=3600)
        client = self.client_of(job)
        job.extend(-1)
        for name, call in CALLS.items():
            with self.subTest(name), self.assertRaises(OutOfTimeError):
                call(client)
        self.assertEqual(self.emulator.count(), 0)

    def assertGivenUp(self, call, error=StoppedError):
        started = time.monotonic()
        with self.assertRaises(error):
            call()
        self.assertLess(time.monotonic() - started, SOON)

    def test_stop_in_the_middle_of_a_request(self):
        for route, name in (
            ("files.get", "get"),
            ("batch", "get_many"),
            ("files.list", "list"),
            ("files.media", "download"),
            ("files.update", "update"),
        ):
            with self.subTest(route):
                job = self.make_job()
                client = self.client_of(job)
                self.emulator.fault(route, delay_ms=LONG * 1000)
                with self.stop_soon(job):
                    self.assertGivenUp(functools.partial(CALLS[name], client))
                self.emulator.clear_faults()

    def test_stop_in_the_middle_of_a_wait(self):
        job = self.make_job()
        client = self.client_of(job)
        self.emulator.fault("files.get", times=-1, status=429, retry_after=LONG)
        with self.stop_soon(job):
            self.assertGivenUp(lambda: client.get("any"))

    def test_deadline_in_the_middle_of_a_wait_and_of_a_request(self):
        for fault in ({"status": 429, "retry_after": LONG}, {"delay_ms": LONG * 1000}):
            with self.subTest(**fault):
                job = self.make_job(seconds=3600)
                client = self.client_of(job)
                self.emulator.fault("files.get", times=-1, **fault)
                job.extend(1)
                get = functools.partial(client.get, "any")
                self.assertGivenUp(get, OutOfTimeError)
                self.emulator.clear_faults()

    def test_stop_between_two_pages(self):
        self.make_attachments(3)
        self.sync()
        job = self.make_job()
        pages = self.client_of(job).list("trashed = false", page_size=1)
        self.assertTrue(next(pages))
        retrying(self.env, job.run.action_stop)
        time.sleep(0.6)
        with self.assertRaises(StoppedError):
            next(pages)

    def test_stop_between_two_blocks(self):
        size = 4 * MB
        file = self.make_attachment(os.urandom(size))
        self.sync()
        job = self.make_job()
        self.emulator.fault("files.media", times=-1, rate=size / LONG)
        blocks = iter(Download(self.client_of(job), file.cloud_file_id, 0, size, size))
        self.assertTrue(next(blocks))
        with self.stop_soon(job):
            self.assertGivenUp(lambda: list(blocks))

    def test_stop_of_an_upload_that_drive_does_not_answer(self):
        files = self.make_attachments(3)
        self.emulator.fault("files.upload.multipart", times=-1, delay_ms=LONG * 1000)
        with self.in_thread(self.sync_elsewhere) as future:
            self.wait_for(lambda: self.emulator.count("files.upload.multipart"))
            self.press_stop()
            pressed = time.monotonic()
            future.result(timeout=LONG)
        self.assertLess(time.monotonic() - pressed, SOON)
        self.emulator.clear_faults()
        self.fresh()
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"local"})
        self.assertEqual(self.sync()["synced"], 3)
        self.assertEqual(len(self.drive_files()), 3)

    def test_jobs_have_no_other_client(self):
        """Their base alone makes one; ``selection`` serves wizards."""
        for path in JOBS.rglob("*.py"):
            if path.name in ("base.py", "selection.py"):
                continue
            tree = ast.parse(path.read_text())
            names = {
                getattr(node, "attr", getattr(node, "id", None))
                for node in ast.walk(tree)
                if isinstance(node, (ast.Name, ast.Attribute))
            }
            self.assertFalse(
                names & {"drive_client", "_drive_client", "DriveClient"}, path.name
            )
