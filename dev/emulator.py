"""The Drive emulator's control client, loaded by path from the tests."""
import importlib.util

from . import paths
from .say import Trouble


def load():
    """The class ``Emulator`` of ``tests/emulator.py``.

    The tests are a package of the addon, whose import would need Odoo.
    """
    path = paths.CHECKOUT / "tests" / "emulator.py"
    if not path.exists():
        raise Trouble("%s is missing" % path)
    spec = importlib.util.spec_from_file_location("drive_emulator_client", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Emulator


def drive_emulator():
    """A running emulator, to be used as a context."""
    return load().start()
