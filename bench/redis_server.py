"""A redis-server of the benchmark's own, and a client for it with nothing but the standard library.

Must not know what is measured.
"""
import shutil
import socket
import subprocess
import tempfile
import time

PERSISTENCE = {
    "none": ["--save", "", "--appendonly", "no"],
    "everysec": ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"],
}


class Client:
    """One connection; a command's reply is bytes, an int, None or a list."""

    def __init__(self, port, db=0):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile("rb")
        if db:
            self.command("SELECT", db)

    def command(self, *parts):
        parts = [str(part).encode() for part in parts]
        head = [b"*%d\r\n" % len(parts)]
        self.socket.sendall(b"".join(head + [b"$%d\r\n%s\r\n" % (len(p), p) for p in parts]))
        return self._reply()

    def _reply(self):
        line = self.replies.readline()
        if not line:
            raise ConnectionError("redis-server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        size = int(rest)
        if size < 0:
            return None
        if kind == b"$":
            return self.replies.read(size + 2)[:-2]
        return [self._reply() for _ in range(size)]

    def commands_so_far(self):
        """Those inside scripts included."""
        info = self.command("INFO", "stats").decode().splitlines()
        return next(int(line.split(":")[1]) for line in info if line.startswith("total_commands_processed"))

    def close(self):
        self.replies.close()
        self.socket.close()


class Server:
    """A running server on a free port of 127.0.0.1; `with` ends it."""

    def __init__(self, persistence):
        self.folder = tempfile.mkdtemp(prefix="chicory-bench-redis-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder]
            + PERSISTENCE[persistence],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def __enter__(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                Client(self.port).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError("redis-server does not start") from None
                time.sleep(0.02)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
