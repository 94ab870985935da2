"""What a run makes of the answers it gets: noise changes nothing, refusals end it once."""

from .test_faults import UPLOAD, FaultCase

EMPTY = {"name": "nothing of what was asked for"}
PASSING = (
    {"html": True},
    {"body": EMPTY},
    {"body": []},
    {"body": None},
    {"html": True, "status": 404},
    {"html": True, "status": 403},
    {"body": {"error": {"errors": ["x"]}}, "status": 503},
)


class TestAnswers(FaultCase):
    def setUp(self):
        super().setUp()
        self.config.max_parallel_uploads = 2

    def test_noise_passes(self):
        """Whatever stands in between and answers instead of Google."""
        for fault in PASSING:
            for route in ("files.generateIds", UPLOAD, "files.get"):
                with self.subTest(route=route, **fault):
                    self.emulator.clear_faults()
                    attachment = self.make_attachment()
                    content = attachment.raw
                    self.emulator.fault(route, times=2, **fault)
                    self.assertEqual(self.sync()["synced"], 1)
                    self.assertOnDrive(attachment, content)

    def test_noise_marks_nothing(self):
        """A captive portal for the whole run."""
        files, _contents = self.make_files(3)
        self.emulator.fault("*", times=-1, html=True)
        run = self.run_of(self.sync())
        self.emulator.clear_faults()
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"local"})
        self.assertNotEqual(run.state, "running")
        self.assertEqual(self.auth.state, "authorized")
        self.assertEqual(self.sync()["synced"], 3)

    def test_refusal_of_all_files_ends_the_run_once(self):
        for reason in (
            "activeItemCreationLimitExceeded",
            "accessNotConfigured",
            "domainPolicy",
        ):
            with self.subTest(reason):
                self.emulator.clear_faults()
                files, _contents = self.make_files(20)
                self.emulator.fault(
                    UPLOAD, times=-1, status=403, reason=reason, message="Why not."
                )
                run = self.run_of(self.sync())
                self.assertEqual(run.state, "failed")
                self.assertIn("Why not.", run.message)
                self.assertEqual(run.total_errors, 0)
                self.assertEqual(set(files.mapped("cloud_sync_status")), {"local"})
                files.unlink()
                self.cr.commit()

    def test_unknown_reason_for_one_file_after_the_other(self):
        files, _contents = self.make_files(40)
        self.emulator.fault(
            UPLOAD, times=-1, status=403, reason="newsOfNextYear", message="Why not."
        )
        run = self.run_of(self.sync())
        self.assertEqual(run.state, "failed")
        self.assertIn("Why not.", run.message)
        self.assertLess(run.total_errors, 20)
        self.assertGreater(
            len(files.filtered(lambda a: a.cloud_sync_status == "local")), 20
        )

    def test_refusal_of_one_file_is_its_own(self):
        files, contents = self.make_files(20)
        self.emulator.fault(
            UPLOAD, after=5, status=403, reason="newsOfNextYear", message="Why not."
        )
        run = self.run_of(self.sync())
        self.assertEqual((run.state, run.total_errors), ("done", 1))
        [failed] = files.filtered(lambda a: a.cloud_sync_status == "error")
        self.assertEqual(failed.cloud_error_message, "Why not.")
        self.assertEqual(self.local_path(failed) and failed.raw, contents[failed])

    def test_full_folder_gets_a_sibling(self):
        files, contents = self.make_files(6)
        self.emulator.fault(
            UPLOAD,
            after=2,
            times=2,
            status=403,
            reason="numChildrenInNonRootLimitExceeded",
        )
        self.assertEqual(self.sync()["synced"], 6)
        self.assertAllThere(files, contents)
        names = {self.parent_name(file) for file in self.drive_files()}
        self.assertEqual(len(names), 2)
        self.assertTrue(any(name.endswith(" (2)") for name in names), names)

    def run_of(self, summary):
        self.fresh()
        return self.env["cloud_storage.sync.run"].browse(summary["run_ids"])

    def parent_name(self, file):
        return self.emulator.file(file["parents"][0])["name"]
