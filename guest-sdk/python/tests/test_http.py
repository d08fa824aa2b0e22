"""HTTP natively, against a server of the test's own: what is sent, what comes back, where redirects lead."""

import asyncio
import json
import subprocess
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]

from chicory_sdk import http, loop, world  # noqa: E402


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; `/to/STATUS/PLACE` leads on."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        parts = self.path.split("/", 3)
        if parts[1] == "to":
            self.send(int(parts[2]), b"", [("location", f"/{parts[3]}")])
        elif parts[1] == "status":
            self.send(int(parts[2]), b"no", [])
        elif parts[1] == "latin":
            self.send(200, "größe".encode("latin-1"), [("content-type", 'text/plain; charset="latin-1"')])
        else:
            told = {"method": self.command, "path": self.path, "body": body,
                    "headers": {name.lower(): value for name, value in self.headers.items()}}
            self.send(200, json.dumps(told).encode(), [("x-twice", "a"), ("x-twice", "b")])

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in [*headers, ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        cls.url = f"http://127.0.0.1:{cls.server.server_port}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def test_what_is_sent(self):
        told = http.post(f"{self.url}/a?b=c#d", params={"e": "f g"}, json={"h": 1}, headers={"X-I": "j"}).json()
        self.assertEqual((told["method"], told["path"], told["body"]), ("POST", "/a?b=c&e=f+g", '{"h": 1}'))
        self.assertEqual(told["headers"]["content-type"], "application/json")
        self.assertEqual(told["headers"]["x-i"], "j")
        for ask in (http.get, http.put, http.patch, http.delete):
            self.assertEqual(ask(self.url).json()["method"], ask.__name__.upper())
        self.assertEqual(http.head(self.url).body, b"")

    def test_what_comes_back(self):
        self.assertEqual(http.get(self.url).headers["x-twice"], "a, b")
        self.assertEqual(http.get(f"{self.url}/latin").text(), "größe")
        bad = http.get(f"{self.url}/status/404")
        self.assertEqual((bad.ok, bad.status, bad.text()), (False, 404, "no"))
        with self.assertRaisesRegex(http.StatusError, "answered with status 404"):
            bad.raise_for_status()

    def test_redirects(self):
        there = http.post(f"{self.url}/to/307/there", data="kept", headers={"Authorization": "mine"})
        self.assertEqual(there.url, f"{self.url}/there")
        told = there.json()
        self.assertEqual((told["method"], told["body"], told["headers"]["authorization"]), ("POST", "kept", "mine"))
        told = http.post(f"{self.url}/to/303/there", json={"left": "out"}).json()
        self.assertEqual((told["method"], told["body"], "content-type" in told["headers"]), ("GET", "", False))
        self.assertEqual(http.get(f"{self.url}/to/302/there", redirects=False).status, 302)
        with self.assertRaisesRegex(http.TooManyRedirects, "more than 10"):
            http.get(self.url + "/to/302" * 11 + "/there")

    def test_secrets_stay_with_their_host(self):
        asked = http.prepare("GET", "http://one.test/a", headers={"Authorization": "mine", "Accept": "text/plain"})
        self.assertEqual(http.redirected(asked, 302, "//two.test/b").headers, {"accept": "text/plain"})
        self.assertIn("authorization", http.redirected(asked, 302, "/b").headers)

    def test_what_is_no_request(self):
        for url in ("ftp://x.test/", "/path", "http://"):
            with self.assertRaisesRegex(ValueError, "not a valid URL"):
                http.get(url)
        with self.assertRaisesRegex(ValueError, "not both"):
            http.post(self.url, data="a", json=1)

    def test_many_at_once(self):
        async def many():
            return await asyncio.gather(*(http.fetch(f"{self.url}/{place}") for place in range(3)))

        self.assertEqual([one.json()["path"] for one in loop.run(many())], ["/0", "/1", "/2"])

    def test_only_who_imports_it_has_it_built_in(self):
        self.assertIn("import wasi:http/outgoing-handler", world.world([], http=True))
        self.assertNotIn("wasi:http", world.world([]))
        code = "import sys, chicory_sdk; sys.exit('chicory_sdk.http' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, check=True)


if __name__ == "__main__":
    unittest.main()
