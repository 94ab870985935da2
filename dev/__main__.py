"""``python3 -m dev <command>``, on any Python 3.8 or newer and nothing else.

Makes the virtualenv when there is none; most commands go on inside it.
"""
import os
import sys

from . import clean, lint, odoo_source, options, processes
from . import python as interpreters
from . import venv
from .say import exit_code


def main():
    """Run a command here, or in the virtualenv."""
    chosen = options.parse()
    outside = {"lint": lint.lint, "tool": lint.tool, "clean": clean.clean}
    if chosen.command in outside:
        return outside[chosen.command](chosen)
    interpreters.find()  # before anything long, which would be for nothing
    python = venv.for_odoo(odoo_source.find().version)
    command = [str(python), "-m", "dev.inside", *sys.argv[1:]]
    return os.execve(python, command, venv.environment())


if __name__ == "__main__":
    with processes.household():
        code = exit_code(main)
    sys.exit(code)
