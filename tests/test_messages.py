"""Errors in the words of people."""
import inspect

from odoo.exceptions import UserError

from ..drive import errors
from ..engine.messages import Messages
from .common import CloudCase

KINDS = [
    kind
    for _name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.DriveError)
]


class TestMessages(CloudCase):
    """Whatever Google says, people read a sentence."""

    def setUp(self):
        super().setUp()
        self.messages = Messages(self.env)

    def test_every_error_in_every_situation(self):
        situations = (
            self.messages.drive,
            self.messages.account,
            self.messages.consent,
            lambda err: self.messages.ended_early(self.auth, err),
            lambda err: str(self.messages.cloud_file("note.txt", err)),
        )
        for kind in KINDS:
            for say in situations:
                with self.subTest(kind.__name__):
                    self.assertTrue(say(kind("Because.")).strip())

    def test_what_people_were_told_stays(self):
        err = UserError("Press the other button.")
        self.assertEqual(self.messages.account(err), str(err))
        self.assertEqual(self.messages.ended_early(self.auth, err), str(err))

    def test_only_facts_are_lasting(self):
        facts = {errors.NotFoundError, errors.ChecksumError, errors.RangeError}
        lasting = {k for k in KINDS if self.messages.lasting_problem(k("Because."))}
        self.assertEqual(lasting, facts)

    def test_only_what_is_gone_is_not_found(self):
        statuses = {
            kind: self.messages.cloud_file("note.txt", kind("Because.")).http_status
            for kind in KINDS
        }
        self.assertEqual(statuses.pop(errors.NotFoundError), 404)
        self.assertEqual(set(statuses.values()), {503})

    def test_full_storage_names_the_quota(self):
        err = errors.StorageFullError("Full.")
        told = self.messages.ended_early(self.auth, err, "1 of 2 used")
        self.assertIn("is full (1 of 2 used)", told)
        told = self.messages.ended_early(self.auth, err)
        self.assertIn("could not be read", told)

    def test_language_is_that_of_the_environment(self):
        self.env["res.lang"]._activate_lang("es_ES")
        self.env["ir.module.module"].search(
            [("name", "=", "cloud_storage")]
        )._update_translations(filter_lang="es_ES")
        spanish = Messages(self.env(context={"lang": "es_ES"}))
        err = errors.NotFoundError("Not found")
        self.assertNotEqual(spanish.drive(errors.TransientError("x")), "x")
        self.assertNotEqual(
            str(spanish.cloud_file("note.txt", err)),
            str(self.messages.cloud_file("note.txt", err)),
        )
        self.cr.rollback()
        self.registry.clear_caches()
