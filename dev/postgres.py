"""A private PostgreSQL cluster: its own directory, a socket, no TCP, no root."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from . import apt, paths, processes
from .say import Trouble

ROLE = "odoo"  # Odoo refuses to connect as "postgres"
PORT = 5432  # only names the socket
START_SECONDS = 60.0
# a unix socket's path ends at 107 bytes, see unix(7)
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.%d" % PORT)
CREATE_CLUSTER = pathlib.Path("/etc/postgresql-common/createcluster.conf")
# The sandbox can be made again at any time, so nothing waits for the disk. A commit still
# survives a crash of the server, which tests provoke.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "min_wal_size": "32MB",
    "jit": "off",
}


def binaries():
    """The directory of the server's programs, installed by root if need be.

    :rtype: pathlib.Path
    :raises Trouble: when there are none and we may not install them
    """
    found = _find_binaries()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
        found = _find_binaries()
    if found is None:
        raise Trouble(
            "PostgreSQL's server is not installed:  sudo apt install postgresql\n"
            "(its programs are looked for in PATH and /usr/lib/postgresql/*/bin)"
        )
    return found


def _find_binaries():
    versions = pathlib.Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    folders = [pathlib.Path(on_path).resolve().parent] if on_path else []
    for folder in folders + newest:
        if all((folder / name).exists() for name in ("initdb", "postgres", "psql")):
            return folder
    return None


def _install():
    """Install the server without the cluster Debian would start along with it."""
    log = paths.cache() / "apt.log"
    apt.install(["postgresql-common"], log)
    original = CREATE_CLUSTER.read_text(encoding="utf-8")
    CREATE_CLUSTER.write_text("create_main_cluster = false\n", encoding="utf-8")
    try:
        apt.install(["postgresql"], log)
    finally:
        CREATE_CLUSTER.write_text(original, encoding="utf-8")


def server_user():
    """Who runs the server: nobody special, or for root the system's postgres user.

    :rtype: pwd.struct_passwd or None
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        subprocess.run(["useradd", "--system", "postgres"], check=True)
        return pwd.getpwnam("postgres")


class Cluster:
    """A cluster in a directory, running while it is used as a context.

    :param pathlib.Path folder: data directory; made when it does not exist
    :param pathlib.Path log: file for the server's messages
    """

    def __init__(self, folder, log):
        self.folder = folder
        self.log = log
        self.bin = binaries()
        self.user = server_user()
        self.socket = None
        self._server = None

    def create(self):
        """Initialise the directory and the role Odoo uses."""
        self.folder.mkdir(parents=True)
        self.own()
        self._run("initdb", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
                  "-A", "trust", "--no-sync", "-D", self.folder)
        with self:
            self.sql("CREATE ROLE %s LOGIN CREATEDB" % ROLE, user="postgres")

    def own(self):
        """Give the directory to the user the server runs as."""
        if self.user is not None:
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        self.folder.chmod(0o700)

    def __enter__(self):
        self.socket = self._socket_folder()
        if self.user is not None:
            os.chown(self.socket, self.user.pw_uid, self.user.pw_gid)
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "postmaster.pid").unlink()  # of a server that was killed
        settings = dict(SETTINGS, unix_socket_directories=self.socket)
        command = [self.bin / "postgres", "-D", self.folder, "-p", PORT]
        for name, value in settings.items():
            command += ["-c", "%s=%s" % (name, value)]
        try:
            self._launch(command)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _socket_folder(self):
        folder = self.folder.parent / "socket"
        if len(str(folder)) > LONGEST_SOCKET_FOLDER:
            return pathlib.Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp"))
        folder.mkdir(mode=0o700)
        return folder

    def _launch(self, command):
        with open(self.log, "ab") as output:
            self._server = processes.start(
                command,
                user=self.user,
                death_signal=signal.SIGQUIT,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise Trouble(
                    "PostgreSQL did not start. The end of %s:\n%s"
                    % (self.log, processes.tail(self.log))
                )
            time.sleep(0.05)

    def _answers(self):
        probe = [self.bin / "pg_isready", "-q", "-h", self.socket, "-p", PORT]
        probe += ["-U", "postgres", "-d", "postgres"]
        return not subprocess.run([str(word) for word in probe], check=False).returncode

    def __exit__(self, *_error):
        if self._server is not None:
            processes.stop(self._server, signal.SIGINT)  # a "fast" shutdown
        shutil.rmtree(self.socket, ignore_errors=True)

    def sql(self, statement, database="postgres", user=ROLE):
        """Run a statement; rows come back as lines with | between the values."""
        return self._run("psql", "-h", self.socket, "-p", PORT, "-U", user, "-XqAt",
                         "-v", "ON_ERROR_STOP=1", "-c", statement, database)

    def _run(self, program, *arguments):
        command = [str(word) for word in (self.bin / program, *arguments)]
        child = processes.start(
            command,
            user=self.user,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        output, errors = child.communicate()
        if child.returncode:
            raise Trouble("%s failed: %s" % (program, errors.strip()))
        return output
