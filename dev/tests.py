"""Run the pure tests and the Odoo tests, and count them together."""
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait

from . import browser, image, odoo, odoo_source, paths, processes, venv
from .sandbox import log_file, sandbox
from .say import Waiting, step, warn

TESTS = paths.CHECKOUT / "tests"
PURE = TESTS / "pure"
PLUGINS = pathlib.Path(__file__).parent / "plugin"
DATABASE = "cloud_storage_test"
#: Modules that some tests want on their database, besides what the addon depends on.
WISHES = {"test_mail*.py": "mail", "test_queue_job*.py": "queue_job"}
OPTIONAL = ("queue_job",)  # not Odoo's own: there when $ODOO_ADDONS has them
MOST_LANES = 2  # Odoo suites that run side by side, each with a server of its own
SHOWN_CHARACTERS = 6000  # of Odoo's log, for each failed test


class Tally:
    """What all suites together came to."""

    def __init__(self):
        self.outcomes = collections.Counter()
        self.skipped = {}
        self.collected = set()
        self.logs = []

    def add(self, report, log=None):
        """Count one pytest session.

        :param dict report: as written by the plugin; None after a crash
        :param pathlib.Path log: Odoo's, shown when a test failed
        """
        if report is None:
            self.outcomes["failed"] += 1
            warn("pytest ended without a report")
            report = {"modules": [], "outcomes": {}, "reasons": {}}
        outcomes = collections.Counter(report["outcomes"].values())
        self.outcomes += outcomes
        self.skipped.update(report["reasons"])
        self.collected.update(map(pathlib.Path, report["modules"]))
        failed = {test for test, how in report["outcomes"].items() if how == "failed"}
        if failed and log:
            self.logs.append(log)
            show_trouble(log, failed)

    def close(self, expected):
        """Say what is missing or was left out, then the closing line.

        :param set expected: paths of the test modules that must have been collected
        :return: exit status
        :rtype: int
        """
        for path in sorted(expected - self.collected):
            warn("not collected: %s", path.relative_to(paths.CHECKOUT))
            self.outcomes["failed"] += 1
        for test, reason in sorted(self.skipped.items()):
            warn("skipped: %s: %s", test.rpartition("/")[2], reason)
        for log in self.logs:
            warn("Odoo's log: %s", log)
        passed, failed, skipped = map(
            self.outcomes.__getitem__, ("passed", "failed", "skipped")
        )
        line = "%d passed, %d failed" % (passed, failed)
        print(line + (", %d skipped" % skipped if skipped else ""), flush=True)
        return 1 if failed or not passed else 0


def show_trouble(log, tests):
    """Print what Odoo complained about while these tests ran.

    :param pathlib.Path log: Odoo's, with a line "begins: <test>" before each test
    :param set tests: their pytest names
    """
    parts = log.read_text(encoding="utf-8", errors="replace").split(" begins: ")
    for part in parts[1:]:
        test, _newline, lines = part.partition("\n")
        if test.strip() in tests:
            # a line of the log starts with the day; a traceback goes on below it
            records = re.split(r"\n(?=\d{4}-\d\d-\d\d )", lines)
            bad = [r for r in records if re.search(r" (WARNING|ERROR|CRITICAL) ", r)]
            text = "\n".join(bad)[-SHOWN_CHARACTERS:]
            warn("Odoo's log during %s:\n%s", test.strip(), text or "quiet")


class Session:
    """How pytest is called in every suite.

    :param pathlib.Path python: interpreter of the virtualenv
    :param str only: expression for ``-k``
    :param str order: "natural" or "random"
    :param int seed: of the random order
    """

    def __init__(self, python, only=None, order="natural", seed=None):
        self.python = python
        self.options = ["-p", "cloud_storage_count", "-p", "no:cacheprovider", "-q"]
        self.options.append("--continue-on-collection-errors")
        if only:
            self.options += ["-k", only]
        if order == "random":
            seed = random.randrange(2**32) if seed is None else seed
            step("random order, SEED=%d repeats it", seed)
            self.options += ["-p", "pytest_randomly", "--randomly-seed", seed]

    def run(self, arguments, path=(), output=None, **env):
        """Run pytest.

        :param path: further entries for PYTHONPATH
        :param output: open file for what it prints, the terminal by default
        :return: the plugin's report, None when pytest crashed
        :rtype: dict
        """
        with tempfile.TemporaryDirectory(prefix="cs-test-") as folder:
            report = pathlib.Path(folder, "report.json")
            temporary = pathlib.Path(folder, "tmp")
            temporary.mkdir()
            tables = pathlib.Path(folder, "tables")
            tables.touch()
            environment = venv.environment(
                TMPDIR=temporary,  # browser profiles and the like go with the run
                PYTHONPATH=":".join(map(str, (PLUGINS, *path))),
                PYTEST_DISABLE_PLUGIN_AUTOLOAD=1,
                CLOUD_STORAGE_TEST_REPORT=report,
                CLOUD_STORAGE_TEST_TABLES=tables,
                **env,
            )
            command = [self.python, "-m", "pytest", *self.options, *arguments]
            # elsewhere than the checkout, which "-m" would put on the path
            child = processes.start(
                command, env=environment, cwd=folder, stdout=output, stderr=output
            )
            try:
                child.wait()
            finally:
                processes.stop(child)
            print(tables.read_text(encoding="utf-8"), end="", file=output, flush=True)
            return json.loads(report.read_text()) if report.exists() else None


def run(python, suite=None, only=None, order="natural", seed=None):
    """Run the suites.

    :return: exit status
    :rtype: int
    """
    session = Session(python, only, order, seed)
    tally = Tally()
    pure, groups = modules()
    expected = set()
    if suite != "odoo" and pure:
        expected |= set(pure)
        run_pure(session, tally)
    if suite != "pure" and groups:
        expected |= {path for group in groups.values() for path in group}
        browsers = browser.search_path(sorted(expected))
        for report, log in _odoo_suites(session, browsers, groups, only):
            tally.add(report, log)
    return tally.close(expected)


def _odoo_suites(session, browsers, groups, only):
    plain = groups.pop(None, [])
    lanes = 1 if only else min(MOST_LANES, os.cpu_count() or 1)
    if lanes > 1:
        # every other module: what takes long stands together in the alphabet
        slices = [plain[lane::lanes] for lane in range(lanes)]
        yield from run_beside(session, browsers, slices)
    elif plain:
        yield run_odoo(session, browsers, plain)
    for wish, paths_ in groups.items():
        yield run_odoo(session, browsers, paths_, [wish])


def modules():
    """Test modules: pure ones, and the others by what they want installed.

    :return: the pure ones; ``{module: paths}`` with None where nothing is wanted
    :rtype: tuple[list, dict]
    """
    every = sorted(path.resolve() for path in TESTS.rglob("test_*.py"))
    pure = [path for path in every if PURE in path.parents]
    groups = collections.defaultdict(list)
    for path in every:
        if path not in pure:
            groups[_wish(path)].append(path)
    return pure, groups


def _wish(path):
    """The module that a test module wants; none that is not there to be had.

    The tests then say themselves why they are skipped.
    """
    for pattern, module in WISHES.items():
        if path.match(pattern):
            missing = module in OPTIONAL and not odoo.extra_manifest(module)
            return None if missing else module
    return None


def run_pure(session, tally):
    """Run the tests that need no Odoo."""
    step("pure tests")
    home = ["--rootdir", PURE, "--confcutdir", PURE, "-c", PURE / "pytest.ini"]
    tally.add(session.run([*home, PURE]))


def run_beside(session, browsers, groups):
    """Run several lists of test modules at once; each is shown when all have ended.

    :return: what :func:`run_odoo` returns for each
    :rtype: list
    """
    image.ensure(odoo_source.find(), session.python, image.depends())  # once for all
    with contextlib.ExitStack() as stack:
        outputs = [
            stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
            for _group in groups
        ]
        pool = stack.enter_context(ThreadPoolExecutor(len(groups)))
        futures = [
            pool.submit(run_odoo, session, browsers, group, output=output)
            for group, output in zip(groups, outputs)
        ]
        waiting = Waiting("the tests, in %d lanes" % len(groups))
        try:
            while wait(futures, timeout=0.5).not_done:
                waiting.tick()
        except BaseException:
            processes.end_all()  # the threads wait for what they started
            raise
        waiting.done()
        for output in outputs:
            output.seek(0)
            print(output.read(), end="", flush=True)
        return [future.result() for future in futures]


def run_odoo(session, browsers, test_modules, dependencies=(), output=None):
    """Run test modules inside Odoo, on a fresh database.

    :param str browsers: a PATH with a browser
    :param output: see :meth:`Session.run`
    :return: the report and Odoo's log, see :meth:`Tally.add`
    :rtype: tuple
    """
    wanted = sorted(set(image.depends()) | set(dependencies))
    with sandbox(session.python, wanted) as box:
        box.create_database(DATABASE)
        box.install_addon(DATABASE)
        step("tests on Odoo %s with %s", box.tree.version, ", ".join(wanted))
        log = log_file("tests-" + box.tree.version)
        addon = odoo.addons_folder() / paths.ADDON
        (box.folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        arguments = ["-p", "pytest_odoo", "--odoo-http", "--odoo-config", box.config,
                     "--odoo-database", DATABASE, "--odoo-log-level", "info",
                     "--odoo-extra", "logfile=%s" % log, "--rootdir", addon,
                     "-c", box.folder / "pytest.ini",
                     "-p", "no:logging", "--disable-warnings",
                     "-p", "cloud_storage_bridge"]
        arguments += [addon / p.relative_to(paths.CHECKOUT) for p in test_modules]
        report = session.run(
            arguments,
            path=[box.tree.root],
            output=output,
            PATH=browsers,
            CLOUD_STORAGE_TEST_ODOO_BIN=box.tree.program,
            CLOUD_STORAGE_TEST_ODOO_CONF=box.config,
            CLOUD_STORAGE_TEST_ADDONS_PATH=odoo.addons_folder(),
            CLOUD_STORAGE_TEST_PYTHON=session.python,
            ODOO_QUEUE_JOB_CHANNELS="root:0",  # nobody but the tests performs jobs
        )
        return report, log
