"""What the addon costs attachments that never left, with and without it.

The same script runs in two databases of one server, turn by turn: what disturbs the
machine disturbs both. The better half of the turns is compared.
"""
import json
import pathlib
import statistics
import subprocess
import sys

from . import processes, results
from .sandbox import sandbox
from .say import Trouble, exit_code, step

WITH, WITHOUT = "bench_with", "bench_without"
TURNS = 7
TIMEOUT = 600  # seconds for a turn
FILES, ROWS = 2000, 10000
MAKE = """
ids = env["ir.attachment"].create([
    dict(name="file %%d.txt" %% i, raw=b"content %%d" %% i,
         res_model="res.partner", res_id=1) for i in range(%d)]).ids
env.cr.execute("ANALYZE ir_attachment")
env.cr.commit()
""" % ROWS
MEASURE = """
import gc, json, time
def timed(action):
    env.cache.invalidate()
    gc.collect()
    queries, start = env.cr.sql_log_count, time.perf_counter()
    action()
    return time.perf_counter() - start, env.cr.sql_log_count - queries
files = env["ir.attachment"]
domain = [("res_model", "=", "res.partner"), ("name", "like", "file ")]
ids = files.search(domain, order="id", limit=%d).ids
def read_raw():
    for file in files.browse(ids):
        assert file.raw
def search_read():
    assert len(files.search_read(domain, ["name", "file_size", "mimetype"])) == %d
found = {}
for name, action in (("raw", read_raw), ("search_read", search_read)):
    action()
    found[name] = min(timed(action) for _turn in range(5))
print("found", json.dumps(found))
""" % (FILES, ROWS)
NAMES = {
    "raw": "read raw of %d local attachments" % FILES,
    "search_read": "search_read of %d local attachments" % ROWS,
}


def shell(box, database, script):
    """Run a script in Odoo's shell.

    :return: its output
    :rtype: str
    :raises Trouble: when it fails
    """
    command = [*box.odoo_command()[:2], "shell", *box.odoo_command()[2:], "--no-http"]
    with open(box.log, "ab") as log:
        done = subprocess.run(
            [*map(str, command), "-d", database],
            input=script.encode(),
            env=box.environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            timeout=TIMEOUT,
        )
    if done.returncode:
        raise Trouble("the script failed, see %s" % box.log)
    return done.stdout.decode()


def measure(box, database):
    """One turn: seconds and queries of each operation."""
    for line in shell(box, database, MEASURE).splitlines():
        if line.startswith("found "):
            return json.loads(line[len("found ") :])
    raise Trouble("nothing was measured, see %s" % box.log)


def rows():
    """Measure and compare.

    :return: rows as :func:`.results.row` makes them
    :rtype: list
    """
    turns = {WITH: [], WITHOUT: []}
    with sandbox(pathlib.Path(sys.executable)) as box:
        for database in turns:
            box.create_database(database)
        box.install_addon(WITH)
        step("making %d attachments with and without the addon", ROWS)
        for database in turns:
            shell(box, database, MAKE)
        for turn in range(TURNS):
            step("turn %d of %d", turn + 1, TURNS)
            for database, found in turns.items():
                found.append(measure(box, database))
    return [row for name in NAMES for row in _compare(name, turns)]


def _compare(name, turns):
    seconds, queries = {}, {}
    for database, found in turns.items():
        seconds[database] = _better_half([turn[name][0] for turn in found])
        queries[database] = found[0][name][1]
    return [
        results.row(NAMES[name] + ": time", seconds[WITH] * 1000, seconds[WITHOUT] * 1000,
                    "ms", at_most=1.15),
        results.row(NAMES[name] + ": SQL", queries[WITH], queries[WITHOUT],
                    "queries", at_most=1),
    ]


def _better_half(values):
    return statistics.median(sorted(values)[: len(values) // 2 + 1])


def main():
    """Measure and publish."""
    results.publish(rows())


if __name__ == "__main__":
    with processes.household():
        code = exit_code(main)
    sys.exit(code)
