"""Database images: a cluster with a ready Odoo database, copied for every run.

An image is made once per Odoo, server version and set of installed modules, and
never changed after: a run works on a copy, so runs never meet, a killed one spoils
nothing, and the second start is quick.
"""
import ast
import shutil

from . import odoo, paths, processes
from .postgres import Cluster, binaries
from .say import step

TEMPLATE = "template_odoo"


def depends():
    """Modules the addon builds on, those its database image holds installed."""
    manifest = paths.CHECKOUT / "__manifest__.py"
    if not manifest.exists():
        return ["web"]
    return ast.literal_eval(manifest.read_text(encoding="utf-8"))["depends"]


def ensure(tree, python, modules):
    """The directory of the image with these modules.

    :param odoo_source.OdooTree tree: the Odoo it is for
    :param pathlib.Path python: interpreter of the virtualenv
    :param list modules: names of modules to have installed
    :return: a directory with ``pgdata`` and ``filestore``
    :rtype: pathlib.Path
    """
    modules = sorted(set(modules) | {"web"})
    key = paths.digest(tree.root, tree.release, binaries(), *modules, *_extra(modules))
    images = paths.database_root() / "images"
    images.mkdir(exist_ok=True)
    folder = images / key
    with paths.locked(images / (key + ".lock")):
        if not folder.exists():
            _build(folder, tree, python, modules)
    return folder


def _extra(modules):
    """What identifies the modules that are not Odoo's own."""
    manifests = filter(None, map(odoo.extra_manifest, modules))
    return [part for path in manifests for part in (path, path.read_text("utf-8"))]


def _build(folder, tree, python, modules):
    partial = folder.with_name(folder.name + ".new")
    if partial.exists():
        step("an earlier database image was interrupted: starting it anew")
        shutil.rmtree(partial)
    label = "making a database with %s on Odoo %s" % (", ".join(modules), tree.version)
    log = paths.cache() / ("image-%s.log" % folder.name)
    cluster = Cluster(partial / "pgdata", log.with_suffix(".postgres"))
    cluster.create()
    data = partial / "data"
    with cluster:
        settings = odoo.settings(tree, cluster, data)
        odoo.write_config(partial / "odoo.conf", settings)
        cluster.sql("CREATE DATABASE %s TEMPLATE template0" % TEMPLATE)
        command = [python, tree.program, "-c", partial / "odoo.conf", "-d", TEMPLATE]
        command += ["-i", ",".join(modules), "--stop-after-init", "--no-http"]
        processes.run(command, log, label, env=odoo.environment(tree))
    (data / "filestore" / TEMPLATE).rename(partial / "filestore")
    partial.rename(folder)


def copy(image, folder, log):
    """A cluster of one's own, made from an image.

    :rtype: Cluster
    """
    shutil.copytree(image / "pgdata", folder)
    cluster = Cluster(folder, log)
    cluster.own()
    return cluster
