"""The commands that run on the virtualenv's Python, see ``__main__``."""
import pathlib
import subprocess
import sys
import time

from . import demo, options, processes, tests, texts
from .emulator import drive_emulator
from .odoo import Server
from .sandbox import sandbox
from .say import Trouble, exit_code, step

PYTHON = pathlib.Path(sys.executable)
DATABASE = "cloud_storage"
ODOO_PORT = 8069


def run_test(chosen):
    """Run the test suites."""
    return tests.run(PYTHON, chosen.suite, chosen.only, chosen.order, chosen.seed)


def run_demo(chosen):
    """Show the main job."""
    return demo.run(PYTHON, chosen.stop, chosen.faults)


def run_odoo(_chosen):
    """Serve a fresh database with the addon until Ctrl-C."""
    with sandbox(PYTHON) as box, drive_emulator() as emulator:
        box.create_database(DATABASE)
        box.install_addon(DATABASE)
        demo.point_to_emulator(box, DATABASE, emulator)
        with Server(box, DATABASE, ODOO_PORT) as server:
            step("Odoo: %s (admin / admin), log: %s", server.url, box.log)
            step("Drive emulator: %s", emulator.url)
            step("Ctrl-C ends both")
            while server.process.poll() is None:
                time.sleep(0.5)
    return 1


def run_shell(_chosen):
    """Open an Odoo shell on a fresh database with the addon."""
    with sandbox(PYTHON) as box, drive_emulator() as emulator:
        box.create_database(DATABASE)
        box.install_addon(DATABASE)
        demo.point_to_emulator(box, DATABASE, emulator)
        step("Drive emulator: %s", emulator.url)
        # the name of a command has to come before every option
        command = [box.python, box.tree.program, "shell", "-c", box.config]
        command += ["-d", DATABASE, "--no-http"]
        with processes.foreground():
            return subprocess.call(list(map(str, command)), env=box.environment())


def run_bench(_chosen):
    """Run every ``dev/bench*.py`` with the virtualenv's Python."""
    return _run_scripts("bench*.py")


def run_screenshots(_chosen):
    """Run every ``dev/screenshots*.py`` with the virtualenv's Python."""
    return _run_scripts("screenshots*.py")


def run_texts(_chosen):
    """Export the template and the translations anew."""
    return texts.run(PYTHON)


def _run_scripts(pattern):
    scripts = sorted(pathlib.Path(__file__).parent.glob(pattern))
    if not scripts:
        raise Trouble("There is no dev/%s yet." % pattern)
    for script in scripts:
        code = processes.start([PYTHON, "-m", "dev." + script.stem]).wait()
        if code:
            return code
    return 0


def main():
    """Run the command of this name."""
    chosen = options.parse()
    return globals()["run_" + chosen.command](chosen)


if __name__ == "__main__":
    with processes.household():
        code = exit_code(main)
    sys.exit(code)
