"""The walks in README are ways through the code as it is."""

import ast
import itertools
import pathlib
import re

import pytest
from conftest import readme_walks

ROOT = pathlib.Path(__file__).parents[2]
MOST_STOPS = 15
ROOMS = {"controllers", "wizards", "models", "engine", "drive", "cache"}
WALKS = (
    "One upload",
    "One read through `/web/content`",
    "One range through the proxy",
    "One consent",
    "One restore",
    "One deletion",
)


def defined_in(path):
    """Names of the functions of a file, those of PostgreSQL included."""
    text = (ROOT / path).read_text(encoding="utf-8")
    names = set(re.findall(r"CREATE OR REPLACE FUNCTION (\w+)", text))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            functions = [f for f in node.body if isinstance(f, ast.FunctionDef)]
            names.update("%s.%s" % (node.name, f.name) for f in functions)
    return names


def rooms_of(stops):
    """The rooms that a walk passes through, in order."""
    tops = [stop.path.split("/")[0] for stop in stops]
    rooms = [top for top in tops if top in ROOMS]
    return [room for room, before in zip(rooms, [None] + rooms) if room != before]


def test_readme_has_all_walks():
    assert tuple(readme_walks.walks()) == WALKS


@pytest.mark.parametrize("title", WALKS)
def test_every_stop_exists(title):
    for stop in itertools.chain(*readme_walks.walks()[title]):
        assert stop.function in defined_in(stop.path), stop


@pytest.mark.parametrize("title", WALKS)
def test_walk_is_short(title):
    stops = list(itertools.chain(*readme_walks.walks()[title]))
    assert [int(stop.number) for stop in stops] == list(range(1, len(stops) + 1))
    assert 1 < len(stops) <= MOST_STOPS


@pytest.mark.parametrize("title", WALKS)
def test_walk_leaves_no_room_twice(title):
    for stops in readme_walks.walks()[title]:
        left = rooms_of(stops)[:-1]
        assert len(left) == len(set(left)), left


def test_files_that_answer_questions_exist():
    rows = [
        line for line in readme_walks.section("Where is what") if line.startswith("| ")
    ]
    paths = re.findall(r"`([\w/]+\.py)`", "\n".join(rows))
    assert len(rows) > 20
    assert [path for path in paths if not (ROOT / path).is_file()] == []
