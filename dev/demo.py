"""The main job on a real Odoo: authorize, sync, compare every byte, read back."""
import base64
import hashlib
import time

from . import demo_files, odoo, shell
from .emulator import drive_emulator
from .rpc import OdooError, OdooSession
from .sandbox import sandbox
from .say import Trouble, step

DATABASE = "cloud_storage"
LOGIN = PASSWORD = "admin"
ODOO_PORT = 8069
MAX_RUNS = 20
FOLDER = "application/vnd.google-apps.folder"
RANGE = 1024  # bytes asked for by range
SERVICE = "cloud_storage.sync.service"
CLICKS = """
Odoo is running:  %(url)s   user: admin   password: admin
Cloud Storage >
  Configuration > Accounts         the authorized account (try its buttons)
  Configuration > Configurations   what is synced; Sync Now runs it again
  Operations > Sync Runs, Logs     what just happened, file by file
  Operations > Attachments         open a file, its bytes come from Drive
The Drive emulator is at %(drive)s, Odoo's log in %(log)s
Ctrl-C ends everything."""
ENDPOINTS = {
    "google_auth_uri": "/o/oauth2/v2/auth",
    "google_token_uri": "/token",
    "google_revoke_uri": "/revoke",
    "google_api_root": "/",
}
POINT = """
for name, url in given["urls"].items():
    env["ir.config_parameter"].set_param("cloud_storage." + name, url)
env.cr.commit()
"""


def run(python, stop, faults):
    """Set up, show the main job, and leave Odoo running unless told to stop.

    :param bool stop: end when all is shown
    :param bool faults: let Drive fail on the way
    :return: exit status
    :rtype: int
    """
    with sandbox(python) as box, drive_emulator() as emulator:
        box.create_database(DATABASE)
        box.install_addon(DATABASE)
        point_to_emulator(box, DATABASE, emulator)
        with odoo.Server(box, DATABASE, ODOO_PORT) as server:
            demo = Demo(server.url, emulator)
            demo.show(faults)
            if stop:
                return 0
            print(CLICKS % {"url": server.url, "drive": emulator.url, "log": box.log})
            while server.process.poll() is None:
                time.sleep(0.5)
            raise Trouble("Odoo ended by itself, see %s" % box.log)


def point_to_emulator(box, database, emulator):
    """Set the endpoints, whose defaults are Google's: on the server, nobody else may."""
    step("pointing Odoo to the emulator")
    urls = {name: emulator.url + path for name, path in ENDPOINTS.items()}
    shell.run(box, database, POINT, urls=urls)


class Demo:
    """The main job, step by step, as an administrator does it.

    :param str url: address of the running Odoo
    :param Emulator emulator: a running Drive
    """

    def __init__(self, url, emulator):
        self.session = OdooSession(url)
        self.emulator = emulator
        self.call = self.session.call
        self.attached = {}  # attachment id -> sample
        self.totals = {}

    def show(self, faults):
        """Do it all.

        :raises Trouble: as soon as something is not as it should be
        """
        self.session.login(DATABASE, LOGIN, PASSWORD)
        config = self.configure(self.authorize())
        self.attach(demo_files.samples())
        if faults:
            self.break_drive()
        self.sync(config)
        reasons = self.refused()
        objects = self.compare()
        self.read_back()
        self.check_invariants()
        self.report(objects, reasons)

    def authorize(self):
        """Create an account and go through the whole OAuth round trip.

        :return: id of the account
        :rtype: int
        """
        step("authorizing an account: consent page, callback, code exchange")
        redirect = self.session.url + "/cloud_storage/oauth/callback"
        client = self.emulator.client(redirect_uris=[redirect])
        values = {"name": "Demo account", "redirect_uri": redirect}
        values.update({key: client[key] for key in ("client_id", "client_secret")})
        account = self.call("cloud_storage.auth", "create", values)
        address = self.call("cloud_storage.auth", "get_auth_url", [account])
        answer = self.session.get(self.emulator.consent(address))
        found = self.call("cloud_storage.auth", "read", [account], ["state"])[0]
        expect(answer.ok, "the callback answered %s", answer.status_code)
        expect(found["state"] == "authorized", "the account is %s", found["state"])
        return account

    def configure(self, account):
        """Say what is synced.

        :return: id of the configuration
        :rtype: int
        """
        rules = [(0, 0, {"model_name": model}) for model in demo_files.MODELS]
        types = [(0, 0, {"extension": ext}) for ext in demo_files.EXTENSIONS]
        values = {
            "name": "Demo",
            "auth_id": account,
            "delete_local_after_sync": True,
            "model_config_ids": rules,
            "file_type_ids": types,
        }
        return self.call("cloud_storage.config", "create", values)

    def attach(self, samples):
        """Attach the samples to records of their models."""
        size = sum(len(sample.content) for sample in samples)
        step("attaching %d files, %s", len(samples), human(size))
        records = {}
        for sample in samples:
            if sample.model not in records:
                records[sample.model] = self.record(sample.model)
            values = {
                "name": sample.name,
                "datas": base64.b64encode(sample.content).decode(),
                "res_model": sample.model,
                "res_id": records[sample.model],
            }
            self.attached[self.call("ir.attachment", "create", values)] = sample

    def record(self, model):
        """A record to attach to: a new one where that is simple.

        :rtype: int
        """
        if model in ("res.partner", "res.bank"):
            return self.call(model, "create", {"name": "Cloud Storage demo"})
        return self.call(model, "search", [], limit=1)[0]

    def break_drive(self):
        """Let Drive fail as it does on a bad day."""
        step("Drive will fail: 429, 503, a lost answer, a cut upload, an expired token")
        fault = self.emulator.fault
        fault("files.upload.multipart", times=4, after=3, status=429, retry_after=1,
              reason="rateLimitExceeded")
        fault("files.upload.multipart", times=3, after=12, status=503)
        fault("files.upload.multipart", times=1, after=20, lose_answer=True)
        fault("files.upload.chunk", times=1, cut_after=1 << 19)
        fault("files.upload.chunk", times=1, after=1, lose_answer=True)
        fault("files.create", times=1, status=503)
        self.emulator.expire_tokens()

    def sync(self, config):
        """Run the sync until nothing remains."""
        step("syncing")
        started = time.monotonic()
        for _run in range(MAX_RUNS):
            summary = self.call(SERVICE, "manual_sync", config)
            for key, value in summary.items():
                if isinstance(value, (int, float)):
                    self.totals[key] = self.totals.get(key, 0) + value
            if not summary["remaining"]:
                break
        self.totals["seconds"] = time.monotonic() - started
        expect(not summary["remaining"], "%d files remain", summary["remaining"])

    def refused(self):
        """Try to send what must stay.

        :return: (file name, reason given by Odoo) pairs
        :rtype: list
        """
        reasons = []
        for attachment, sample in self.stay():
            gone = self.call("ir.attachment", "sync_to_cloud", [attachment])
            expect(not gone, "%s was sent to the cloud", sample.name)
            log = self.call(
                "cloud_storage.sync.log",
                "search_read",
                [("attachment_id", "=", attachment)],
                ["status", "error_message"],
                limit=1,
                order="id desc",
            )
            expect(log, "no log row tells why %s stays", sample.name)
            reasons.append((sample.name, log[0]["error_message"]))
        return reasons

    def go(self):
        """Attachments that must be in the cloud."""
        return [item for item in self.attached.items() if not item[1].reason]

    def stay(self):
        """Attachments that must not be."""
        return [item for item in self.attached.items() if item[1].reason]

    def compare(self):
        """Hold every file on the Drive against the bytes it was made of.

        :return: number of files on the Drive
        :rtype: int
        """
        step("comparing the md5 of every file on the Drive")
        fields = ["cloud_file_id", "cloud_sync_status", "type", "cloud_error_message"]
        rows = self.call("ir.attachment", "read", list(self.attached), fields)
        row_of = {row["id"]: row for row in rows}
        on_drive = {
            file["id"]
            for file in self.emulator.files(trashed=False)
            if file["mimeType"] != FOLDER
        }
        for attachment, sample in self.go():
            row = row_of[attachment]
            expect(row["cloud_sync_status"] == "synced", "%s: %s", sample.name, row)
            expect(row["cloud_file_id"] in on_drive, "%s is not there", sample.name)
            there = self.emulator.content(row["cloud_file_id"])
            expect(md5(there) == md5(sample.content), "%s differs", sample.name)
        for attachment, sample in self.stay():
            expect(not row_of[attachment]["cloud_file_id"], "%s is there", sample.name)
        used = {row["cloud_file_id"] for row in rows} - {False}
        expect(on_drive == used, "%d files too many on the Drive", len(on_drive - used))
        contents = {sample.content for _id, sample in self.go()}
        expect(len(on_drive) == len(contents), "the Drive holds duplicates")
        return len(on_drive)

    def read_back(self):
        """Read the one with the long name and the big one back, three ways."""
        step("reading two files back: ORM, whole and by range")
        names = (demo_files.NASTY_NAME, "recording.wav")
        for attachment, sample in self.go():
            if sample.name not in names:
                continue
            row = self.call("ir.attachment", "read", [attachment], ["datas"])[0]
            content = base64.b64decode(row["datas"] or "")
            expect(content == sample.content, "the ORM reads another %s", sample.name)
            path = "/cloud_storage/file/%d" % attachment
            whole = self.session.get(path)
            expect(whole.status_code == 200, "%s: HTTP %s", path, whole.status_code)
            expect(whole.content == sample.content, "%s gives other bytes", path)
            self.check_range(path, sample.content)

    def check_range(self, path, content):
        """Ask for the first bytes only."""
        part = self.session.get(path, Range="bytes=0-%d" % (RANGE - 1))
        expected = "bytes 0-%d/%d" % (RANGE - 1, len(content))
        expect(part.status_code == 206, "%s by range: HTTP %s", path, part.status_code)
        expect(part.headers.get("Content-Range") == expected, "%s", part.headers)
        expect(part.content == content[:RANGE], "%s gives other bytes by range", path)

    def check_invariants(self):
        """Let the addon check itself, where it can."""
        try:
            broken = self.call(SERVICE, "check_invariants")
        except OdooError as err:
            if err.name == "builtins.AttributeError":
                return
            raise
        expect(broken in (None, False, True, [], {}), "invariants broken: %s", broken)

    def report(self, objects, reasons):
        """Print the table."""
        totals = self.totals
        requests = self.emulator.requests()
        failed = sum(1 for request in requests if request["status"] >= 400)
        errors = self.call(
            "cloud_storage.sync.log",
            "search_read",
            [("status", "=", "error")],
            ["file_name", "error_message"],
        )
        rows = [
            ("files synced", "%d (as %d on the Drive)" % (totals["synced"], objects)),
            ("skipped", len(reasons)),
            *(("  " + name, reason) for name, reason in reasons),
            ("errors", totals["errors"]),
            *(("  " + row["file_name"], row["error_message"]) for row in errors),
            ("bytes uploaded", human(totals["bytes_uploaded"])),
            ("bytes freed", human(totals["bytes_freed"])),
            ("requests", "%d (%d refused)" % (len(requests), failed)),
            ("seconds", "%.1f" % totals["seconds"]),
        ]
        print()
        for label, value in rows:
            print("  %-18s %s" % (label, value))
        expect(totals["synced"] == len(self.go()), "not every file was counted")
        expect(not totals["errors"], "there were errors")


def expect(condition, text, *args):
    """Stop the demo when something is not as it should be."""
    if not condition:
        raise Trouble("MISMATCH: " + text % args)


def md5(content):
    """Hexadecimal md5, as Drive gives it."""
    return hashlib.md5(content).hexdigest()


def human(size):
    """A size in bytes for people."""
    return "%.1f MB" % (size / 1e6) if size >= 1e5 else "%d bytes" % size
