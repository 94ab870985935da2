"""The walks in README, read."""

import collections
import pathlib
import re

README = pathlib.Path(__file__).parents[1] / "README.md"
BEGIN = re.compile(r"\*\*(One .+?)\*\*")
STOP = re.compile(r"(\d+)\. `([\w/]+\.py)` `([\w.]+)`(?:: .*)?")
NEXT_REQUEST = re.compile(r"\*(?:Second request|In the background)\*")

Stop = collections.namedtuple("Stop", "number path function")


def section(title):
    """Lines of README below a heading, up to the next one."""
    text = README.read_text(encoding="utf-8")
    return text.split("\n### %s\n" % title)[1].split("\n### ")[0].splitlines()


def walks():
    """``{title: [request, …]}``, each request a list of stops."""
    found = {}
    for line in section("Walks"):
        begin, stop = BEGIN.match(line), STOP.fullmatch(line)
        if begin:
            requests = found[begin.group(1)] = [[]]
        elif NEXT_REQUEST.fullmatch(line):
            requests.append([])
        elif re.match(r"\d+\.", line):
            assert stop, "not a stop: %s" % line
            requests[-1].append(Stop(*stop.groups()))
    return found
