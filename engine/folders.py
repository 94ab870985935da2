"""The folders in Drive: found or made once, their ids kept."""

import contextlib

from ..drive.errors import ForbiddenError, NotFoundError
from ..drive.query import FOLDER_TYPE
from ..utils.filenames import drive_file_name
from .transaction import FOLDER_LOCK

#: Drive allows 500,000 items in a folder; a little less, for files in flight.
MAX_ITEMS = 490000
ROOT_NAME = "Odoo Cloud Storage"


class Folders:
    """The folders of a job: each looked up, checked or created at most once.

    :param env: the run's environment
    :param config: a ``cloud_storage.config`` record
    :param DriveClient client: the account's
    """

    def __init__(self, env, config, client):
        self._env, self._config, self._client = env, config, client
        self._known = {}

    def folder_for(self, rule, created):
        """Id of the folder for an attachment.

        :param rule: its ``cloud_storage.model.config`` record
        :param datetime created: when the attachment was created
        :raises DriveError: Drive refused or did not answer
        """
        month = (
            created.strftime("%Y-%m") if self._config.folder_layout == "monthly" else ""
        )
        key = (rule.id, month)
        if key not in self._known:
            with self._lock():
                self._known[key] = self._prepare(rule, month)
        folder = self._known[key]
        folder["count"] += 1
        if folder["count"] > MAX_ITEMS:
            del self._known[key]
            return self._overflow(rule, month)
        return folder["id"]

    def fill(self, folder_id):
        """Use the folder no more: Drive said that it is full."""
        for folder in self._known.values():
            if folder["id"] == folder_id:
                folder["count"] = MAX_ITEMS

    def forget(self):
        """Check every folder again: Drive said that one of them is gone."""
        self._known.clear()

    @contextlib.contextmanager
    def _lock(self):
        """Two workers never make the same folder twice."""
        with contextlib.closing(self._env.registry.cursor()) as cr:
            keys = (FOLDER_LOCK, self._config.auth_id.id)
            cr.execute("SELECT pg_advisory_xact_lock(%s, %s)", keys)
            self._env.cr.commit()  # a new snapshot: see what the other one made
            self._env.cache.invalidate()
            yield
            self._env.cr.commit()  # ids are kept before anybody else may look

    def _prepare(self, rule, month):
        model_id = self._check(rule.drive_folder_id) or self._make(
            rule.drive_folder_name, self._root()
        )
        if rule.drive_folder_id != model_id:
            rule.drive_folder_id = model_id
        if not month:
            return self._row(rule, rule.drive_folder_name, model_id, "")
        row = self._find_row(rule, month)
        kept = self._check(row.drive_folder_id) if row else None
        return self._row(rule, month, kept or self._make(month, model_id), month)

    def _root(self):
        config = self._config
        parameter = (
            self._env["ir.config_parameter"]
            .sudo()
            .get_param("cloud_storage.drive_root_folder_id")
        )
        wanted = config.drive_root_folder_id or parameter
        if wanted and self._check(wanted):
            return wanted
        name = ROOT_NAME if not wanted else "%s (%s)" % (ROOT_NAME, self._env.cr.dbname)
        root_id = self._make(name, self._client.root_id())
        config.with_context(folder_known=True).drive_root_folder_id = root_id
        return root_id

    def _check(self, folder_id):
        """The id when a live folder has it, else None."""
        if not folder_id:
            return None
        try:
            found = self._client.get(folder_id, fields="id,mimeType,trashed")
        except (NotFoundError, ForbiddenError):
            return None
        if found["mimeType"] != FOLDER_TYPE or found.get("trashed"):
            return None
        return folder_id

    def _make(self, name, parent_id):
        name = drive_file_name(name)
        found = self._client.find_folder(name, parent_id)
        return (found or self._client.create_folder(name, parent_id))["id"]

    def _find_row(self, rule, name):
        return self._env["cloud_storage.folder"].search(
            [("model_config_id", "=", rule.id), ("name", "=", name)],
            order="id desc",
            limit=1,
        )

    def _row(self, rule, name, folder_id, month):
        row = self._find_row(rule, name)
        if not row:
            row = row.create({"model_config_id": rule.id, "name": name})
        if row.drive_folder_id != folder_id:
            row.write({"drive_folder_id": folder_id, "item_count": 0})
        return {"id": folder_id, "count": row.item_count, "row": row}

    def _overflow(self, rule, month):
        """A folder beside the full one takes the rest."""
        with self._lock():
            stem = month or rule.drive_folder_name
            number = 2 + self._env["cloud_storage.folder"].search_count(
                [
                    ("model_config_id", "=", rule.id),
                    ("name", "=like", stem.replace("%", r"\%") + " (%)"),
                ]
            )
            name = "%s (%d)" % (stem, number)
            parent = rule.drive_folder_id if month else self._root()
            folder_id = self._make(name, parent)
            if not month:
                rule.drive_folder_id = folder_id
            self._known[(rule.id, month)] = self._row(rule, name, folder_id, month)
        return folder_id

    def save_counts(self):
        """Remember how full the folders are."""
        for folder in self._known.values():
            if folder["row"].item_count != folder["count"]:
                folder["row"].item_count = folder["count"]
