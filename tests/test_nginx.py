"""The block of the README in a real nginx."""
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from urllib.parse import urlsplit

import requests

from .common_proxy import TIMEOUT, ProxyCase, make_content
from .common_server import free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
README = os.path.join(os.path.dirname(os.path.dirname(__file__)), "README.md")
SIZE = 2000000
PARAMETER = "cloud_storage.x_accel_prefix"
CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {odoo};
            proxy_set_header Host {host};
        }}
        {block}
    }}
}}
"""


@unittest.skipUnless(NGINX, "nginx is not installed")
class TestNginx(ProxyCase):
    """nginx sends what is cached; Odoo says to whom."""

    def setUp(self):
        super().setUp()
        self.env["ir.config_parameter"].set_param(PARAMETER, "/cloud_cache")
        self.addCleanup(self._forget_prefix)
        self.cr.commit()
        self.odoo, self.base = self.base, self._start()

    def _forget_prefix(self):
        self.env["ir.config_parameter"].set_param(PARAMETER, False)
        self.cr.commit()

    def _start(self):
        folder = tempfile.mkdtemp(prefix="nginx-")
        self.addCleanup(shutil.rmtree, folder)
        port = free_port()
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(
                CONFIGURATION.format(
                    folder=folder,
                    port=port,
                    odoo=self.base,
                    host=urlsplit(self.base).netloc,
                    user="" if os.getuid() else "user root;",
                    block=self._block_of_the_readme(),
                )
            )
        process = subprocess.Popen([NGINX, "-p", folder, "-c", path])
        self.addCleanup(process.wait, TIMEOUT)
        self.addCleanup(process.terminate)
        base = "http://127.0.0.1:%d" % port
        self.wait_for(lambda: _answers(base + "/cloud_cache/"))
        return base

    def _block_of_the_readme(self):
        with open(README) as file:
            (block,) = re.findall(r"```nginx\n(.*?)```", file.read(), re.DOTALL)
        root = os.path.dirname(self.cache()._layout.base)
        return re.sub(r"alias [^;]*;", "alias %s/;" % root, block)

    def test_cached_file_comes_from_nginx(self):
        content = make_content(SIZE)
        user = self.make_user("employee", "base.group_user")
        attachment = self.make_cloud_file(content, mimetype="text/plain")
        self.cr.commit()
        employee = self.new_session(user)
        self.assertEqual(self.get(attachment, session=employee).content, content)
        self._settle()  # it is in the cache
        self.emulator.fault("*", times=-1, status=500)  # and Drive is not needed
        whole = self.get(attachment, session=employee)
        self.assertEqual((whole.status_code, whole.content), (200, content))
        self.assertEqual(whole.headers["X-Content-Type-Options"], "nosniff")
        part = self.get(attachment, session=employee, Range="bytes=5-9")
        self.assertEqual((part.status_code, part.content), (206, content[5:10]))
        self.assertEqual(part.headers["Content-Range"], "bytes 5-9/%d" % SIZE)
        self.assertNotIn("X-Accel-Redirect", whole.headers)
        self.assertEqual(whole.headers["Cache-Control"].split(",")[0], "private")

    def test_nobody_gets_past_odoo(self):
        content = make_content(SIZE)
        attachment = self.make_cloud_file(content)
        self.assertEqual(self.get(attachment).status_code, 404)
        attachment.public = True
        self.cr.commit()
        self.assertEqual(self.get(attachment).content, content)
        with_nginx, self.base = self.base, self.odoo
        target = self.get(attachment).headers["X-Accel-Redirect"]
        self.base = with_nginx
        self.assertEqual(self.get(attachment).content, content)
        straight = requests.get(self.base + target, timeout=TIMEOUT)
        self.assertEqual(straight.status_code, 404)


def _answers(url):
    try:
        # the location is internal, so this says that the block is in force
        return requests.get(url, timeout=TIMEOUT).status_code == 404
    except requests.ConnectionError:
        time.sleep(0.05)
        return False
