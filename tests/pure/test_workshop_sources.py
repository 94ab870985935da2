"""Where Odoo comes from: apt's mirrors, Debian's archive, files put by hand."""
import functools
import gzip
import hashlib
import http.server
import shutil
import threading

import pytest
import workshop

apt = workshop.load("apt")
odoo_source = workshop.load("odoo_source")
say = workshop.load("say")

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


def test_mirrors_of_both_formats(tmp_path):
    (tmp_path / "sources.list").write_text(
        "# deb http://off.example/debian bookworm main\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian/ bookworm main\n"
        "deb http://one.example/debian bookworm-updates main contrib\n"
        "deb http://sec.example/debian-security bookworm-security main\n"
        "deb cdrom:[Debian]/ bookworm main\n"
        "deb http://other.example/x bookworm contrib # main\n"
    )
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        "Types: deb deb-src\n"
        "# a comment inside\n"
        "URIs: http://two.example/debian\n"
        "  https://three.example/debian\n"
        "Suites: bookworm\n"
        "Components: main\n"
        "\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.example/\n"
        "Suites: bookworm\nComponents: main\n"
    )
    assert apt.mirrors(tmp_path) == [
        "http://one.example/debian",
        "http://two.example/debian",
        "https://three.example/debian",
    ]


def test_no_sources_no_mirrors(tmp_path):
    assert apt.mirrors(tmp_path) == []


@pytest.fixture
def archive(tmp_path):
    """A small archive with one package, served over HTTP: (address, directory)."""
    root = tmp_path / "archive"
    pool = root / "pool/main/o/odoo"
    pool.mkdir(parents=True)
    (pool / "odoo-14_1_all.deb").write_bytes(b"a package")
    index = (
        "Package: odoo-14\nVersion: 1\nDepends: a,\n b\n"
        "Filename: pool/main/o/odoo/odoo-14_1_all.deb\nSHA256: %s\n\n"
        "Package: odoo-14-doc\nVersion: 2\nFilename: x\n\n"
    ) % hashlib.sha256(b"a package").hexdigest()
    packed = gzip.compress(index.encode())
    dists = root / "dists/bullseye"
    (dists / apt.INDEX).parent.mkdir(parents=True)
    (dists / apt.INDEX).write_bytes(packed)
    digest = hashlib.sha256(packed).hexdigest()
    (dists / "InRelease").write_text(
        "Suite: bullseye\nSHA256:\n %s %9d %s\n" % (digest, len(packed), apt.INDEX)
    )
    handler = functools.partial(QuietHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d" % server.server_port, root
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        """Say nothing."""


def test_package_is_downloaded(archive, tmp_path):
    mirror, _root = archive
    suite = apt.Suite(mirror, "bullseye", keyring=tmp_path / "no keyring")
    assert suite.package("odoo-14")["version"] == "1"
    path = suite.download("odoo-14", tmp_path)
    assert path.name == "odoo-14_1_all.deb"
    assert path.read_bytes() == b"a package"
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []


def test_altered_package_is_refused(archive, tmp_path):
    mirror, root = archive
    (root / "pool/main/o/odoo/odoo-14_1_all.deb").write_bytes(b"another")
    suite = apt.Suite(mirror, "bullseye", keyring=tmp_path / "no keyring")
    with pytest.raises(say.Trouble, match="odoo-14_1_all.deb"):
        suite.download("odoo-14", tmp_path)
    assert not list(tmp_path.glob("*.deb"))


def test_altered_index_is_refused(archive, tmp_path):
    mirror, root = archive
    (root / "dists/bullseye" / apt.INDEX).write_bytes(gzip.compress(b"Package: x\n"))
    with pytest.raises(say.Trouble, match="Packages.gz"):
        apt.Suite(mirror, "bullseye", keyring=tmp_path / "no keyring")


@pytest.mark.skipif(
    not (shutil.which("gpgv") and apt.KEYRING.exists()), reason="no Debian keys here"
)
def test_unsigned_release_is_refused(archive):
    with pytest.raises(say.Trouble, match="not signed by Debian"):
        apt.Suite(archive[0], "bullseye")


def test_files_put_by_hand_need_no_mirror(tmp_path):
    for name in odoo_source.PACKAGES:
        (tmp_path / (name + "_1.0_all.deb")).touch()
    files = odoo_source.fetch(tmp_path, mirrors=[])
    assert [path.name.split("_")[0] for path in files] == list(odoo_source.PACKAGES)


def test_missing_files_are_named_with_their_place(tmp_path):
    (tmp_path / "libjs-jquery_3_all.deb").touch()
    with pytest.raises(say.Trouble) as caught:
        odoo_source.fetch(tmp_path, mirrors=[NOWHERE])
    message = str(caught.value)
    assert "pool/main/o/odoo/odoo-14_14.0.0" in message
    assert str(tmp_path) in message
    assert NOWHERE in message
    assert "ODOO_SRC" in message
    assert "node-jquery" not in message, "this one is there already"


def test_jquery_ui_is_not_taken_for_jquery(tmp_path):
    (tmp_path / "libjs-jquery-ui_1.12_all.deb").touch()
    with pytest.raises(say.Trouble, match="libjs-jquery_3.5.1"):
        odoo_source.fetch(tmp_path, mirrors=[])


def test_odoo_src_must_be_an_odoo(tmp_path, monkeypatch):
    monkeypatch.setenv("ODOO_SRC", str(tmp_path))
    with pytest.raises(say.Trouble, match="no Odoo source tree"):
        odoo_source.find()


def test_given_tree_then_cached_tree(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUD_STORAGE_DEV_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ODOO_SRC", raising=False)
    make_tree(tmp_path / "cache" / "odoo-15.0", "15, 0")
    given = make_tree(tmp_path / "given", "14, 0")
    assert odoo_source.find().version == "15.0"
    monkeypatch.setenv("ODOO_SRC", str(given))
    assert odoo_source.find().version == "14.0"
    assert odoo_source.find().program == given / "odoo-bin"


def make_tree(folder, version):
    (folder / "odoo").mkdir(parents=True)
    (folder / "odoo-bin").touch()
    release = "version_info = (%s, 0, FINAL, 0, '')\n" % version
    (folder / "odoo" / "release.py").write_text(release)
    return folder
