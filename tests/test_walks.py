"""The code goes the ways that README says, stop by stop."""

import contextlib
import re
import sys
import threading

from . import readme_walks
from .common_content import ContentCase
from .common_proxy import make_content
from .test_oauth_callback import CallbackCase

#: The path of a file below the addon, whatever the folder above is called.
IN_ADDON = re.compile(
    r".*/((?:controllers|wizards|models|engine|drive|cache)/[\w/]+\.py)"
)
LARGE = 2 * 1024 * 1024  # bytes: more than is always fetched whole


@contextlib.contextmanager
def tracing():
    """Note each function that is called, in all threads that begin from now on.

    :return: list of path and name, in order
    """
    calls = []

    def note(frame, event, _arg):
        found = event == "call" and IN_ADDON.fullmatch(frame.f_code.co_filename)
        if found:
            calls.append((found.group(1), frame.f_code.co_name))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


class WalksMixin:
    """Compares what was called with a walk."""

    def assertWalked(self, title, calls):
        """The stops of a walk are among the calls, in this order."""
        rest = iter(calls)
        for stop in sum(readme_walks.walks()[title], []):
            if stop.function.startswith("cloud_storage_"):
                continue  # a function of PostgreSQL
            step = (stop.path, stop.function.rpartition(".")[2])
            self.assertIn(step, rest, "not in this order: %s" % (stop,))


class TestWalks(WalksMixin, ContentCase):
    """Files go, are read, come back and are deleted."""

    def test_upload(self):
        self.config.delete_local_after_sync = True
        attachment = self.make_attachment(b"content")
        self.cr.commit()
        with tracing() as calls:
            question = attachment.action_cloud_ask_sync()
            self.env[question["res_model"]].browse(question["res_id"]).action_confirm()
        self.assertFalse(attachment.store_fname)
        self.assertWalked("One upload", calls)

    def test_read(self):
        attachment = self.in_drive(make_content(LARGE), public=True)
        with tracing() as calls:
            answer = self.get("/web/content/%d" % attachment.id)
        self.assertEqual(answer.content, make_content(LARGE))
        self.assertWalked("One read through `/web/content`", calls)

    def test_range(self):
        attachment = self.in_drive(make_content(LARGE), public=True)
        path = "/cloud_storage/file/%d" % attachment.id
        with tracing() as calls:
            answer = self.get(path, Range="bytes=5-9")
        self.assertEqual(answer.content, make_content(LARGE)[5:10])
        self.assertWalked("One range through the proxy", calls)

    def test_restore(self):
        attachment = self.in_drive(make_content(LARGE))
        wizard = self.env["cloud_storage.wizard.restore"].create(
            {"mode": "selection", "attachment_ids": [(6, 0, attachment.ids)]}
        )
        with tracing() as calls:
            wizard.action_preview()
            wizard.action_confirm()
            self.env["cloud_storage.sync.service"]._work_on_queue()
        self.assertTrue(attachment.store_fname)
        self.assertWalked("One restore", calls)

    def test_deletion(self):
        attachment = self.in_drive(b"content")
        file_id = attachment.cloud_file_id
        self.cr.commit()
        with tracing() as calls:
            attachment.unlink()
            self.env["cloud_storage.sync.service"]._work_on_queue()
        self.assertTrue(self.drive_file(file_id)["trashed"])
        self.assertWalked("One deletion", calls)


class TestWalkOfConsent(WalksMixin, CallbackCase):
    """The consent leads over Google's page."""

    def test_consent(self):
        with tracing() as calls:
            address = self.begin(self.session, self.draft)
            self.follow(self.session, self.emulator.consent(address))
        self.assertWalked("One consent", calls)
