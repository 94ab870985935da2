import base64
import os
import sys
import uuid

import odoo
from odoo import SUPERUSER_ID, api
from odoo.tools import config

from ..engine.reader import preview
from .common_content import ContentCase, picture

#: A database of the test run in which the addon is not installed.
WITHOUT = "template_odoo"
COUNT = 20


def make(env, count=1, **vals):
    """Local attachments of a record, as new as when a request begins."""
    names = [uuid.uuid4().hex for _i in range(count)]
    files = env["ir.attachment"].create(
        [
            dict({"name": name, "raw": name.encode(), "res_model": "res.partner",
                  "res_id": env.ref("base.main_partner").id}, **vals)
            for name in names
        ]
    )
    forget(env, files)
    return files


def forget(env, files):
    """Begin anew: nothing waits to be written, nothing is cached."""
    files.flush()
    env.cache.invalidate()


def browse(files):
    """The same records, as another request would name them."""
    return files.browse(files.ids)


OPERATIONS = {
    "create": lambda env, a: make(env, COUNT),
    "create and rewrite": lambda env, a: env["ir.attachment"]
    .create({"name": "x", "raw": b"x"})
    .write({"raw": b"y"}),
    "read raw": lambda env, a: [f.raw for f in a],
    "read datas": lambda env, a: a.read(["datas", "name"]),
    "list with sizes": lambda env, a: a.with_context(bin_size=True).read(["datas"]),
    "search_read": lambda env, a: env["ir.attachment"].search_read(
        [("id", "in", a.ids)], ["name", "file_size", "type"]
    ),
    "write raw": lambda env, a: a.write({"raw": b"new"}),
    "write datas": lambda env, a: a[0].write({"datas": base64.b64encode(b"new")}),
    "rename": lambda env, a: a.write({"name": "new"}),
    "copy": lambda env, a: a[0].copy(),
    "unlink": lambda env, a: a.unlink(),
    "binary_content": lambda env, a: env["ir.http"].binary_content(id=a[0].id),
    "binary field": lambda env, a: env["ir.http"].binary_content(
        model="res.partner", id=env.ref("base.main_partner").id, field="image_1920"
    ),
}


def count_queries(env, operation):
    """SQL queries of an operation on local files, all of them written out."""
    files = browse(make(env, COUNT))
    env.user.read(["company_id", "partner_id", "lang"])  # else fetched by chance
    start = env.cr.sql_log_count
    operation(env, files)
    env["ir.attachment"].flush()
    return env.cr.sql_log_count - start


class TestCosts(ContentCase):
    """What the addon costs: nothing where it is not used, little where it is."""

    def without_addon(self):
        """An environment on a database that never had the addon."""
        self.cr.execute("SELECT 1 FROM pg_database WHERE datname = %s", (WITHOUT,))
        if not self.cr.fetchone():
            self.skipTest("there is no database without the addon")
        self.env["base"].flush()
        self.env.cache.invalidate()  # Odoo 14 has one cache for all cursors of a thread
        testing = config["test_enable"]
        config["test_enable"] = False  # loading it is not to run tests of its modules
        try:
            registry = odoo.registry(WITHOUT)
        finally:
            config["test_enable"] = testing
        cr = registry.cursor()
        self.addCleanup(cr.close)
        self.assertNotIn("cloud_storage.auth", registry)
        return api.Environment(cr, SUPERUSER_ID, {})

    def test_local_files_cost_no_query(self):
        bare = self.without_addon()
        lines = []
        for user_id in (SUPERUSER_ID, 2):
            for name, operation in OPERATIONS.items():
                counts = []
                for env in (bare, self.env):
                    env = api.Environment(env.cr, user_id, {})
                    operation(env, browse(make(env, COUNT)))  # fills Odoo's own caches
                    counts.append(count_queries(env, operation))
                    env.cr.rollback()
                lines.append((user_id, name, *counts))
        show(
            "SQL queries for %d local files" % COUNT,
            ("user", "operation", "without the addon", "with it"),
            lines,
        )
        self.assertEqual([], [line for line in lines if line[3] > line[2]])

    def test_table_of_costs(self):
        """Prints the queries and requests of each operation on files in Drive."""
        user = self.make_user("costs", "base.group_user", "base.group_partner_manager")
        self.cr.commit()
        lines = [self.measure(name, *what, user) for name, what in self.costs().items()]
        show(
            "One file in Drive, 80 for lists",
            ("operation", "SQL", "Drive, cold", "SQL, cached", "Drive, cached"),
            lines,
        )
        drive = {line[0]: (line[2], line[4]) for line in lines}
        self.assertEqual(drive.pop("bin_size list of 80"), (0, 0))
        self.assertEqual(drive.pop("/web/image 128x128"), (0, 0))
        self.assertEqual(drive.pop("/web/content, redirected"), (0, 0))
        self.assertEqual(drive.pop("unlink"), (0, 0))
        self.assertEqual(set(drive.values()), {(1, 0)})

    def costs(self):
        """Operations: how many files, and what to do with them."""
        return {
            "read raw": (1, lambda a, user: a.raw),
            "read datas": (1, lambda a, user: a.datas),
            "copy": (1, lambda a, user: a.copy()),
            "bin_size list of 80": (
                80,
                lambda a, user: a.with_context(bin_size=True).read(["name", "datas"]),
            ),
            "/web/content, redirected": (
                1,
                lambda a, user: self.get(
                    "/web/content/%d" % a.id, user, follow=False
                ).raise_for_status(),
            ),
            "/web/image": (
                1,
                lambda a, user: self.get("/web/image/%d" % a.id, user).raise_for_status(),
            ),
            "/web/image 128x128": (
                1,
                lambda a, user: self.get(
                    "/web/image/%d/128x128" % a.id, user
                ).raise_for_status(),
            ),
            "unlink": (1, lambda a, user: a.unlink()),
        }

    def measure(self, name, count, operation, user):
        """A line of the table: queries and requests, before and after caches are warm."""
        content = picture(seed=len(name))
        files = self.env["ir.attachment"].union(
            *(self.make_in("drive", content, name="p.png") for _i in range(count))
        )
        if name.endswith("128x128"):
            preview.make_thumbnails(files[0], content)
        line = [name]
        for _turn in range(2):
            self.env.cache.invalidate()
            self.emulator.clear_requests()
            start = self.cr.sql_log_count
            operation(browse(files), user)
            queries = self.cr.sql_log_count - start
            by_http = name.startswith("/")
            line += ["-" if by_http else queries, self.downloads()]
            if name == "unlink":
                files = self.in_drive()
        return tuple(line)


def show(title, heads, lines):
    """Add a table to the output of the test run, else to that of the test."""
    rows = [heads] + lines
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(heads))]
    text = "\n%s\n" % title
    for row in rows:
        cells = (str(cell).ljust(width) for cell, width in zip(row, widths))
        text += "  " + "  ".join(cells).rstrip() + "\n"
    path = os.environ.get("CLOUD_STORAGE_TEST_TABLES")
    if not path:
        sys.stdout.write(text)
        return
    with open(path, "a", encoding="utf-8") as tables:
        tables.write(text)
