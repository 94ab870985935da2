"""Linters in a virtualenv of their own, run through pre-commit."""
import os
import subprocess

from . import paths, venv

# module and leading arguments of each tool, as the hooks name them
TOOLS = {
    "pre-commit": ["pre_commit"],
    "flake8": ["flake8"],
    "isort": ["isort"],
    "pylint": ["pylint"],
}
FIXERS = "pre_commit_hooks"


def lint(_options):
    """Run all hooks on the files git knows or would add."""
    python = venv.for_lint()
    listed = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(
        listed, cwd=paths.CHECKOUT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    present = [n for n in names if n and (paths.CHECKOUT / n).is_file()]
    env = venv.environment(PRE_COMMIT_HOME=paths.cache() / "lint")
    command = [python, "-m", "pre_commit", "run", "--files", *present]
    return subprocess.call(list(map(str, command)), cwd=paths.CHECKOUT, env=env)


def tool(chosen):
    """Become one of the tools, as a hook asks."""
    python = venv.for_lint()
    module = TOOLS.get(chosen.name, [FIXERS + "." + chosen.name.replace("-", "_")])
    command = [str(python), "-m", *module, *chosen.arguments]
    return os.execve(python, command, venv.environment())
