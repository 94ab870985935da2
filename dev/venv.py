"""Virtualenvs in the cache, named after the interpreter and the pins they hold."""
import os
import pathlib
import shutil

from . import paths, processes, python
from .say import Trouble, step

COMPLETE = "complete"
HERE = pathlib.Path(__file__).parent
# What would lead a child to another Python, Odoo or database than ours.
FOREIGN = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV",
           "ODOO_RC", "OPENERP_SERVER")


def for_odoo(series):
    """The interpreter of the virtualenv for an Odoo.

    :param str series: "14.0" or "15.0"
    :rtype: pathlib.Path
    :raises Trouble: as :func:`ensure`, and for another series
    """
    own = HERE / ("requirements-odoo-%s.txt" % series)
    if not own.exists():
        raise Trouble("This is Odoo %s; the addon runs on 15.0 and 14.0." % series)
    addon = paths.CHECKOUT / "requirements.txt"
    common = [addon, HERE / "requirements-odoo.txt", HERE / "requirements-test.txt"]
    return ensure("odoo" + series, [*common, own])


def for_lint():
    """The interpreter of the virtualenv with the linters."""
    return ensure("lint", [HERE / "requirements-lint.txt"])


def ensure(purpose, requirements):
    """The interpreter of a virtualenv that holds these requirements.

    A set-up that was interrupted lacks its last mark and is made anew.

    :param str purpose: part of its directory's name
    :param list requirements: paths of pip requirement files
    :rtype: pathlib.Path
    :raises Trouble: without a suitable Python, or when pip fails
    """
    interpreter, version = python.find()
    folder = place(purpose, requirements, interpreter, version)
    if not (folder / COMPLETE).exists():
        with paths.locked(folder.with_name(folder.name + ".lock")):
            if not (folder / COMPLETE).exists():
                _build(folder, interpreter, requirements, purpose)
    return folder / "bin" / "python"


def place(purpose, requirements, interpreter, version):
    """Where the virtualenv of an interpreter with these requirements is.

    :rtype: pathlib.Path
    """
    pins = [path.read_text(encoding="utf-8") for path in requirements]
    name = "venv-%s-%s-%s" % (purpose, version, paths.digest(interpreter, *pins))
    return paths.cache() / name


def _build(folder, interpreter, requirements, purpose):
    if folder.exists():
        step("an earlier set-up of %s was interrupted: starting it anew", folder.name)
        shutil.rmtree(folder)
    log = paths.cache() / (folder.name + ".log")
    log.unlink() if log.exists() else None
    processes.run([interpreter, "-m", "venv", folder], log)
    command = [folder / "bin" / "python", "-m", "pip", "install", "--no-input"]
    for path in requirements:
        command += ["-r", path]
    label = "installing Python packages for %s" % purpose
    processes.run(command, log, label, env=environment())
    (folder / COMPLETE).touch()


def environment(**extra):
    """The environment for children: ours, with compiled modules kept in the cache.

    :rtype: dict
    """
    env = {k: v for k, v in os.environ.items() if k not in FOREIGN}
    env["PYTHONPYCACHEPREFIX"] = str(paths.cache() / "pycache")
    env.update({key: str(value) for key, value in extra.items()})
    return env
