"""Pytest plugin: writes down what was collected and how it ended, as JSON.

The file named by ``CLOUD_STORAGE_TEST_REPORT`` gets ``{"modules": [path, ...],
"outcomes": {nodeid: "passed" | "failed" | "skipped"}, "reasons": {nodeid: text}}``;
a module that can not be imported counts as one failed test.
"""
import json
import os

import pytest

MODULES = set()
OUTCOMES = {}
REASONS = {}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Note the modules before ``-k`` takes tests away."""
    MODULES.update(os.path.realpath(item.path) for item in items)


def pytest_collectreport(report):
    """A module that fails to import is a failure."""
    if report.failed:
        OUTCOMES[report.nodeid] = "failed"


def pytest_runtest_logreport(report):
    """Keep the worst of a test's set-up, call and tear-down."""
    worst = OUTCOMES.get(report.nodeid)
    if report.failed or worst == "failed":
        OUTCOMES[report.nodeid] = "failed"
    elif report.skipped and not hasattr(report, "wasxfail"):
        OUTCOMES[report.nodeid] = "skipped"
        REASONS[report.nodeid] = str(report.longrepr[2])
    elif worst is None and (report.when == "call" or hasattr(report, "wasxfail")):
        OUTCOMES[report.nodeid] = "passed"


def pytest_sessionfinish():
    """Hand the report over; without it the run counts as crashed."""
    report = {"modules": sorted(MODULES), "outcomes": OUTCOMES, "reasons": REASONS}
    with open(os.environ["CLOUD_STORAGE_TEST_REPORT"], "w", encoding="utf-8") as file:
        json.dump(report, file)
