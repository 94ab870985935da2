"""Odoo's configuration, environment and way of starting."""
import contextlib
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

from . import paths, ports, postgres, processes, venv
from .say import Trouble, Waiting

START_SECONDS = 120.0


def addons_folder():
    """A directory with the checkout under the addon's technical name.

    The checkout's own directory may have any name.

    :rtype: pathlib.Path
    """
    folder = paths.cache() / "addons" / paths.digest(paths.CHECKOUT)
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / paths.ADDON
    if not link.is_symlink():
        with contextlib.suppress(FileExistsError):
            link.symlink_to(paths.CHECKOUT, target_is_directory=True)
    return folder


def extra_addons():
    """Directories with further addons: ``$ODOO_ADDONS``, separated like ``$PATH``.

    :rtype: list
    """
    names = os.environ.get("ODOO_ADDONS", "").split(os.pathsep)
    return [pathlib.Path(name).expanduser().resolve() for name in names if name]


def extra_manifest(module):
    """The manifest of a module among the further addons, None when it is not there.

    :rtype: pathlib.Path
    """
    found = [folder / module / "__manifest__.py" for folder in extra_addons()]
    return next((path for path in found if path.exists()), None)


def settings(tree, cluster, data, **extra):
    """Options of an ``odoo.conf`` for the sandbox.

    :param pathlib.Path data: Odoo's data directory
    :param extra: further options
    :rtype: dict
    """
    return {
        "addons_path": ",".join(
            map(str, [*tree.addons, addons_folder(), *extra_addons()])
        ),
        "data_dir": data,
        "db_host": cluster.socket,
        "db_port": postgres.PORT,
        "db_user": postgres.ROLE,
        "http_interface": ports.HOST,
        "http_port": ports.free(),
        "longpolling_port": ports.free(),
        "workers": 0,
        "max_cron_threads": 1,
        "without_demo": "all",
        **extra,
    }


def write_config(path, options):
    """Write options as an ``odoo.conf``."""
    lines = ["[options]", *("%s = %s" % item for item in options.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def environment(tree, **extra):
    """Environment in which ``import odoo`` finds the tree.

    :rtype: dict
    """
    return venv.environment(PYTHONPATH=tree.root, **extra)


class Server:
    """A running Odoo, ended with the context.

    :param sandbox.Sandbox sandbox: what it runs in
    :param str database: the one it serves
    :param int port: wanted HTTP port; another is taken when it is not free
    """

    def __init__(self, sandbox, database, port=0):
        self.sandbox = sandbox
        self.port = ports.free(port)
        self.url = "http://%s:%d" % (ports.HOST, self.port)
        self.command = sandbox.odoo_command(
            "-d", database, "--db-filter", "^%s$" % database, "-p", self.port
        )
        self.process = None

    def __enter__(self):
        with open(self.sandbox.log, "ab") as output:
            self.process = processes.start(
                self.command,
                env=self.sandbox.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        waiting = Waiting("starting Odoo")
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise Trouble(
                    "Odoo did not start. The end of %s:\n%s"
                    % (self.sandbox.log, processes.tail(self.sandbox.log))
                )
            waiting.tick()
            time.sleep(0.2)
        waiting.done()
        return self

    def answers(self):
        """Whether the login page can be had."""
        try:
            with urllib.request.urlopen(self.url + "/web/login", timeout=60) as page:
                return page.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def __exit__(self, *_error):
        processes.stop(self.process)
