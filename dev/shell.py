"""Scripts in an ``odoo-bin shell`` of their own, with values in and out."""
import json

from . import processes

FRAME = """
import json
given, found = json.loads({given!r}), {{}}
{script}
with open({answer!r}, "w") as stream:
    json.dump(found, stream)
"""


def run(box, database, script, **given):
    """Run a script in a fresh Odoo process.

    :param sandbox.Sandbox box: where
    :param str script: Python with ``env`` and ``given``; it fills the dict ``found``
    :param given: values fit for JSON
    :return: what the script put into ``found``
    :rtype: dict
    :raises Trouble: when it fails, with the end of the log
    """
    answer, source = box.folder / "answer.json", box.folder / "script.py"
    text = FRAME.format(given=json.dumps(given), script=script, answer=str(answer))
    source.write_text(text, encoding="utf-8")
    command = box.odoo_command("shell", "-d", database, "--no-http")
    with open(source, "rb") as stream:
        processes.run(command, box.log, env=box.environment(), stdin=stream)
    return json.loads(answer.read_text(encoding="utf-8"))
