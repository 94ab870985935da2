"""The package ``dev``, without the checkout's other directories on the path."""
import importlib
import importlib.util
import pathlib
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def load(module):
    """A module of ``dev``."""
    if "dev" not in sys.modules:
        folder = CHECKOUT / "dev"
        spec = importlib.util.spec_from_file_location(
            "dev", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        sys.modules["dev"] = importlib.util.module_from_spec(spec)
    return importlib.import_module("dev." + module)
