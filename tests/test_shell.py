import contextlib
import io

from .common import CloudCase


class TestShell(CloudCase):
    """What the documentation says can be typed in ``odoo-bin shell``, word for word."""

    def typed(self, line, **names):
        """What a line evaluates to, or prints."""
        printed = io.StringIO()
        scope = dict(env=self.env, **names)
        with contextlib.redirect_stdout(printed):
            try:
                return eval(line, scope)  # pylint: disable=eval-used
            except SyntaxError:
                exec(line, scope)  # pylint: disable=exec-used
        return scope.get("result") or printed.getvalue()

    def test_lines(self):
        attachment = self.make_attachments(1)
        scope = {"env": self.env}
        exec(
            "config = env['cloud_storage.config']"
            ".search([('is_active', '=', True)], limit=1)",
            scope,
        )
        config = scope["config"]
        self.assertEqual(config, self.config)
        self.assertEqual(
            self.typed(
                "env['cloud_storage.sync.service'].manual_sync(config.id, limit=10)",
                config=config,
            )["synced"],
            1,
        )
        line = "env['ir.attachment'].browse(123).sync_to_cloud()"
        self.assertIs(self.typed(line.replace("123", str(attachment.id))), True)
        self.assertIn(
            "note.txt success",
            self.typed(
                "for log in env['cloud_storage.sync.log'].search([], limit=20,"
                " order='sync_date desc'): print(log.sync_date, log.attachment_id.name,"
                " log.status, log.error_message)"
            ),
        )
        self.make_attachments(2)
        summary = self.typed("env['cloud_storage.sync.service'].automatic_sync()")
        self.assertEqual(summary["synced"], 2)
        for line in (
            "env['cloud_storage.config'].action_check_and_refresh_tokens()",
            "env['cloud_storage.config'].action_force_refresh_tokens()",
        ):
            self.assertEqual(self.typed(line)["params"]["type"], "success")
        result = self.typed(
            "env['cloud_storage.sync.service'].reconcile_cloud_references(200)"
        )
        self.assertEqual(set(result), {"checked", "fixed", "missing", "errors"})
        self.assertEqual((result["checked"], result["errors"]), (3, 0))

    def test_retry_a_failed_file(self):
        attachment = self.make_attachment()
        self.emulator.fault("files.upload.multipart", status=400, reason="badRequest")
        self.sync()
        self.assertEqual(attachment.cloud_sync_status, "error")
        scope = {"attachment": attachment}
        exec(
            "attachment.cloud_sync_status = 'local'; result = attachment.sync_to_cloud()",
            scope,
        )
        self.assertIs(scope["result"], True)

    def test_accounts(self):
        printed = self.typed(
            "for auth in env['cloud_storage.auth'].search([]): print(auth.name,"
            " auth.state, auth.token_expiry)"
        )
        self.assertIn("authorized", printed)
        self.cr.commit()
        exec("auth.refresh_access_token(); auth.action_test_connection()", self.scope())
        self.assertEqual(self.emulator.count("token"), 1)
        self.assertGreaterEqual(self.emulator.count("about"), 1)

    def scope(self):
        return {"env": self.env, "auth": self.auth}

    def test_statistics(self):
        files = self.make_attachments(3)
        self.sync()
        count = self.typed(
            "env['ir.attachment'].search_count([('cloud_sync_status', '=', 'synced')])"
        )
        self.assertEqual(count, 3)
        size = self.typed(
            "sum(env['ir.attachment'].search([('cloud_sync_status', '=', 'synced')])"
            ".mapped('cloud_size_bytes'))"
        )
        self.assertEqual(size, sum(files.mapped("file_size")))
        self.typed(
            'env.cr.execute("SELECT res_model, COUNT(*), SUM(cloud_size_bytes)/1024/1024'
            " FROM ir_attachment WHERE cloud_sync_status = 'synced' GROUP BY res_model\")"
        )
        self.assertEqual(self.cr.fetchall()[0][:2], ("res.partner", 3))

    def test_sizes_above_2_gb_fit(self):
        attachment = self.make_attachment()
        attachment.cloud_size_bytes = 5 * 1024**3
        log = self.env["cloud_storage.sync.log"]
        log._append(
            [{"sync_type": "single", "status": "success", "file_size_bytes": 6 * 1024**3}]
        )
        self.fresh()
        self.assertEqual(attachment.cloud_size_bytes, 5 * 1024**3)
        self.assertEqual(log.search([], limit=1).file_size_mb, 6 * 1024)

    def test_services_of_the_original(self):
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"]
        drive = service._get_google_drive_service(self.auth)
        self.assertEqual(drive.files().list().execute()["files"], [])
        self.emulator.fault("files.generateIds", status=503)
        ids = service._execute_with_backoff(drive.files().generateIds().execute)
        self.assertEqual(len(ids["ids"]), 10)
        self.assertIs(service._sync_file(self.make_attachments(1)), True)
