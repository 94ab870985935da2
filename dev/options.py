"""The command line of the workshop."""
import argparse

COMMANDS = {
    "test": "run the tests",
    "lint": "run the linters",
    "demo": "show the main job on a real Odoo",
    "odoo": "start Odoo with the addon on a fresh database",
    "shell": "open an odoo-bin shell on a fresh database",
    "bench": "run the benchmarks",
    "screenshots": "take the pictures of the documentation",
    "texts": "bring the translations up to date",
    "clean": "remove what the workshop built (not what it downloaded)",
    "tool": "run a lint tool (for pre-commit's hooks)",
}


def parse(arguments=None):
    """Read the command line.

    :param list arguments: stands in for ``sys.argv[1:]``
    :rtype: argparse.Namespace
    """
    root = argparse.ArgumentParser(prog="python3 -m dev")
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    made = {name: commands.add_parser(name, help=COMMANDS[name]) for name in COMMANDS}
    test = made["test"]
    test.add_argument("--suite", choices=("pure", "odoo"), help="only this suite")
    test.add_argument("--only", help="an expression for pytest's -k")
    test.add_argument("--order", choices=("natural", "random"), default="natural")
    test.add_argument("--seed", type=int, help="of a random order to repeat")
    demo = made["demo"]
    demo.add_argument("--stop", action="store_true", help="end when all is shown")
    demo.add_argument("--faults", action="store_true", help="with a Drive that fails")
    made["tool"].add_argument("name")
    made["tool"].add_argument("arguments", nargs=argparse.REMAINDER)
    return root.parse_args(arguments)
