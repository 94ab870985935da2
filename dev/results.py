"""What the benchmarks found: a table for people, ``bench.json`` for programs."""
import json
import operator

from . import paths

FILE = paths.CHECKOUT / "bench.json"
COLUMNS = "{name:<54} {ours:>9} {peer:>9} {ratio:>8}  {bar:<8} {holds}"


def row(name, ours, peer, unit, at_least=None, at_most=None):
    """One comparison, both sides measured in the same run.

    :param float ours: what the addon reached, in ``unit``
    :param float peer: what it is compared with, in ``unit``
    :param float at_least: bar for ours / peer; None when there is none
    :param float at_most: likewise, for what should be small
    :rtype: dict
    """
    ratio = ours / peer if peer else float("inf")
    bar, holds = None, None
    if at_least is not None:
        bar, holds = ">= %g" % at_least, operator.ge(ratio, at_least)
    if at_most is not None:
        bar, holds = "<= %g" % at_most, operator.le(ratio, at_most)
    return {
        "name": name,
        "ours": round(ours, 3),
        "peer": round(peer, 3),
        "ratio": round(ratio, 3),
        "unit": unit,
        "bar": bar,
        "holds": holds,
    }


def publish(rows):
    """Print the rows, and put them in the file in place of those of the same name."""
    print(COLUMNS.format(name="", ours="ours", peer="peer", ratio="ratio", bar="bar",
                         holds=""))
    for found in rows:
        shown = dict(found, name="%s (%s)" % (found["name"], found["unit"]))
        shown["bar"] = found["bar"] or ""
        shown["holds"] = {True: "holds", False: "MISSED", None: ""}[found["holds"]]
        print(COLUMNS.format(**shown), flush=True)
    names = {found["name"] for found in rows}
    kept = [old for old in _known() if old["name"] not in names]
    FILE.write_text(json.dumps(kept + rows, indent=1) + "\n", encoding="utf-8")


def _known():
    if not FILE.exists():
        return []
    return json.loads(FILE.read_text(encoding="utf-8"))
