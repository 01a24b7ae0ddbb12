"""A server on the loopback that gives a release and keeps what machines post."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NONCE = "0123456789abcdef" * 2


@dataclass
class Server:
    """What it saw.

    Attributes:
        url: of its folder.
        asked: paths, in their order.
        posted: bodies of `/report`.
    """

    url: str = ""
    asked: list[str] = field(default_factory=list)
    posted: list[bytes] = field(default_factory=list)


@contextmanager
def serving(folder: Path, *, report_status: int = 202) -> Iterator[Server]:
    """Serves until the end of the block."""
    seen = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.asked.append(self.path)
            path = folder / self.path.lstrip("/")
            data = path.read_bytes() if path.is_file() else b""
            self.send_response(200 if path.is_file() else 404)
            self.send_header("Content-Length", str(len(data)))
            if path.name == "manifest.json":
                self.send_header("Orlop-Session", NONCE)
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.posted.append(body)
            seen.asked.append(self.path)
            self.send_response(report_status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        seen.url = f"http://127.0.0.1:{server.server_address[1]}/"
        yield seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
