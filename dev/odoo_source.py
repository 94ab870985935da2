"""Which Odoo to run: a given tree, the cached 15.0, or Debian's 14.0."""
import os
import pathlib
import re
import shutil
import subprocess

from . import apt, paths
from .say import Trouble, step

DEBIAN = "debian"  # as ODOO_SRC: Debian's package even where a 15.0 tree is
SUITE = "bullseye"
ODOO_PACKAGE = "odoo-14"
# Odoo's package links to these for its JavaScript and its icons.
PACKAGES = (
    ODOO_PACKAGE,
    "libjs-jquery",
    "libjs-jquery-ui",
    "libjs-underscore",
    "fonts-font-awesome",
)
MISSING = """\
%(package)s could not be had from the Debian mirror of this machine:
    %(reason)s
Put these files of Debian's suite "bullseye" into %(folder)s by hand:
%(files)s
or use an Odoo 15.0 source tree:  make <target> ODOO_SRC=/path/to/odoo
(one in %(tree)s is found by itself)."""
# Where a mirror keeps them (pool/main/...), for the message above.
POOL = {
    ODOO_PACKAGE: "o/odoo/odoo-14_14.0.0*_all.deb",
    "libjs-jquery": "n/node-jquery/libjs-jquery_3.5.1*_all.deb",
    "libjs-jquery-ui": "j/jqueryui/libjs-jquery-ui_1.12.1*_all.deb",
    "libjs-underscore": "u/underscore/libjs-underscore_1.9.1*_all.deb",
    "fonts-font-awesome": "f/fonts-font-awesome/fonts-font-awesome_5.0.10*_all.deb",
}


class OdooTree:
    """An Odoo that can be run.

    :param pathlib.Path root: the directory that holds the package ``odoo``
    :param pathlib.Path program: the script that starts it
    """

    def __init__(self, root, program):
        self.root = root
        self.program = program
        self.release = (root / "odoo" / "release.py").read_text(encoding="utf-8")
        numbers = re.search(r"version_info = \((\d+), *(\d+)", self.release).groups()
        self.version = "%s.%s" % numbers

    @property
    def addons(self):
        """Addon directories besides the one inside the package itself."""
        outer = self.root / "addons"
        return [outer] if any(outer.glob("*/__manifest__.py")) else []

    def __str__(self):
        return "Odoo %s (%s)" % (self.version, self.root)


def find():
    """The Odoo to use, fetched if need be.

    :rtype: OdooTree
    :raises Trouble: when none can be had
    """
    chosen = os.environ.get("ODOO_SRC")
    if chosen == DEBIAN:
        return debian_tree()
    if chosen:
        return source_tree(pathlib.Path(chosen).expanduser().resolve())
    if cached_tree().exists():
        return source_tree(cached_tree())
    return debian_tree()


def cached_tree():
    """Where a 15.0 source tree is looked for."""
    return paths.cache() / "odoo-15.0"


def source_tree(folder):
    """The Odoo in a source tree.

    :raises Trouble: when it is none
    """
    if not (folder / "odoo-bin").exists() or not (folder / "odoo/release.py").exists():
        raise Trouble("%s holds no Odoo source tree (odoo-bin and odoo/)." % folder)
    return OdooTree(folder, folder / "odoo-bin")


def debian_tree():
    """Debian's Odoo 14.0, unpacked in the cache; nothing is installed.

    :raises Trouble: when a package can not be had
    """
    folder = paths.cache() / "odoo-14.0-debian"
    with paths.locked(paths.cache() / "odoo-14.0-debian.lock"):
        if not folder.exists():
            _unpack(folder)
    return OdooTree(folder / "usr/lib/python3/dist-packages", folder / "usr/bin/odoo")


def _unpack(folder):
    files = fetch(paths.cache() / "downloads")
    partial = folder.with_name(folder.name + ".new")
    shutil.rmtree(partial, ignore_errors=True)
    step("unpacking Odoo 14.0")
    for path in files:
        subprocess.run(["dpkg-deb", "-x", str(path), str(partial)], check=True)
    for link in [p for p in partial.rglob("*") if p.is_symlink() and not p.exists()]:
        link.unlink()  # fonts of packages that are not needed here
    partial.rename(folder)


def fetch(folder, mirrors=None):
    """The package files, those put there by hand first.

    :param list mirrors: addresses to try; those of apt by default
    :return: paths, in the order of ``PACKAGES``
    :rtype: list
    :raises Trouble: naming the files that could not be had
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: sorted(folder.glob(name + "_*.deb"))[-1:] for name in PACKAGES}
    missing = [name for name in PACKAGES if not found[name]]
    if missing:
        suite = _suite(apt.mirrors() if mirrors is None else mirrors, missing, folder)
        for name in missing:
            try:
                found[name] = [suite.download(name, folder)]
            except OSError as err:
                raise _missing(missing, name, folder, err) from err
    return [found[name][0] for name in PACKAGES]


def _suite(mirrors, missing, folder):
    reason = "apt has no http source with the component main"
    for mirror in mirrors:
        try:
            suite = apt.Suite(mirror, SUITE)
        except OSError as err:
            reason = "%s: %s" % (mirror, err)
            continue
        if suite.package(ODOO_PACKAGE):
            return suite
    raise _missing(missing, missing[0], folder, reason)


def _missing(missing, package, folder, reason):
    files = "\n".join("    pool/main/%s" % POOL[name] for name in missing)
    return Trouble(
        MISSING
        % {
            "package": package,
            "reason": reason,
            "folder": folder,
            "files": files,
            "tree": cached_tree(),
        }
    )
