import uuid

from odoo.exceptions import AccessError

from .common_proxy import PATH, ProxyCase

CONTENT = b"for some eyes only"
NEVER = 2**31 - 1


class TestFileProxyAccess(ProxyCase):
    """The same people as through ``/web/content``, and 404 for the others."""

    def setUp(self):
        super().setUp()
        self.company = self.env["res.company"].create({"name": uuid.uuid4().hex})
        self.rule = self.env["ir.rule"].create(
            {
                "name": "Cloud Storage tests",
                "model_id": self.env.ref("base.model_res_partner").id,
                "domain_force": "['|', ('ref', '=', False), '&',"
                " ('ref', '!=', 'hidden'),"
                " ('company_id', 'in', company_ids + [False])]",
            }
        )
        self.addCleanup(self._remove_rule)
        self.admin = self.make_user("admin", "base.group_system")
        self.employee = self.make_user("employee", "base.group_user")
        self.portal = self.make_user("portal", "base.group_portal")
        self.cr.commit()

    def _remove_rule(self):
        self.cr.rollback()
        self.rule.unlink()
        self.company.unlink()
        self.cr.commit()

    def partner(self, **vals):
        return self.env["res.partner"].create(dict({"name": "Somebody"}, **vals))

    def outcomes(self, vals, user=None, token=None, session=None):
        """What a visitor gets from the proxy, and of a local twin from Odoo."""
        cloud = self.make_cloud_file(CONTENT, **vals)
        local = self.make_attachment(CONTENT, **vals)
        params = {}
        if token:
            cloud.generate_access_token()
            local.write({"access_token": cloud.access_token})
            params = {"access_token": cloud.access_token if token == "right" else token}
        self.cr.commit()
        session = session or self.new_session(user)
        ours = self.get(cloud, session=session, params=params)
        theirs = self.ask(
            session, "/web/content/%d" % local.id, logged=False, params=params
        )
        return ours, theirs

    def assertGets(self, *args, **kw):
        ours, theirs = self.outcomes(*args, **kw)
        self.assertEqual((ours.status_code, ours.content), (200, CONTENT))
        self.assertEqual(theirs.status_code, 200)

    def assertRefused(self, *args, **kw):
        ours, theirs = self.outcomes(*args, **kw)
        self.assertEqual(ours.status_code, 404)
        self.assertNotEqual((theirs.status_code, theirs.content), (200, CONTENT))
        self.assertNotIn("ETag", ours.headers)
        self.assertNotIn(b"note.txt", ours.content)

    def test_administrator(self):
        self.assertGets({}, self.admin)
        self.assertGets({"model": False}, self.admin)

    def test_owner_of_a_loose_file(self):
        cloud = self.make_cloud_file(CONTENT, model=False)
        sql = "UPDATE ir_attachment SET create_uid = %s WHERE id = %s"
        self.cr.execute(sql, (self.employee.id, cloud.id))
        self.cr.commit()
        self.assertEqual(self.get(cloud, self.employee).content, CONTENT)
        self.assertEqual(self.get(cloud, self.portal).status_code, 404)

    def test_employee_and_record_rules(self):
        self.assertGets({"res_id": self.partner(ref="open").id}, self.employee)
        self.assertRefused({"res_id": self.partner(ref="hidden").id}, self.employee)
        # Odoo 14 shows them to employees, Odoo 15 does not
        ours, theirs = self.outcomes({"model": False}, self.employee)
        self.assertEqual(ours.status_code == 200, theirs.status_code == 200)

    def test_other_company(self):
        partner = self.partner(ref="theirs", company_id=self.company.id)
        self.assertRefused({"res_id": partner.id}, self.employee)

    def test_archived_record(self):
        self.assertGets({"res_id": self.partner(active=False).id}, self.employee)

    def test_deleted_record(self):
        self.assertGets({"res_id": NEVER}, self.employee)
        self.assertRefused({"res_id": NEVER}, self.portal)

    def test_portal(self):
        hidden = {"res_id": self.partner(ref="hidden").id}
        self.assertRefused(hidden, self.portal)
        self.assertGets(hidden, self.portal, token="right")
        self.assertRefused(hidden, self.portal, token="wrong")
        self.assertRefused({"res_id": self.portal.partner_id.id}, self.portal)

    def test_public(self):
        self.assertRefused({})
        self.assertGets({"public": True})
        self.assertGets({}, token="right")
        self.assertRefused({}, token="wrong")
        self.assertRefused({"public": True}, token="wrong")

    def test_session_that_ended(self):
        session = self.new_session(self.employee)
        self.assertGets({}, session=session)
        self.employee.active = False
        self.cr.commit()
        self.assertRefused({}, session=session)
        self.assertGets({"public": True}, session=session)

    def test_no_attachment(self):
        session = self.new_session(self.admin)
        deleted = self.make_cloud_file(CONTENT)
        gone = deleted.id
        deleted.unlink()
        self.cr.commit()
        for number in (gone, NEVER, 2**31, 2**70, 0, -1):
            answer = self.ask(session, PATH % number)
            self.assertEqual(answer.status_code, 404, number)
        for text in ("0x1", "1/2", "..%2f1", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"):
            answer = self.ask(session, "/cloud_storage/file/" + text, logged=False)
            self.assertEqual(answer.status_code, 404, text)

    def test_attachment_that_is_not_in_the_cloud(self):
        local = self.make_attachment(CONTENT, public=True)
        self.cr.commit()
        self.assertEqual(self.get(local, self.admin).status_code, 404)
        self.assertEqual(self.get(local).status_code, 404)

    def test_file_at_the_proxys_own_address_is_not_served_instead(self):
        """Odoo answers a 404 with the attachment whose url is the path."""
        local = self.make_attachment(CONTENT)
        local.write({"url": "/cloud_storage/file/%d" % local.id})
        self.cr.commit()
        answer = self.get(local)
        self.assertEqual(answer.status_code, 404)
        self.assertNotIn(CONTENT, answer.content)

    def test_cloud_fields_can_not_be_forged(self):
        """Else a user could read any file of the account."""
        foreign = self.make_cloud_file(CONTENT, model=False)
        own = self.env["ir.attachment"].with_user(self.employee)
        with self.assertRaises(AccessError):
            own.create({"name": "x", "cloud_file_id": foreign.cloud_file_id})

    def test_only_reading(self):
        attachment = self.make_cloud_file(CONTENT, public=True)
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            path = PATH % attachment.id
            answer = self.ask(self.new_session(), path, method, logged=False)
            self.assertEqual(answer.status_code, 405, method)

    def test_no_session_cookie_for_strangers(self):
        """Caches of others must be free to keep public files."""
        attachment = self.make_cloud_file(CONTENT, public=True)
        self.assertNotIn("Set-Cookie", self.get(attachment).headers)
