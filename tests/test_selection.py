import base64
import json
from datetime import timedelta
from unittest.mock import patch

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tools import mute_logger

from ..engine import candidates
from ..engine.candidates import WINDOW
from ..engine.rules import Clause
from .common import CloudCase, make_png

TODO_INDEX = "ir_attachment_cloud_waiting_idx"


class TestSelection(CloudCase):
    """Who may go: the whitelist, and one truth for the domain and the explanation."""

    def goes(self, attachment):
        """Whether the candidates hold the attachment; the reasons must agree."""
        self.env["ir.attachment"].flush()
        walked = attachment.id in candidates.next_ids(self.config, 0, 10**4)[0]
        found = attachment in candidates.search(
            self.env, candidates.domain(self.config)
        )
        explained = candidates.reasons_to_stay(attachment, self.config)
        self.assertEqual(walked, found, "the walk and the domain disagree")
        waiting = attachment.cloud_next_attempt or attachment.cloud_sync_status not in (
            "local",
            "error",
            False,
        )
        if attachment and not waiting:
            self.assertEqual(walked, attachment not in explained, explained)
        return walked

    def set_types(self, *types):
        self.config.file_type_ids.unlink()
        self.config.file_type_ids = [
            (0, 0, {"extension": ext, "max_size_mb": size}) for ext, size in types
        ]

    def test_extensions(self):
        self.set_types(("pdf", 0), ("tar.gz", 0), ("PNG", 0), (".csv", 0))
        table = {
            "a.pdf": True,
            "A.PDF": True,
            "a.pdf.exe": False,
            "apdf": False,
            "a.pdf ": False,
            "x.tar.gz": True,
            "x.gz": False,
            "image.Png": True,
            "data.csv": True,
            "README": False,
            "a_pdf": False,
            "ñandú “ü” 😀.pdf": True,
            "100%.pdf": True,
        }
        for name, expected in table.items():
            with self.subTest(name=name):
                content = make_png(8) if name.lower().endswith("png") else None
                attachment = self.make_attachment(content, name=name)
                self.assertEqual(self.goes(attachment), expected)

    def test_wildcards_of_like_are_letters(self):
        self.set_types(("p_f", 0))
        self.assertFalse(self.goes(self.make_attachment(name="a.pdf")))
        self.assertTrue(self.goes(self.make_attachment(name="a.p_f")))

    def test_no_extension(self):
        self.set_types(("", 0))
        self.assertTrue(self.goes(self.make_attachment(name="README")))
        self.assertFalse(self.goes(self.make_attachment(name="read.me")))

    def test_double_extension_has_its_own_limit(self):
        self.set_types(("gz", 0), ("tar.gz", 0.001))
        content = b"x" * 3000
        self.assertTrue(self.goes(self.make_attachment(content, name="x.gz")))
        self.assertFalse(self.goes(self.make_attachment(content, name="x.tar.gz")))
        self.assertTrue(self.goes(self.make_attachment(name="y.tar.gz")))

    def test_sizes(self):
        self.set_types(("txt", 0.01), ("pdf", 0))
        self.config.min_file_size_kb = 1
        limit = int(0.01 * 1024 * 1024)
        for size, name, expected in (
            (1023, "a.txt", False),
            (1024, "a.txt", True),
            (limit, "a.txt", True),
            (limit + 1, "a.txt", False),
            (limit + 1, "a.pdf", True),
        ):
            with self.subTest(size=size, name=name):
                attachment = self.make_attachment(b"x" * size, name=name)
                self.assertEqual(self.goes(attachment), expected)

    def test_model_and_record_filter(self):
        company, person = self.env["res.partner"].create(
            [{"name": "Company", "is_company": True}, {"name": "Person"}]
        )
        archived = company.copy({"active": False})
        self.config.model_config_ids.domain = "[('is_company', '=', True)]"
        self.assertTrue(self.goes(self.make_attachment(res_id=company.id)))
        self.assertTrue(self.goes(self.make_attachment(res_id=archived.id)))
        self.assertFalse(self.goes(self.make_attachment(res_id=person.id)))
        self.assertFalse(self.goes(self.make_attachment(model="res.users", res_id=2)))

    def test_binary_field(self):
        partner = self.env["res.partner"].create(
            {"name": "P", "image_1920": base64.b64encode(make_png(64))}
        )
        of_partner = [("res_model", "=", "res.partner"), ("res_id", "=", partner.id)]
        field_files = candidates.search(self.env, of_partner)
        image = field_files.filtered(lambda a: a.res_field == "image_1920")
        self.set_types(("png", 0))
        self.assertFalse(self.goes(image))
        self.config.model_config_ids = [
            (0, 0, {"model_name": "res.partner", "attachment_field": "image_1920"})
        ]
        self.assertTrue(self.goes(image))
        self.assertFalse(self.goes(field_files.filtered(lambda a: a != image)[:1]))
        document = self.make_attachment(make_png(8), name="a.png", res_id=partner.id)
        self.assertTrue(self.goes(document))

    def test_system_files_never_go(self):
        self.set_types(("js", 0), ("txt", 0), ("css", 0))
        for vals in (
            {"model": "ir.ui.view", "name": "a.js"},
            {"model": False, "name": "a.js"},
            {"name": "a.js", "url": "/web/content/1-abc/a.js"},
            {"name": "a.txt", "type": "url", "url": "https://example.com/a.txt"},
        ):
            with self.subTest(**vals):
                content = False if vals.get("type") == "url" else None
                self.assertFalse(self.goes(self.make_attachment(content, **vals)))

    def test_pinned_and_waiting(self):
        attachment = self.make_attachment()
        self.assertTrue(self.goes(attachment))
        attachment.cloud_keep_local = True
        self.assertFalse(self.goes(attachment))
        attachment.cloud_keep_local = False
        soon = fields.Datetime.now() + timedelta(hours=1)
        attachment.cloud_next_attempt = soon
        self.assertFalse(self.goes(attachment))
        attachment.cloud_next_attempt = soon - timedelta(hours=2)
        self.assertTrue(self.goes(attachment))

    def test_rows_without_a_status(self):
        """As SQL makes them, of an upgrade script for example."""
        attachments = self.make_attachments(2)
        attachments.flush()
        self.cr.execute(
            "UPDATE ir_attachment SET cloud_sync_status = NULL WHERE id IN %s",
            (tuple(attachments.ids),),
        )
        attachments.invalidate_cache()
        self.assertTrue(self.goes(attachments[0]))
        self.assertFalse(attachments[0]._knows_cloud())
        self.assertTrue(attachments[0].sync_to_cloud())
        self.assertEqual(self.sync()["synced"], 1)
        self.assertEqual(attachments.mapped("cloud_sync_status"), ["synced"] * 2)

    def test_clause_of_another_addon(self):
        """It holds wherever somebody asks what goes, the engine's window included."""
        service = type(self.env["cloud_storage.sync.service"])
        clauses = service._clauses

        def extended(self, *args, **kwargs):
            found = clauses(self, *args, **kwargs)
            return found + [Clause("is a draft", [("description", "!=", "draft")])]

        draft = self.make_attachment(description="draft")
        ready = self.make_attachment(description="ready")
        self.assertTrue(self.goes(draft))
        with patch.object(service, "_clauses", extended):
            self.assertFalse(self.goes(draft))
            self.assertTrue(self.goes(ready))
            self.assertEqual(candidates.count_waiting(self.config), 1)
            reasons = candidates.reasons_to_stay(draft | ready, self.config)
            self.assertEqual(reasons, {draft: "is a draft"})
            self.assertFalse(draft.sync_to_cloud())
            self.assertEqual(self.sync()["synced"], 1)
        self.fresh()
        self.assertEqual(draft.cloud_sync_status, "local")
        self.assertEqual(ready.cloud_sync_status, "synced")

    def test_missing_content_stays(self):
        attachment = self.make_attachment()
        self.env["ir.attachment"].flush()
        self.cr.execute(
            "UPDATE ir_attachment SET store_fname = NULL WHERE id = %s", (attachment.id,)
        )
        attachment.invalidate_cache()
        self.assertFalse(self.goes(attachment))

    def test_removed_rules_stop_new_uploads_only(self):
        synced = self.make_attachments(1)
        self.sync()
        self.config.file_type_ids.filtered(lambda t: t.extension == "txt").unlink()
        later = self.make_attachment()
        self.assertEqual(self.sync()["synced"], 0)
        self.assertEqual(synced.cloud_sync_status, "synced")
        self.assertEqual(later.cloud_sync_status, "local")
        self.config.model_config_ids.is_active = False
        self.assertFalse(self.goes(self.make_attachment(name="a.pdf")))

    def test_single_file_keeps_the_whitelist(self):
        attachment = self.make_attachment(name="program.exe")
        self.assertIs(attachment.sync_to_cloud(), False)
        log = self.env["cloud_storage.sync.log"].search(
            [("attachment_id", "=", attachment.id)]
        )
        self.assertEqual(log.status, "skipped")
        self.assertIn("file type", log.error_message)
        self.assertFalse(self.drive_files())


class TestLostField(CloudCase):
    """A rule whose filter became wrong is left out, and says so."""

    def test_field_of_a_filter_that_is_gone(self):
        field = self.env["ir.model.fields"].create(
            {
                "name": "x_once",
                "model_id": self.env.ref("base.model_res_partner").id,
                "ttype": "boolean",
            }
        )
        rule = self.config.model_config_ids
        rule.domain = "[('x_once', '=', False)]"
        attachment = self.make_attachment()
        self.cr.commit()
        self.assertFalse(rule.problem)
        field.unlink()
        self.fresh()
        self.assertIn("x_once", rule.problem)
        self.assertEqual(self.config.pending_count, 0)
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.fresh()
        self.assertEqual(attachment.cloud_sync_status, "local")
        rule.domain = "[]"
        self.assertFalse(rule.problem)
        self.assertEqual(self.sync()["synced"], 1)


class TestSettings(CloudCase):
    """Bad settings are refused when they are saved."""

    def test_bad_rules(self):
        for vals in (
            {"model_name": "no.such.model"},
            {"model_name": "ir.ui.view"},
            {"model_name": "cloud_storage.mixin"},
            {"model_name": "res.users", "attachment_field": "no_such_field"},
            {"model_name": "res.users", "attachment_field": "login"},
            {"model_name": "res.users", "domain": "not a domain"},
            {"model_name": "res.users", "domain": "[('no_such_field', '=', 1)]"},
            {"model_name": "res.users", "domain": "[('login', 'frobs', 1)]"},
            {"model_name": "res.users", "domain": "[('login.x', '=', 1)]"},
            {"model_name": "res.users", "domain": "__import__('os').getcwd()"},
            {"model_name": "res.users", "domain": "{'a': 1}"},
            {"model_name": "res.users", "drive_folder_name": "  "},
        ):
            with self.subTest(**vals), self.assertRaises(ValidationError):
                with self.cr.savepoint():
                    self.config.write({"model_config_ids": [(0, 0, vals)]})

    def test_twin_rules(self):
        with self.assertRaises(IntegrityError), self.cr.savepoint(), self._quiet():
            self.config.write({"model_config_ids": [(0, 0, {"model_name": "res.partner"})]})

    def test_bad_file_types(self):
        for extension, refusal in (
            ("txt", IntegrityError),
            ("TXT", IntegrityError),
            (" .txt", IntegrityError),
            ("a/b", ValidationError),
            ("pdf, txt", ValidationError),
            ("a..b", ValidationError),
        ):
            with self.subTest(extension=extension), self._quiet():
                with self.assertRaises(refusal), self.cr.savepoint():
                    vals = {"extension": extension}
                    self.config.write({"file_type_ids": [(0, 0, vals)]})

    def test_bad_root_folder(self):
        with self.assertRaises(ValidationError) as caught, self.cr.savepoint():
            self.config.drive_root_folder_id = "nosuchfolderinthisdrive00000"
        self.assertIn("nosuchfolder", str(caught.exception))
        plain_file = self.emulator.put_file("a.txt", b"x")
        with self.assertRaises(ValidationError), self.cr.savepoint():
            self.config.drive_root_folder_id = plain_file

    def test_numbers(self):
        for vals in (
            {"max_parallel_uploads": 0},
            {"requests_per_second": 0},
            {"keep_local_days": -1},
        ):
            with self.subTest(**vals), self.assertRaises(IntegrityError):
                with self.cr.savepoint(), self._quiet():
                    self.config.write(vals)
                    self.config.flush()

    def _quiet(self):
        return mute_logger("odoo.sql_db")

    def test_defaults(self):
        self.config.create_default_model_configs()
        self.config.create_default_file_types()
        self.config.create_default_file_types()
        self.assertIn("pdf", self.config.file_type_ids.mapped("extension"))
        self.assertEqual(
            self.config.model_config_ids.mapped("model_name").count("res.partner"), 1
        )


class TestCostOfSelection(CloudCase):
    """A batch costs the same however large the table is."""

    def test_plan_on_200000_rows(self):
        partner = self.env.ref("base.main_partner").id
        self.cr.execute(
            "INSERT INTO ir_attachment (name, type, res_model, res_id, file_size,"
            " checksum, store_fname, cloud_sync_status) SELECT 'f' || i || '.txt', 'binary',"
            " CASE WHEN i %% 20 = 0 THEN 'res.partner' ELSE 'ir.ui.view' END, %s, 10,"
            " md5(i::text), 'aa/none',"
            " CASE i %% 6 WHEN 0 THEN 'synced' WHEN 1 THEN NULL ELSE 'local' END"
            " FROM generate_series(1, 200000) AS i",
            (partner,),
        )
        self.cr.execute("ANALYZE ir_attachment")
        ids, up_to = candidates.next_ids(self.config, 0, 64)
        self.assertEqual(len(ids), 64)
        plans = [self._plan(after) for after in (0, up_to)]
        for plan in plans:
            nodes = list(_walk(plan))
            self.assertIn(TODO_INDEX, [node.get("Index Name") for node in nodes])
            self.assertNotIn("Seq Scan", [node["Node Type"] for node in nodes])
            self.assertLessEqual(max(_rows_read(node) for node in nodes), WINDOW)

    def _plan(self, after_id):
        """The plan, with real row counts, of the query that claims."""
        executed = []
        execute = self.cr.execute

        def spy(query, params=None, **kwargs):
            executed.append((query, params))
            return execute(query, params, **kwargs)

        self.cr.execute = spy
        try:
            candidates.next_ids(self.config, after_id, 64)
        finally:
            del self.cr.execute
        query, params = executed[-1]
        self.cr.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query, params)
        found = self.cr.fetchone()[0]
        return (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def _walk(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from _walk(child)


def _rows_read(node):
    return node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
