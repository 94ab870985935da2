"""What finding the next batch of candidates costs, in small and in large tables.

Half of the attachments belong to a model to sync, one in five of those is in the cloud
already. Each batch is looked for behind a place of its own, spread over all the table.
"""
import pathlib
import statistics
import sys

from . import processes, results, shell
from .demo import DATABASE, expect
from .sandbox import sandbox
from .say import exit_code, step

SIZES = (10000, 100000, 1000000)  # rows
BATCH = 64  # candidates, as eight threads ask for
PLACES = 50
ROUNDS = 5

GROW = """
env.cr.execute(
    "INSERT INTO ir_attachment (name, type, res_model, res_id, file_size, checksum,"
    " store_fname, cloud_sync_status)"
    " SELECT 'f' || i || '.pdf', 'binary',"
    " CASE WHEN i %% 2 = 0 THEN 'res.partner' ELSE 'mail.message' END, 1, 10,"
    " md5(i::text), 'aa/none', CASE WHEN i %% 10 = 0 THEN 'synced' ELSE 'local' END"
    " FROM generate_series(1, %s) AS i",
    [given["rows"]])
env["cloud_storage.config"].create(dict(
    name="Bench", auth_id=env["cloud_storage.auth"].create(dict(name="Bench")).id,
    model_config_ids=[(0, 0, dict(model_name="res.partner"))],
    file_type_ids=[(0, 0, dict(extension="pdf"))]))
env.cr.commit()
env.cr._cnx.autocommit = True
env.cr.execute("VACUUM ANALYZE ir_attachment")
"""
LOOK = """
import time
from odoo.addons.cloud_storage.engine import candidates
config = env["cloud_storage.config"].search([], limit=1)
look = candidates.next_ids
env.cr.execute("SELECT min(id), max(id), count(*) FROM ir_attachment"
               " WHERE res_model = 'res.partner'")
first, last, found["rows"] = env.cr.fetchone()
look(config, first, given["batch"])  # what Odoo loads once
found["seconds"], found["counts"] = [], []
for place in range(given["places"]):
    after = first + (last - first) * place // (given["places"] + 1)
    started = time.perf_counter()
    ids, _up_to = look(config, after, given["batch"])
    found["seconds"].append(time.perf_counter() - started)
    found["counts"].append(len(ids))
"""


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


def look(box, database):
    """Seconds of each batch."""
    found = shell.run(box, database, LOOK, batch=BATCH, places=PLACES)
    expect(set(found["counts"]) == {BATCH}, "not whole batches: %s", found["counts"])
    return found["seconds"]


def main():
    """Measure in turns and publish."""
    readings = {size: [] for size in SIZES}
    with sandbox(pathlib.Path(sys.executable)) as box:
        databases = {size: make(box, size) for size in SIZES}
        for _round in range(ROUNDS):
            for size in SIZES:
                readings[size] += look(box, databases[size])
    seconds = {size: statistics.median(readings[size]) for size in SIZES}
    smallest = SIZES[0]
    results.publish([
        results.row("selection: batch of %d among %s rows, against %s" % (
            BATCH, format(size, ","), format(smallest, ",")),
            seconds[size] * 1000, seconds[smallest] * 1000, "ms", at_most=1.5)
        for size in SIZES[1:]
    ])


if __name__ == "__main__":
    with processes.household():
        code = exit_code(main)
    sys.exit(code)
