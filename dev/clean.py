"""Remove what the workshop built; what it downloaded or was given stays."""
import shutil

from . import paths
from .say import step

BUILT = ("venv-*", "image-*", "addons", "chromium", "lint", "logs", "pycache",
         "odoo-14.0-debian*", "apt.log")


def clean(_options=None):
    """Empty the cache, save downloads, a given Odoo tree and runs that live."""
    for root in (paths.cache(), paths.database_root()):
        with paths.scratch(root):
            pass  # sweeps what killed runs left
    doomed = [path for pattern in BUILT for path in paths.cache().glob(pattern)]
    doomed.append(paths.database_root() / "images")
    for path in doomed:
        step("removing %s", path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return 0
