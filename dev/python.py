"""Find a CPython that Odoo 14.0 and 15.0 run on."""
import os
import pathlib
import shutil
import subprocess

from .say import Trouble

# Neither Odoo starts on 3.11; 3.9 is what both were developed on.
VERSIONS = ("3.9", "3.10", "3.8")
PROBE = (
    "import sys, ssl, ensurepip;"
    "print('%s %d.%d' % ((sys.implementation.name,) + sys.version_info[:2]))"
)
HOW_TO_GET = """\
No CPython 3.8, 3.9 or 3.10 was found, and Odoo 15.0 runs on no other.
Get one, for example, with
    pyenv install 3.9          https://github.com/pyenv/pyenv
    uv python install 3.9      https://docs.astral.sh/uv
    apt install python3.9 python3.9-venv       where the distribution has it
or point to yours:  make <target> PYTHON=/path/to/python3.9"""


def find(environ=None):
    """The interpreter to use.

    :param dict environ: stands in for ``os.environ``
    :return: (path, version), such as ("/usr/bin/python3.9", "3.9")
    :rtype: tuple
    :raises Trouble: when there is none, or ``$PYTHON`` names an unsuitable one
    """
    environ = os.environ if environ is None else environ
    chosen = environ.get("PYTHON")
    if chosen:
        version = version_of(shutil.which(chosen, path=environ.get("PATH")) or chosen)
        if version not in VERSIONS:
            raise Trouble(
                "PYTHON=%s is %s; Odoo needs CPython 3.8, 3.9 or 3.10 with ssl and"
                " ensurepip." % (chosen, version or "no working CPython")
            )
        return chosen, version
    for candidate in candidates(environ):
        version = version_of(candidate)
        if version in VERSIONS:
            return str(candidate), version
    raise Trouble(HOW_TO_GET)


def candidates(environ):
    """Paths worth a try, best first: PATH, pyenv's and uv's interpreters."""
    home = pathlib.Path(environ.get("HOME", "/nonexistent"))
    pyenv = pathlib.Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    uv = home / ".local/share/uv/python"
    for version in VERSIONS:
        on_path = shutil.which("python" + version, path=environ.get("PATH", ""))
        if on_path:
            yield on_path
        yield from sorted(pyenv.glob(version + ".*/bin/python" + version))
        yield from sorted(uv.glob("cpython-%s.*/bin/python%s" % (version, version)))
    for name in ("python3", "python"):
        on_path = shutil.which(name, path=environ.get("PATH", ""))
        if on_path:
            yield on_path


def version_of(interpreter):
    """ "3.9" for a CPython 3.9 that works, else None."""
    try:
        answer = subprocess.run(
            [str(interpreter), "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return answer[1] if answer[:1] == ["cpython"] else None
