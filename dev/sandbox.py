"""Everything one run needs, for the time it needs it."""
import contextlib
import shutil
import time

from . import image, odoo, odoo_source, paths, processes
from .say import step, warn

KEPT_LOGS = 20
LOG_SECONDS = 60 * 60  # that a log may be silent before it is taken away


class Sandbox:
    """A PostgreSQL with a ready database, and what it takes to start an Odoo on it.

    :param odoo_source.OdooTree tree: the Odoo to use
    :param pathlib.Path python: interpreter of the virtualenv
    :param postgres.Cluster cluster: the running server
    :param pathlib.Path folder: for files that go with the run
    """

    def __init__(self, tree, python, cluster, folder, filestore):
        self.tree = tree
        self.python = python
        self.cluster = cluster
        self.folder = folder
        self.template_filestore = filestore
        self.data = folder / "data"
        self.config = folder / "odoo.conf"
        self.log = log_file("odoo-" + tree.version)
        odoo.write_config(
            self.config,
            odoo.settings(tree, cluster, self.data, screenshots=self.log.parent),
        )

    def odoo_command(self, *arguments):
        """The command line of an ``odoo-bin`` in this sandbox."""
        # a subcommand such as "shell" has to be the first word
        return [self.python, self.tree.program, *arguments, "-c", self.config]

    def environment(self, **extra):
        """The environment of an ``odoo-bin`` in this sandbox."""
        return odoo.environment(self.tree, **extra)

    def create_database(self, name):
        """A fresh database with what the addon depends on, and its filestore."""
        self.cluster.sql("CREATE DATABASE %s TEMPLATE %s" % (name, image.TEMPLATE))
        # else a crash would take the sequences of the copy back to the template's values
        self.cluster.sql("CHECKPOINT", user="postgres")
        shutil.copytree(self.template_filestore, self.data / "filestore" / name)

    def install_addon(self, name):
        """Install the addon in a database and repeat what Odoo warned about.

        :raises Trouble: when the installation fails
        """
        log = log_file("install-" + self.tree.version)
        command = self.odoo_command(
            "-d", name, "-i", paths.ADDON, "--stop-after-init", "--no-http"
        )
        label = "installing the addon on Odoo " + self.tree.version
        processes.run(command, log, label, env=self.environment())
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if (" WARNING " in line or " ERROR " in line) and "py.warnings" not in line:
                warn("%s", line[:300])


@contextlib.contextmanager
def sandbox(python, modules=None):
    """Set a sandbox up and take it down.

    :param pathlib.Path python: interpreter of the virtualenv
    :param list modules: what the database has; the addon's dependencies by default
    :rtype: Sandbox
    """
    tree = odoo_source.find()
    step("%s", tree)
    source = image.ensure(tree, python, modules or image.depends())
    with paths.scratch(paths.cache()) as folder:
        with paths.scratch(paths.database_root()) as database_folder:
            log = log_file("postgres")
            with image.copy(source, database_folder / "pgdata", log) as cluster:
                yield Sandbox(tree, python, cluster, folder, source / "filestore")


def log_file(name):
    """A new file among the logs of the last runs.

    :rtype: pathlib.Path
    """
    folder = paths.cache() / "logs"
    folder.mkdir(exist_ok=True)
    unused = time.time() - LOG_SECONDS
    for old in sorted(folder.glob("*-%s.log" % name))[:-KEPT_LOGS]:
        with contextlib.suppress(FileNotFoundError):  # another run tidies up as well
            if old.stat().st_mtime < unused:  # nor is it another's who is still at it
                old.unlink()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    serial = 0
    while True:
        path = folder / ("%s.%02d-%s.log" % (stamp, serial, name))
        try:
            path.touch(exist_ok=False)
            return path
        except FileExistsError:
            serial += 1
