"""Where the disk cache keeps what: names that nobody outside can steer."""

import contextlib
import hashlib
import os
import re
import stat

# The sha1 of a content, then optionally the name of something derived from it.
_KEY = re.compile(r"[0-9a-f]{40}(-[a-z0-9_]{1,32})?")


class CacheLayout:
    """Paths of one database's cache below ``root``.

    ``<root>/<database>/<2 digits>/<key>`` are entries; ``tmp`` holds what is being
    written (in the same file system, for atomic renames) and ``locks`` the lock files.
    """

    def __init__(self, root, database):
        self.base = os.path.join(root, _directory_name(database))
        self.temporary = os.path.join(self.base, "tmp")
        self.locks = os.path.join(self.base, "locks")
        self.usage = os.path.join(self.base, "usage")
        self.eviction_lock = os.path.join(self.base, "evict.lock")

    def entry(self, key):
        """Return the path of an entry; ValueError when ``key`` is none."""
        return os.path.join(self.base, check_key(key)[:2], key)

    def lock(self, key):
        """Return the path of an entry's lock file; ValueError as in :meth:`entry`."""
        return os.path.join(self.locks, check_key(key))

    def prepare(self, key=None):
        """Make the directories needed to write ``key``, for nobody else to enter.

        :raise OSError: also when the directory is there but belongs to someone else
        """
        os.makedirs(os.path.dirname(self.base), mode=0o700, exist_ok=True)
        _own_directory(self.base)
        paths = [self.temporary, self.locks]
        if key:
            paths.append(os.path.dirname(self.entry(key)))
        for path in paths:
            os.makedirs(path, mode=0o700, exist_ok=True)

    def entries(self):
        """Yield ``os.DirEntry`` of each entry."""
        for directory in list_directory(self.base):
            if len(directory.name) == 2 and directory.is_dir(follow_symlinks=False):
                yield from list_directory(directory.path)


def check_key(key):
    """Return ``key`` when it can name an entry.

    :raise ValueError: for anything else, ``../`` above all
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError("not a cache key: %r" % (key,))
    return key


def is_variant(key):
    """Tell whether ``key`` names something derived from a file, such as a thumbnail."""
    return len(check_key(key)) > 40


def list_directory(path):
    """Return the entries of a directory, none when it can not be read."""
    with contextlib.suppress(OSError):
        with os.scandir(path) as found:
            return list(found)
    return []


def _directory_name(database):
    """Return a name for people, made unique: two databases never share a directory."""
    digest = hashlib.sha256(database.encode("utf-8", "surrogatepass")).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", database)[:40]
    return "{}-{}".format(readable, digest[:16])


def _own_directory(path):
    """Make a private directory; one that another user put there is refused."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError("not our directory: %s" % path)
    if stat.S_IMODE(status.st_mode) & 0o077:
        os.chmod(path, 0o700)
