from unittest.mock import patch

from odoo.exceptions import AccessError, UserError, ValidationError

from odoo.addons.base.models import res_users

from ..engine import candidates, rule_rights
from ..engine.rule_rights import may_read
from .common import CloudCase

MANAGER = "cloud_storage.group_cloud_storage_manager"
USER = "cloud_storage.group_cloud_storage_user"
ALL = [("id", "!=", 0)]


class TestFilterRights(CloudCase):
    """By a filter nobody gets to know what he may not read."""

    def setUp(self):
        super().setUp()
        self.service = self.env["cloud_storage.sync.service"]
        self.manager = self.make_user("manager", MANAGER)
        self.admin = self.make_user("admin", "base.group_system")
        self.user = self.make_user("user", USER)
        self.employee = self.make_user("employee", "base.group_user")
        self.rule = self.config.model_config_ids
        self.open_partner, self.secret_partner = self.env["res.partner"].create(
            [{"name": "Open", "ref": "a-token"}, {"name": "Secret", "ref": "b-token"}]
        )
        self.hide(self.secret_partner)
        self.open_file = self.make_attachment(res_id=self.open_partner.id)
        self.secret_file = self.make_attachment(res_id=self.secret_partner.id)
        self.cr.commit()

    def hide(self, partner):
        """Only administrators see a partner."""
        rules = self.env["ir.rule"].create(
            {
                "name": "Test: hidden",
                "model_id": self.env.ref("base.model_res_partner").id,
                "domain_force": "[('id', '!=', 0 if user.has_group('base.group_system')"
                " else %d)]" % partner.id,
            }
        )
        self.addCleanup(self._drop, rules)

    def _drop(self, records):
        self.cr.rollback()
        records.unlink()
        self.cr.commit()

    def write_as(self, user, **vals):
        """Write the rule as a user."""
        self.rule.with_user(user).write(vals)
        self.rule.flush()

    def covered(self):
        """The files of this test that the engine would move."""
        files = self.open_file | self.secret_file
        ids, _up_to = candidates.next_ids(self.config, 0, 100)
        return files.filtered(lambda file: file.id in ids)

    # -- who may write what ------------------------------------------------------------

    def test_private_fields_of_users_are_nobodys(self):
        """Modules add to them what is stored and can be searched, like OAuth tokens."""
        users = self.env["res.users"].with_user(self.manager)
        self.assertTrue(may_read(users, ["login"]))
        with patch.object(res_users, "USER_PRIVATE_FIELDS", ["login"]):
            self.assertFalse(may_read(users, ["login"]))
            self.assertFalse(may_read(users, ["partner_id.user_ids.login"]))

    def test_every_model_on_the_way_has_to_be_readable(self):
        users = self.env["res.users"].with_user(self.manager)
        path = ["company_id.partner_id.name"]
        self.assertTrue(may_read(users, path))
        for name in ("res.users", "res.company", "res.partner"):
            others = lambda model, name=name: model._name != name  # noqa: E731
            with patch.object(rule_rights, "_is_readable", others):
                self.assertFalse(may_read(users, path), name)

    def test_models_that_the_writer_may_not_read_are_refused(self):
        rules = self.env["cloud_storage.model.config"].with_user(self.manager)
        hidden = [
            name
            for name in ("mail.mail", "cloud_storage.secret", "cloud_storage.pace")
            if name in self.env
        ]
        for name in hidden:
            with self.assertRaisesRegex(ValidationError, "may not read"):
                with self.cr.savepoint():
                    rules.create({"config_id": self.config.id, "model_name": name})
            with self.assertRaisesRegex(ValidationError, "may not read"):
                self.write_as(self.manager, model_name=name)
            self.rule.invalidate_cache()

    def test_fields_that_the_writer_may_not_read_are_refused(self):
        for model, domain in (
            ("res.partner", [("user_ids.cloud_secret_test", "=", "x")]),
            ("res.users", [("cloud_secret_test", "like", "a%")]),
            ("res.users", [("password", "like", "a%")]),
            ("res.users", ["|", ("id", "=", 1), ("create_uid.password", "like", "a%")]),
        ):
            with self.secret_field(), self.assertRaisesRegex(
                ValidationError, "may not read|not a valid domain"
            ):
                self.write_as(self.manager, model_name=model, domain=repr(domain))
            self.rule.invalidate_cache()

    def secret_field(self):
        """A field of users that only administrators may read."""
        return _Restricted(self.env["res.users"], "signature", "cloud_secret_test")

    def test_administrators_write_any(self):
        self.write_as(self.admin, domain=repr([("ref", "like", "%token")]))
        self.assertEqual(self.covered(), self.open_file | self.secret_file)

    def test_the_author_is_who_wrote_the_filter(self):
        self.assertEqual(self.rule.domain_uid.id, 1)
        self.write_as(self.admin, drive_folder_name="Other", is_active=True)
        self.assertEqual(self.rule.domain_uid.id, 1)
        for vals in (
            {"domain": "[('id', '>', 0)]"},
            {"model_name": "res.partner"},
            {"attachment_field": "image_1920"},
        ):
            self.rule.write({"domain_uid": 1})
            self.write_as(self.manager, **vals)
            self.assertEqual(self.rule.domain_uid, self.manager, vals)
        copy = self.config.with_user(self.admin).copy({"name": "Copy"})
        self.assertEqual(copy.model_config_ids.domain_uid, self.admin)

    def test_nobody_writes_the_author(self):
        rule = self.rule.with_user(self.manager)
        for records in (rule, rule.sudo()):
            with self.assertRaises(AccessError):
                records.write({"domain_uid": self.admin.id})
        values = {"config_id": self.config.id, "model_name": "res.users"}
        with self.assertRaises(AccessError):
            rule.create(dict(values, domain_uid=1))
        new = rule.with_context(default_domain_uid=1).create(values)
        self.assertEqual(new.domain_uid, self.manager)

    def test_the_common_models_are_those_that_the_manager_may_read(self):
        rules = self.config.model_config_ids
        rules.unlink()
        self.config.with_user(self.manager).create_default_model_configs()
        for rule in self.config.model_config_ids:
            self.assertFalse(rule.problem)

    # -- what the engine moves ---------------------------------------------------------

    def test_files_of_records_that_the_author_does_not_see_stay(self):
        for domain in ("[]", "[('ref', 'like', '%token')]"):
            self.write_as(self.manager, domain=domain)
            self.assertEqual(self.covered(), self.open_file, domain)
            reasons = candidates.reasons_to_stay(self.secret_file, self.config)
            self.assertIn("filtered out", reasons[self.secret_file])
        self.sync()
        self.assertEqual(self.open_file.cloud_sync_status, "synced")
        self.assertEqual(self.secret_file.cloud_sync_status, "local")

    def test_companies_of_whoever_evaluates_do_not_matter(self):
        self.write_as(self.manager, domain="[('ref', '=', 'a-token')]")
        other = self.env["res.company"].create({"name": "Other"})
        self.addCleanup(self._drop, other)
        config = self.config.with_context(allowed_company_ids=other.ids)
        self.assertEqual(candidates.count_waiting(config), 1)

    def test_rights_are_those_of_now(self):
        self.write_as(self.admin, domain=repr([("ref", "like", "%token")]))
        self.admin.groups_id = [(3, self.env.ref("base.group_system").id)]
        self.assertEqual(self.covered(), self.open_file)

    def test_an_author_who_left_is_a_problem(self):
        self.write_as(self.manager, domain="[]")
        self.manager.active = False
        self.rule.invalidate_cache()
        self.assertIn("no user any more", self.rule.problem)
        self.assertFalse(self.covered())
        self.rule.with_user(self.admin).action_sign()
        self.assertFalse(self.rule.problem)
        self.assertEqual(self.rule.domain_uid, self.admin)
        self.rule.write({"domain_uid": False})
        self.assertIn("no user any more", self.rule.problem)

    def test_signing_needs_the_rights(self):
        self.write_as(self.admin, model_name="res.users")
        with self.assertRaises(AccessError):
            self.rule.with_user(self.user).action_sign()
        self.rule.with_user(self.manager).action_sign()
        self.assertEqual(self.rule.domain_uid, self.manager)

    # -- who asks ----------------------------------------------------------------------

    def test_view_pending_carries_no_ids(self):
        self.write_as(self.admin, domain=repr([("ref", "like", "%token")]))
        for visitor in (self.user, self.manager, self.admin):
            action = self.config.with_user(visitor).action_view_pending()
            self.assertEqual(
                action["domain"],
                [("id", "!=", 0), ("cloud_pending_config_id", "=", self.config.id)],
            )

    def test_view_pending_shows_what_the_reader_may_read(self):
        self.write_as(self.admin, domain=repr([("ref", "like", "%token")]))
        domain = self.config.action_view_pending()["domain"]
        files = self.open_file | self.secret_file
        attachments = self.env["ir.attachment"]
        for visitor, expected in (
            (self.user, self.open_file),
            (self.manager, self.open_file),
            (self.admin, files),
            (self.env.user, files),
        ):
            found = attachments.with_user(visitor).search(domain)
            self.assertEqual(found & files, expected)
            self.assertEqual(
                attachments.with_user(visitor).search_count(domain), len(expected)
            )
        for visitor in (self.employee, self.make_user("portal", "base.group_portal")):
            with self.assertRaises(AccessError):
                attachments.with_user(visitor).search(domain)
        for leaf in (("=", False), ("in", [1]), ("!=", 1), ("=", "x")):
            with self.assertRaises(UserError):
                attachments.search([("cloud_pending_config_id",) + leaf])

    def test_counts_of_users_are_about_what_they_may_read(self):
        self.write_as(self.admin, domain=repr([("ref", "like", "%token")]))
        for visitor, count in ((self.user, 1), (self.manager, 2), (self.admin, 2)):
            config = self.config.with_user(visitor)
            config.invalidate_cache()
            self.assertEqual(config.pending_count, count)
            report = self.env["cloud_storage.savings"].with_user(visitor)
            self.assertEqual(report.create({"config_id": config.id}).files, count)
            dashboard = self.env["cloud_storage.dashboard"].with_user(visitor).browse(1)
            dashboard.invalidate_cache()
            self.assertEqual(dashboard.pending_files, count)

    # -- forms that are not saved ------------------------------------------------------

    def guess(self, visitor, domain):
        """How many files a form says are pending, with a filter that nobody saved."""
        values = {
            "auth_id": self.auth.id,
            "model_config_ids": [
                (
                    0,
                    0,
                    {"model_name": "res.partner", "domain": domain, "is_active": True},
                )
            ],
            "file_type_ids": [(0, 0, {"extension": "txt", "is_active": True})],
            "min_file_size_kb": 0,
        }
        config = self.env["cloud_storage.config"].with_user(visitor).new(values)
        self.assertFalse(any(config.model_config_ids.mapped("problem")))
        return config.pending_count

    def test_forms_count_with_the_rights_of_who_types(self):
        oracle = repr([("ref", "=", "b-token")])
        everybody = repr([("ref", "like", "%-token")])
        self.assertEqual(self.guess(self.admin, everybody), 2)
        self.assertEqual(self.guess(self.manager, everybody), 1)
        self.assertEqual(self.guess(self.manager, oracle), 0)
        self.assertEqual(self.guess(self.user, oracle), 0)

    def test_a_changed_line_of_a_form_has_not_the_rights_of_its_author(self):
        self.write_as(self.admin, domain=repr([("ref", "like", "%token")]))
        values = {
            "model_config_ids": [
                (1, self.rule.id, {"domain": repr([("ref", "=", "b-token")])})
            ]
        }
        config = self.config.with_user(self.manager)
        self.assertEqual(config.pending_count, 2)
        self.assertEqual(config.new(values, origin=config).pending_count, 0)

    def test_forms_of_others_are_closed(self):
        for name, field in (
            ("cloud_storage.dashboard", "synced_files"),
            ("cloud_storage.config", "bytes_freed"),
            ("cloud_storage.savings", "files"),
            ("cloud_storage.setup", "missing"),
            ("cloud_storage.model.config", "problem"),
            ("cloud_storage.sync.run", "name"),
            ("cloud_storage.wizard.restore", "total_size_text"),
        ):
            with self.assertRaises(AccessError):
                self.env[name].with_user(self.employee).onchange({}, [], {field: ""})

    # -- databases of the last version -------------------------------------------------

    def test_authors_of_the_last_version(self):
        from ..models.config.model_config import AUTHORS

        for create_uid, write_uid, author in (
            (1, 1, 1),
            (self.manager.id, 1, self.manager.id),
            (self.manager.id, self.admin.id, self.admin.id),
            (None, None, 1),
        ):
            self.cr.execute(
                "UPDATE cloud_storage_model_config SET domain_uid = NULL,"
                " create_uid = %s, write_uid = %s",
                (create_uid, write_uid),
            )
            self.cr.execute(AUTHORS)
            self.cr.execute("SELECT domain_uid FROM cloud_storage_model_config")
            self.assertEqual(self.cr.fetchall(), [(author,)])


class _Restricted:
    """A field that exists under another name, for administrators only, for a while."""

    def __init__(self, model, like, name):
        self.fields, self.like, self.name = model._fields, like, name

    def __enter__(self):
        field = self.fields[self.like]
        self.groups, field.groups = field.groups, "base.group_system"
        self.fields[self.name] = field

    def __exit__(self, *_exc):
        self.fields.pop(self.name).groups = self.groups
