"""What the addon costs attachments that never left, with and without it.

The same script runs in two databases of one server, turn by turn: what disturbs the
machine disturbs both. The better half of the turns is compared.
"""
import pathlib
import statistics
import sys

from . import processes, results, shell
from .sandbox import sandbox
from .say import exit_code, step

WITH, WITHOUT = "bench_with", "bench_without"
TURNS = 7
FILES, ROWS = 2000, 10000
MAKE = """
ids = env["ir.attachment"].create([
    dict(name="file %%d.txt" %% i, raw=b"content %%d" %% i,
         res_model="res.partner", res_id=1) for i in range(%d)]).ids
env.cr.execute("ANALYZE ir_attachment")
env.cr.commit()
""" % ROWS
MEASURE = """
import gc, time
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
for name, action in (("raw", read_raw), ("search_read", search_read)):
    action()
    found[name] = min(timed(action) for _turn in range(5))
""" % (FILES, ROWS)
NAMES = {
    "raw": "read raw of %d local attachments" % FILES,
    "search_read": "search_read of %d local attachments" % ROWS,
}


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
            shell.run(box, database, MAKE)
        for turn in range(TURNS):
            step("turn %d of %d", turn + 1, TURNS)
            for database, found in turns.items():
                found.append(shell.run(box, database, MEASURE))
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
