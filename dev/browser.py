"""A Chromium for the browser tests."""
import os
import shutil
import stat
import tempfile

from . import apt, paths, processes
from .say import warn

NAMES = ("google-chrome", "chromium", "chromium-browser")  # as Odoo looks for them
# Newer browsers refuse Odoo's debugging connection without the first; the others
# keep it from looking for servers of its maker, which tests must not wait for.
FLAGS = (
    "--remote-allow-origins=*",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
)
WRAPPER = '#!/bin/sh\nexec "%s" %s "$@"\n'


def search_path(test_modules):
    """A PATH on which Odoo's tests find a browser that suits them, if possible.

    :param list test_modules: paths; a browser is installed only if they want one
    :rtype: str
    """
    plain = os.environ["PATH"]
    if not any("browser_js" in p.read_text(encoding="utf-8") for p in test_modules):
        return plain
    browser = find() or _install()
    if browser is None:
        warn("no Chromium: browser tests are skipped (sudo apt install chromium)")
        return plain
    folder = paths.cache() / "chromium"
    folder.mkdir(exist_ok=True)
    wrapper = folder / NAMES[0]
    wrapper.write_text(WRAPPER % (browser, " ".join(FLAGS)), encoding="utf-8")
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    _warm_up(wrapper)
    return "%s:%s" % (folder, plain)


def find():
    """Path of an installed browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def _warm_up(wrapper):
    """Start it once: the first start reads 300 MB, longer than Odoo's tests wait."""
    with tempfile.TemporaryDirectory(prefix="cs-chromium-") as profile:
        command = [wrapper, "--headless", "--no-sandbox", "--disable-gpu"]
        command += ["--user-data-dir=" + profile, "--dump-dom", "about:blank"]
        processes.run(command, paths.cache() / "chromium" / "log", "trying Chromium")


def _install():
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt.install(["chromium"], paths.cache() / "apt.log")
    return find()
