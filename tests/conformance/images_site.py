"""A site on this machine that Tempest's images are fetched from, in place of the Internet."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.image import malice

_PACKED = gzip.compress(b"tiny", mtime=0)


class _Images(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with a small qcow2 if an image is asked for, else with what no image is."""
        body = malice.qcow2() if self.path.endswith(".img") else _PACKED
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def images_site() -> Iterator[int]:
    """Serve on a port of this machine; yield it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Images) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
