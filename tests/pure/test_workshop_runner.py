"""The test runner counts rightly and misses nothing."""
import ast
import os
import shutil
import subprocess
import sys
import textwrap

import pytest
import workshop

odoo = workshop.load("odoo")
paths = workshop.load("paths")
tests = workshop.load("tests")

ALL_ENDINGS = """
import unittest
import pytest

def test_passes(): pass
def test_fails(): assert False
def test_skips(): pytest.skip("no such thing here")
@pytest.mark.xfail
def test_expected_failure(): assert False
@pytest.fixture
def broken_set_up(): raise ValueError
@pytest.fixture
def broken_tear_down():
    yield
    raise ValueError
def test_set_up(broken_set_up): pass
def test_tear_down(broken_tear_down): pass
@pytest.fixture
def late_skip():
    yield
    pytest.skip("too late")
def test_fails_then_skips(late_skip): assert False
class TestUnittest(unittest.TestCase):
    def test_skip(self): self.skipTest("not today")
    def test_pass(self): pass
"""


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUD_STORAGE_DEV_CACHE", str(tmp_path / "cache"))
    return tests.Session(sys.executable)


def write(folder, **modules):
    folder.mkdir()
    for name, text in modules.items():
        (folder / (name + ".py")).write_text(textwrap.dedent(text))
    return folder


def outcomes(tally):
    return {key: count for key, count in tally.outcomes.items() if count}


def test_every_ending_is_counted_once(session, tmp_path, capfd):
    folder = write(tmp_path / "t", test_all=ALL_ENDINGS)
    tally = tests.Tally()
    tally.add(session.run([folder]))
    assert outcomes(tally) == {"passed": 3, "failed": 4, "skipped": 2}
    assert sorted(tally.skipped.values()) == [
        "Skipped: no such thing here",
        "Skipped: not today",
    ]
    capfd.readouterr()
    assert tally.close(set()) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "3 passed, 4 failed, 2 skipped"


def test_module_that_does_not_import_is_a_failure(session, tmp_path):
    folder = write(tmp_path / "t", test_bad="import nowhere", test_good=GOOD)
    tally = tests.Tally()
    tally.add(session.run([folder]))
    assert outcomes(tally) == {"failed": 1, "passed": 2}


def test_crash_is_a_failure(session, tmp_path):
    crash = "import os\ndef test_crash(): os._exit(0)\n"
    folder = write(tmp_path / "t", test_crash=crash)
    tally = tests.Tally()
    tally.add(session.run([folder]))
    assert outcomes(tally) == {"failed": 1}
    assert tally.close(set()) == 1


GOOD = "def test_good(): pass\ndef test_other(): pass\n"


def test_module_without_tests_is_named(session, tmp_path, capfd, monkeypatch):
    folder = write(tmp_path / "t", test_good=GOOD, test_empty="x = 1\n")
    monkeypatch.setattr(paths, "CHECKOUT", folder)
    tally = tests.Tally()
    tally.add(session.run([folder]))
    capfd.readouterr()
    assert tally.close(set(folder.glob("test_*.py"))) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines == ["! not collected: test_empty.py", "2 passed, 1 failed"]


def test_deselected_module_was_collected(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("CLOUD_STORAGE_DEV_CACHE", str(tmp_path / "cache"))
    folder = write(tmp_path / "t", test_one=GOOD, test_two="def test_x(): pass\n")
    tally = tests.Tally()
    tally.add(tests.Session(sys.executable, only="good").run([folder]))
    capfd.readouterr()
    assert tally.close(set(folder.glob("test_*.py"))) == 0
    assert capfd.readouterr().out == "1 passed, 0 failed\n"


LOG = """2026-01-01 10:00:00,000 1 INFO db tests: begins: test_a.py::test_good \n\
2026-01-01 10:00:01,000 1 WARNING db odoo: of no interest \n\
2026-01-01 10:00:02,000 1 INFO db tests: begins: test_a.py::test_bad \n\
2026-01-01 10:00:03,000 1 INFO db odoo: all is well \n\
2026-01-01 10:00:04,000 1 ERROR db odoo: it broke \n\
Traceback (most recent call last):\n\
"""


def test_failure_shows_its_part_of_the_log(tmp_path, capfd):
    log = tmp_path / "log"
    log.write_text(LOG)
    ended = {"test_a.py::test_good": "passed", "test_a.py::test_bad": "failed"}
    report = {"modules": [], "outcomes": ended, "reasons": {}}
    tests.Tally().add(report, log)
    shown = capfd.readouterr().out
    assert "it broke" in shown and "Traceback" in shown
    assert "of no interest" not in shown and "all is well" not in shown


def test_nothing_at_all_is_no_success(tmp_path, capfd):
    assert tests.Tally().close(set()) == 1
    assert capfd.readouterr().out == "0 passed, 0 failed\n"


def test_seed_repeats_an_order(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("CLOUD_STORAGE_DEV_CACHE", str(tmp_path / "cache"))
    many = "".join("def test_%02d(): pass\n" % number for number in range(20))
    folder = write(tmp_path / "t", test_many=many)

    def order(seed):
        shuffled = tests.Session(sys.executable, order="random", seed=seed)
        return list(shuffled.run([folder])["outcomes"])

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(2)) == sorted(order(1))
    assert "SEED=1 " in capfd.readouterr().out


def test_odoo_runs_every_module_too():
    """``odoo-bin --test-enable`` sees only what the package imports."""
    package = workshop.CHECKOUT / "tests" / "__init__.py"
    tree = ast.parse(package.read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    _pure, groups = tests.modules()
    assert {path.stem for paths in groups.values() for path in paths} <= imported


def test_addons_of_others_are_found(monkeypatch, tmp_path):
    monkeypatch.delenv("ODOO_ADDONS", raising=False)
    assert "queue_job" not in tests.modules()[1]
    manifest = tmp_path / "second" / "queue_job" / "__manifest__.py"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    folders = [tmp_path / "first", tmp_path / "second"]
    monkeypatch.setenv("ODOO_ADDONS", os.pathsep.join(map(str, folders)))
    groups = tests.modules()[1]
    assert [path.stem for path in groups["queue_job"]] == ["test_queue_job"]
    assert "test_queue_job" not in {path.stem for path in groups[None]}
    assert odoo.extra_addons() == folders


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
@pytest.mark.parametrize(
    "words, command",
    [
        (["demo"], "demo"),
        (["demo", "STOP=1", "FAULTS=1"], "demo --stop --faults"),
        (["demo", "STOP=0"], "demo"),
        (["test"], "test"),
        (["test", "SUITE=pure", "SEED=7"], "test --suite pure --seed 7"),
        (["test", "ONLY=it's here"], "test --only it's here"),
        (["lint"], "lint"),
    ],
)
def test_make_passes_on_what_is_asked(words, command):
    answer = subprocess.run(
        ["make", "PYTHON3=echo", *words],
        cwd=workshop.CHECKOUT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "-m dev " + command
