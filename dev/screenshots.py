"""Pictures of every view at two widths, of a database that the demo filled."""

import pathlib
import sys
import time

from . import odoo, paths, processes
from .demo import DATABASE, SERVICE, Demo, point_to_emulator
from .demo_files import samples
from .devtools import Chromium
from .emulator import drive_emulator
from .sandbox import sandbox
from .say import exit_code, step

SIZES = {"wide": (1280, 900), "narrow": (400, 900)}
#: Those that the description page shows.
PUBLISHED = ("dashboard", "attachments", "savings", "setup-account", "run")
FILES_OF_A_RUN = 22
FAILURES = 3
READS = 12
READY = (
    "window.odoo && odoo.isReady"
    " && !document.querySelector('.o_loading:not([style*=none]), .o_blockUI')"
    " && document.querySelector('.o_action_manager .o_view_controller')"
)
ACTIONS = {
    "dashboard": ("cloud_storage_dashboard_action", {}),
    "setup-models": ("cloud_storage_setup_action", {}),
    "access-logs": ("cloud_storage_access_log_action", {}),
    "accounts": ("cloud_storage_auth_action", {}),
    "attachments": ("ir_attachment_action", {}),
    "attachments-kanban": ("ir_attachment_action", {"view_type": "kanban"}),
    "attachments-pivot": ("ir_attachment_action", {"view_type": "pivot"}),
    "attachments-graph": ("ir_attachment_action", {"view_type": "graph"}),
    "runs": ("cloud_storage_sync_run_action", {}),
    "runs-graph": ("cloud_storage_sync_run_action", {"view_type": "graph"}),
    "runs-kanban": ("cloud_storage_sync_run_action", {"view_type": "kanban"}),
    "logs": ("cloud_storage_sync_log_action", {}),
    "logs-kanban": ("cloud_storage_sync_log_action", {"view_type": "kanban"}),
    "logs-graph": ("cloud_storage_sync_log_action", {"view_type": "graph"}),
    "logs-pivot": ("cloud_storage_sync_log_action", {"view_type": "pivot"}),
    "configs": ("cloud_storage_config_action", {}),
    "models": ("cloud_storage_model_config_action", {}),
    "types": ("cloud_storage_file_type_action", {}),
}
#: Views of one record: model, the domain that finds it.
RECORDS = {
    "attachment": ("ir.attachment", [["cloud_sync_status", "=", "synced"]]),
    "attachment-error": ("ir.attachment", [["cloud_sync_status", "=", "error"]]),
    "run": ("cloud_storage.sync.run", [["sync_type", "=", "manual"]]),
    "run-failed": ("cloud_storage.sync.run", [["state", "=", "failed"]]),
    "log": ("cloud_storage.sync.log", [["status", "!=", "success"]]),
    "config": ("cloud_storage.config", []),
    "account": ("cloud_storage.auth", []),
    "model": ("cloud_storage.model.config", []),
}
#: Dialogs: the button that opens them, on the newest record of a model.
DIALOGS = {
    "revoke": ("cloud_storage.auth", "action_ask_revoke", ""),
    "sync": ("cloud_storage.config", "action_ask_sync", ""),
    "restore": (
        "cloud_storage.config",
        "action_restore_local_from_folder",
        "action_preview",
    ),
    "migrate": ("cloud_storage.config", "action_migrate_between_accounts", ""),
}
PRESS = "document.querySelector('%s button[name=%s]').click()"
LANGUAGE = "es_ES"


class Photographer:
    """Takes pictures of a running Odoo.

    :param OdooSession session: logged in
    :param Chromium page: a browser
    :param pathlib.Path folder: where the pictures go
    """

    def __init__(self, session, page, folder):
        self.session, self.page, self.folder = session, page, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.menu = self._id("menu_cloud_storage")
        page.cookie(session.url, "session_id", session.http.cookies["session_id"])

    def take(self, name, fragment, *before):
        """A picture per size of what is behind ``/web#fragment``.

        :param before: JavaScript to run once the view is there, with a rest after each
        """
        for size, (width, height) in SIZES.items():
            self.page.resize(width, height)
            self.page.open(
                "%s/web#menu_id=%d&%s" % (self.session.url, self.menu, fragment)
            )
            self.page.wait(READY)
            for script in ("true", *before):
                self.page.run(script)
                time.sleep(0.7)  # animations of charts and menus
            self.page.picture(self.folder / ("%s-%s.png" % (name, size)))
        step("%s", name)

    def action(self, name, xml_id, **options):
        """A picture of an action."""
        options["action"] = self._id(xml_id)
        self.take(name, "&".join("%s=%s" % item for item in options.items()))

    def _id(self, xml_id):
        domain = [["module", "=", paths.ADDON], ["name", "=", xml_id]]
        found = self.session.call("ir.model.data", "search_read", domain, ["res_id"])
        return found[0]["res_id"]

    def record(self, name, model, domain):
        """A picture of the newest record of a domain; none when there is none."""
        found = self.session.call(model, "search", domain, limit=1, order="id desc")
        if found:
            self.take(name, "id=%d&model=%s&view_type=form" % (found[0], model))

    def all(self, only=""):
        """Every view whose name begins with ``only``."""
        for name, (xml_id, options) in ACTIONS.items():
            if name.startswith(only):
                self.action(name, xml_id, **options)
        for name, (model, domain) in RECORDS.items():
            if name.startswith(only):
                self.record(name, model, domain)

        for name, (model, button, inside) in DIALOGS.items():
            if name.startswith(only):
                self.dialog(name, model, button, inside)

    def dialog(self, name, model, button, inside):
        """A picture of the dialog that a button opens, after one more in there."""
        [res_id] = self.session.call(model, "search", [], limit=1, order="id desc")
        presses = [PRESS % ("", button)] + [PRESS % (".modal", inside)] * bool(inside)
        fragment = "id=%d&model=%s&view_type=form" % (res_id, model)
        self.take(name, fragment, *presses)

    def speak(self, code):
        """Have the pictures that follow in another language, in a folder of its own."""
        wizard = self.session.call("base.language.install", "create", {"lang": code})
        self.session.call("base.language.install", "lang_install", [wizard])
        users = self.session.call("res.users", "search", [["login", "=", "admin"]])
        self.session.call("res.users", "write", users, {"lang": code})
        self.folder = self.folder / code
        self.folder.mkdir(exist_ok=True)

    def savings(self):
        """The savings report, of a configuration."""
        config = self.session.call("cloud_storage.config", "search", [], limit=1)
        report = self.session.call(
            "cloud_storage.config", "action_savings_report", config
        )
        fragment = "id=%(res_id)d&model=%(res_model)s&view_type=form" % report
        self.take("savings", fragment)


def prepare(demo):
    """Files that wait for their first sync.

    :return: id of the configuration
    """
    config = demo.configure(demo.authorize())
    demo.attach(samples())
    return config


def sync(demo, config):
    """Files in the cloud, some that failed, some that wait."""
    demo.call(SERVICE, "manual_sync", config, limit=FILES_OF_A_RUN)
    demo.emulator.fault("files.upload.multipart", times=FAILURES, status=400)
    demo.call(SERVICE, "manual_sync", config, limit=FILES_OF_A_RUN)
    demo.emulator.clear_faults()
    demo.refused()
    read(demo)


def read(demo):
    """Files that were read, some of them twice."""
    synced = [["cloud_sync_status", "=", "synced"]]
    ids = demo.call("ir.attachment", "search", synced, limit=READS)
    for attachment in ids + ids[: READS // 2]:
        demo.session.get("/cloud_storage/file/%d" % attachment)


def main():
    """Take them all; the published ones go to ``static/description``."""
    folder = paths.cache() / "screenshots"
    with sandbox(pathlib.Path(sys.executable)) as box, drive_emulator() as emulator:
        box.create_database(DATABASE)
        box.install_addon(DATABASE)
        point_to_emulator(box, DATABASE, emulator)
        with odoo.Server(box, DATABASE) as server, Chromium() as page:
            demo = Demo(server.url, emulator)
            demo.session.login(DATABASE, "admin", "admin")
            photographer = Photographer(demo.session, page, folder)
            photographer.action("setup-account", "cloud_storage_setup_action")
            config = prepare(demo)
            photographer.savings()
            photographer.dialog("first-sync", *DIALOGS["sync"])
            sync(demo, config)
            photographer.all()
            photographer.speak(LANGUAGE)
            photographer.all()
    for name in PUBLISHED:
        source = folder / ("%s-wide.png" % name)
        target = paths.CHECKOUT / "static" / "description" / (name + ".png")
        target.write_bytes(source.read_bytes())
    step("all pictures are in %s", folder)


if __name__ == "__main__":
    with processes.household():
        code = exit_code(main)
    sys.exit(code)
