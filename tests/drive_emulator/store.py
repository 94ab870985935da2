"""What the emulator remembers: tables in memory, a journal and contents on disk.

Every change is one line appended to ``journal.jsonl`` by one ``write`` call, so what
was answered survives ``kill -9``. Records are never changed in place: a change puts
a new dict, so that readers need no lock. Contents are files below ``content/``.
"""
import json
import os
import secrets
import shutil
import threading
import time

TABLES = (
    "settings",
    "clients",
    "keys",
    "codes",
    "grants",
    "refresh",
    "access",
    "users",
    "drives",
    "generated",
    "files",
    "sessions",
)
KEPT_BY_RESET = ("clients", "keys")


class Store:
    """Tables of JSON records and the directory of contents.

    :param str directory: where contents (and the journal) are kept
    :param bool durable: write a journal and read it back at start
    """

    def __init__(self, directory, durable):
        self.directory = directory
        self.lock = threading.RLock()
        self.tables = {name: {} for name in TABLES}
        self.lists = 0  # answered files.list calls, for the list lag
        self._frozen, self._frozen_until = None, None
        self._journal = None
        os.makedirs(os.path.join(directory, "content"), exist_ok=True)
        if durable:
            self._replay()
            self._compact()

    def now(self):
        """Seconds since the epoch by the emulator's clock, which tests may move."""
        return time.time() + self.tables["settings"].get("clock_offset", 0)

    def setting(self, name, default=None):
        """The value of a setting, or the default."""
        return self.tables["settings"].get(name, default)

    def get(self, table, key):
        """One record, or None."""
        return self.tables[table].get(key)

    def all(self, table):
        """A list of the records of a table as they are now."""
        return list(self.tables[table].values())

    def items(self, table):
        """A list of ``(key, record)`` of a table as they are now."""
        return list(self.tables[table].items())

    def freeze_lists(self, requests=None):
        """Have lists show the files as they are now, for so many lists or for ever."""
        self._frozen_until = None if requests is None else self.lists + requests
        self._frozen = self.all("files")

    def thaw_lists(self):
        """Have lists show the files as they are."""
        self._frozen = self._frozen_until = None

    def listed(self):
        """The files a list looks at, which may be those of an earlier moment."""
        frozen, until = self._frozen, self._frozen_until
        if frozen is None or (until is not None and self.lists >= until):
            return self.all("files")
        return frozen

    def put(self, table, key, record):
        """Write one record."""
        self.put_all(table, {key: record})

    def put_all(self, table, records):
        """Write several records of one table as one change."""
        with self.lock:
            self.tables[table].update(records)
            self._write(table, records)

    def drop(self, table, *keys):
        """Forget records; unknown keys are passed over."""
        with self.lock:
            known = [key for key in keys if key in self.tables[table]]
            for key in known:
                del self.tables[table][key]
            if known:
                self._write(table, dict.fromkeys(known))

    def reset(self, everything):
        """Empty the tables (clients and keys only when told) and the contents."""
        with self.lock:
            self.thaw_lists()
            for name in TABLES:
                if everything or name not in KEPT_BY_RESET:
                    self.drop(name, *list(self.tables[name]))
            folder = os.path.join(self.directory, "content")
            for name in os.listdir(folder):
                os.unlink(os.path.join(folder, name))

    def new_blob(self):
        """The name of a content that does not exist yet."""
        return secrets.token_hex(12)

    def blob_path(self, name):
        """Where the content of that name is on disk."""
        return os.path.join(self.directory, "content", name)

    def drop_blob(self, name):
        """Delete a content; one that is being read stays readable until closed."""
        if not name:
            return
        try:
            os.unlink(self.blob_path(name))
        except FileNotFoundError:
            return

    def copy_blob(self, name):
        """A second name for the same bytes. Contents never change in place."""
        copy = self.new_blob()
        try:
            os.link(self.blob_path(name), self.blob_path(copy))
        except OSError:
            shutil.copyfile(self.blob_path(name), self.blob_path(copy))
        return copy

    def _journal_path(self):
        return os.path.join(self.directory, "journal.jsonl")

    def _write(self, table, records):
        if self._journal is not None:
            line = json.dumps([table, records], separators=(",", ":"))
            os.write(self._journal, line.encode() + b"\n")

    def _replay(self):
        try:
            with open(self._journal_path(), "rb") as journal:
                for line in journal:
                    if line.endswith(b"\n"):
                        self._apply(*json.loads(line))
        except FileNotFoundError:
            return

    def _apply(self, table, records):
        for key, record in records.items():
            if record is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = record

    def _compact(self):
        fresh = self._journal_path() + ".new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._journal = os.open(fresh, flags, 0o600)
        for table, records in self.tables.items():
            if records:
                self._write(table, records)
        os.replace(fresh, self._journal_path())
