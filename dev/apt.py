"""Debian's archive, as far as the workshop needs it.

The mirror is the one apt is configured with; addresses are never written here.
Formats: sources.list(5), and the Release and Packages indices of
https://wiki.debian.org/DebianRepository/Format.
"""
import gzip
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import urllib.error
import urllib.request

from . import processes
from .say import Trouble, Waiting

SOURCES = pathlib.Path("/etc/apt")
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
INDEX = "main/binary-all/Packages.gz"
TIMEOUT = 60  # seconds without a byte
CHUNK = 1 << 18


def mirrors(folder=SOURCES):
    """Addresses of the binary archives in apt's sources that have a main component.

    :param pathlib.Path folder: where ``sources.list`` and ``sources.list.d`` are
    :return: http(s) addresses in the order of the files, each once, no final slash
    :rtype: list
    """
    found = []
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]:
        parse = {".list": _one_line, ".sources": _deb822}.get(path.suffix)
        if parse and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [address.rstrip("/") for address in parse(text)]
    web = [a for a in found if a.startswith(("http://", "https://"))]
    return list(dict.fromkeys(web))


def _one_line(text):
    pattern = re.compile(r"^\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$", re.M)
    for address, suite, components in pattern.findall(text):
        if "main" in components.split("#")[0].split() and "security" not in suite:
            yield address


def _deb822(text):
    without_comments = re.sub(r"^#.*\n?", "", text, flags=re.M)
    for stanza in re.split(r"\n\s*\n", without_comments):
        fields = paragraph(stanza)
        kinds = fields.get("types", "").split()
        wanted = "deb" in kinds and "main" in fields.get("components", "").split()
        off = fields.get("enabled", "yes").lower() in ("no", "false", "0", "off")
        if wanted and not off and "security" not in fields.get("suites", ""):
            yield from fields.get("uris", "").split()


def paragraph(text):
    """The fields of one deb822 paragraph, names in lower case.

    :rtype: dict
    """
    fields, name = {}, None
    for line in text.splitlines():
        if line[:1] in (" ", "\t") and name:
            fields[name] += "\n" + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


class Suite:
    """One suite of an archive, its index checked against its signed Release.

    :param str mirror: address of the archive
    :param str name: such as "bullseye"
    :param pathlib.Path keyring: keys that may sign; unchecked where it is missing
    :raises OSError: when the mirror does not answer or has no such suite
    :raises Trouble: when signature or checksum is wrong
    """

    def __init__(self, mirror, name, keyring=KEYRING):
        self.mirror = mirror
        base = "%s/dists/%s/" % (mirror, name)
        release = read(base + "InRelease")
        _check_signature(release, base, keyring)
        sums = dict(
            (path, digest)
            for digest, path in re.findall(
                r"^ ([0-9a-f]{64}) +\d+ (\S+)$", release.decode("utf-8"), re.M
            )
        )
        index = read(base + INDEX)
        _check_sum(index, sums.get(INDEX), base + INDEX)
        self._index = gzip.decompress(index).decode("utf-8")

    def package(self, name):
        """The index paragraph of a package, {} when the suite has none."""
        match = re.search(
            r"^Package: %s\n(?:.+\n)*" % re.escape(name), self._index, re.M
        )
        return paragraph(match.group()) if match else {}

    def download(self, name, folder):
        """Fetch a package's file into a folder.

        :rtype: pathlib.Path
        :raises OSError: when it can not be had
        :raises Trouble: when it is not what the index says
        """
        fields = self.package(name)
        if not fields:
            raise FileNotFoundError("%s has no package %s" % (self.mirror, name))
        address = "%s/%s" % (self.mirror, fields["filename"])
        content = read(address, "downloading " + name)
        _check_sum(content, fields["sha256"], address)
        path = folder / pathlib.PurePosixPath(fields["filename"]).name
        partial = path.with_suffix(".part%d" % os.getpid())
        partial.write_bytes(content)
        return partial.replace(path) or path


def read(address, label=None):
    """The bytes at an address.

    :raises OSError: when they can not be had
    """
    waiting = Waiting(label) if label else None
    parts = []
    with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
        for part in iter(lambda: answer.read(CHUNK), b""):
            parts.append(part)
            if waiting:
                waiting.tick()
    if waiting:
        waiting.done()
    return b"".join(parts)


def _check_sum(content, digest, address):
    if hashlib.sha256(content).hexdigest() != digest:
        raise Trouble("%s is not what the archive's index promises." % address)


def _check_signature(release, address, keyring):
    """Let gpgv judge the Release file, where Debian's keys are installed."""
    if not (shutil.which("gpgv") and keyring.exists()):
        return
    verdict = subprocess.run(
        ["gpgv", "--quiet", "--keyring", str(keyring)],
        input=release,
        capture_output=True,
        check=False,
    )
    if verdict.returncode:
        raise Trouble("%sInRelease is not signed by Debian." % address)


def install(packages, log):
    """Install system packages as root.

    :raises Trouble: when apt can not
    """
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    options = ["-o", "DPkg::Lock::Timeout=300"]
    processes.run(["apt-get", *options, "update"], log, "apt-get update", env=env)
    processes.run(
        ["apt-get", *options, "install", "-y", "--no-install-recommends", *packages],
        log,
        "installing " + " ".join(packages),
        env=env,
    )
