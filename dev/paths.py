"""Where the workshop keeps things, and the locks that let runs share them."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
ADDON = "cloud_storage"


def cache():
    """The cache directory, ``$CLOUD_STORAGE_DEV_CACHE`` or one in the home.

    :rtype: pathlib.Path
    """
    chosen = os.environ.get("CLOUD_STORAGE_DEV_CACHE")
    folder = pathlib.Path(chosen) if chosen else pathlib.Path.home() / ".cache"
    folder = folder if chosen else folder / "cloud_storage_dev"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def database_root():
    """A cache directory that the user who runs PostgreSQL can reach.

    Root's home is closed to others, so root keeps its clusters under /var/cache.

    :rtype: pathlib.Path
    """
    root = cache()
    open_to_all = all(p.stat().st_mode & 1 for p in (root, *root.parents))
    if os.geteuid() == 0 and not open_to_all:
        root = pathlib.Path("/var/cache/cloud_storage_dev") / digest(root)
    root = root / "databases"
    root.mkdir(parents=True, exist_ok=True)
    return root


def digest(*parts):
    """A short name for a combination of strings."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(path, wait=True):
    """Hold an exclusive lock on a file while the block runs.

    The kernel drops it with the process, however that ends.

    :raises BlockingIOError: when somebody else holds it and ``wait`` is false
    """
    with open(path, "a", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield handle


@contextlib.contextmanager
def scratch(root):
    """A directory below ``root/runs`` that goes with the run.

    What killed runs left behind goes too: their lock is free.

    :rtype: pathlib.Path
    """
    runs = root / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    sweep(runs)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=runs))
    folder.chmod(0o755)
    with locked(runs / (folder.name + ".lock")):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            (runs / (folder.name + ".lock")).unlink()


def sweep(runs):
    """Remove the directories of runs that no longer live."""
    for lock in runs.glob("run-*.lock"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            with locked(lock, wait=False):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink()
