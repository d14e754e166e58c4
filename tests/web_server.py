"""A web server on loopback that serves a folder, and misbehaves where it is asked to."""

import hashlib
import threading
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class WebServer:
    """Serves the files of a folder.

    `faults` gives for a file's name what happens to the requests for it, in order: "truncated" (the connection
    closes in the middle), "silent" (no answer), "stalled" (nothing after the middle), "dripping" (then byte by
    byte), "refused" (an error 500), "whole". The last one stays. `requests` lists the names asked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[str, list[str]] = {}
        self.requests: list[str] = []
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, site=self, directory=folder))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def md5(self) -> dict[str, str]:
        """Digests of the files by their names without .gz."""
        return {p.name.removesuffix(".gz"): hashlib.md5(p.read_bytes()).hexdigest() for p in self.folder.iterdir()}

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def fault(self, name: str) -> str:
        self.requests.append(name)
        waiting = self.faults.get(name, ["whole"])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments, site: WebServer, **options) -> None:
        self.site = site
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        name = self.path.strip("/")
        fault = self.site.fault(name)
        if fault == "whole":
            super().do_GET()
        elif fault == "refused":
            self.send_error(500, "out of \x1b[31morder")
        elif fault == "silent":
            self.site.closing.wait()
        else:
            self._half(fault, (self.site.folder / name).read_bytes())

    def _half(self, fault: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        middle = len(content) // 2
        self.wfile.write(content[:middle])
        if fault == "stalled":
            self.site.closing.wait()
        while fault == "dripping" and not self.site.closing.wait(0.02):
            self.wfile.write(content[middle : middle + 1])
            self.wfile.flush()

    def handle(self) -> None:
        with suppress(OSError):  # the client went away
            super().handle()

    def log_message(self, *_) -> None:
        pass
