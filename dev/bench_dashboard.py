"""What opening the dashboard costs, with few and with many attachments.

One in two attachments belongs to a model to sync; of those six in ten are in the cloud,
one in a hundred failed for one of ten causes, and the rest waits.
"""
import pathlib
import statistics
import sys

from . import processes, results, shell
from .demo import DATABASE, expect
from .sandbox import sandbox
from .say import exit_code, step

FEW, MANY = 10000, 1000000  # rows
ROUNDS = 5
BAR = 60  # times the price for a hundred times the rows

GROW = """
auth = env["cloud_storage.auth"].create(dict(name="Bench"))
env["cloud_storage.config"].create(dict(
    name="Bench", auth_id=auth.id,
    model_config_ids=[(0, 0, dict(model_name="res.partner"))],
    file_type_ids=[(0, 0, dict(extension="pdf"))]))
env.cr.execute(
    "INSERT INTO ir_attachment (name, type, res_model, res_id, file_size, checksum,"
    " store_fname, cloud_sync_status, cloud_auth_id, cloud_file_id, cloud_size_bytes,"
    " cloud_error_message)"
    " SELECT 'f' || i || '.pdf', 'binary',"
    " CASE WHEN i %% 2 = 0 THEN 'res.partner' ELSE 'mail.message' END, 1, 10,"
    " md5(i::text), 'aa/none', state, CASE WHEN state = 'synced' THEN %s END,"
    " CASE WHEN state = 'synced' THEN md5(i::text) END,"
    " CASE WHEN state = 'synced' THEN 10 END,"
    " CASE WHEN state = 'error' THEN 'Cause ' || i %% 20 END"
    " FROM (SELECT i, CASE WHEN i %% 2 = 1 THEN 'local' WHEN i %% 200 = 0 THEN 'error'"
    " WHEN i %% 10 < 6 THEN 'synced' ELSE 'local' END AS state"
    " FROM generate_series(1, %s) AS i) AS made",
    [auth.id, given["rows"]])
env.cr.commit()
env.cr._cnx.autocommit = True
env.cr.execute("VACUUM ANALYZE ir_attachment")
"""
LOOK = """
import time
board = env["cloud_storage.dashboard"].browse(1)
names = list(board.fields_get())
found["seconds"] = []
for _round in range(given["rounds"] + 1):
    env.cache.invalidate()
    started = time.perf_counter()
    found["board"] = board.read(names)[0]
    found["seconds"].append(time.perf_counter() - started)
del found["seconds"][0]  # what Odoo loads once
found["board"] = {name: found["board"][name] for name in given["counts"]}
"""
COUNTS = ("synced_files", "pending_files", "error_files")


def make(box, size):
    """A database with a table of that size.

    :return: its name
    :rtype: str
    """
    step("a table of %d attachments", size)
    name = "%s_%d" % (DATABASE, size)
    box.create_database(name)
    box.install_addon(name)
    shell.run(box, name, GROW, rows=size)
    return name


def look(box, size):
    """Seconds that an opened dashboard takes, in the middle of several."""
    found = shell.run(box, make(box, size), LOOK, rounds=ROUNDS, counts=COUNTS)
    sums = sum(found["board"].values())
    expect(sums == size * 505 // 1000, "wrong counts: %s", found["board"])
    return statistics.median(found["seconds"])


def main():
    """Measure and publish."""
    with sandbox(pathlib.Path(sys.executable)) as box:
        few, many = look(box, FEW), look(box, MANY)
    sizes = format(MANY, ","), format(FEW, ",")
    name = "dashboard: opened over %s rows, against %s" % sizes
    results.publish([results.row(name, many * 1000, few * 1000, "ms", at_most=BAR)])


if __name__ == "__main__":
    with processes.household():
        code = exit_code(main)
    sys.exit(code)
