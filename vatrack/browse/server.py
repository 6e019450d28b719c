"""A web server for one user on one machine: the page, its documents and the frames."""
from __future__ import annotations

import errno
import gzip
import json
import re
import secrets
import sys
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from .documents import Documents
from .images import CONTENT_TYPES, browser_image
from .pages import page_files
from .source import Source

#: Nothing from elsewhere, and no script but our own.
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
          "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
DEFAULT_PORT = 8760
_PORTS_TRIED = 50
_DOCUMENTS, _PICTURES = 64, 64  # kept in memory, ready to be sent
_DATA = re.compile(r'/data/([a-z]+(?:-\d{1,9}){0,2})\.json', re.ASCII)
_FRAME = re.compile(r'/frames/(\d{1,9})/(\d{1,9})', re.ASCII)
_ONE_DAY = 'private, max-age=86400'

#: Body, content type.
Reply = tuple[bytes, str]


class BrowseServer(ThreadingHTTPServer):
    """Serves a source until :meth:`shutdown`, or until ``serve_forever`` is interrupted.

    Pictures are addressed by numbers, never by file names: nothing but the
    frames of the dataset can be asked for. A server that listens on this
    machine only answers no other host name, so that no web site can reach it
    through a name of its own.

    Args:
        source: What is browsed.
        score_thr: Score from which predictions are shown at first.
        host: Address to listen on.
        port: Port; 0 takes any, None the first free one from :data:`DEFAULT_PORT`.

    Raises:
        OSError: The port is taken, or the address is not of this machine.
    """

    daemon_threads = True

    def __init__(self, source: Source, score_thr: float = .3, host: str = '127.0.0.1',
                 port: int | None = None) -> None:
        # Another start shows other data under the same addresses.
        version = secrets.token_hex(4)
        self.documents = Documents(source, lambda video, frame, _: f'frames/{video}/{frame}'
                                   f'?v={version}', score_thr)
        self.files = page_files()
        self.document = lru_cache(_DOCUMENTS)(self._document)
        self.converted = lru_cache(_PICTURES)(browser_image)
        self._bind(host, port)

    @property
    def url(self) -> str:
        """Address of the page."""
        host, port = self.server_address[:2]
        return f'http://{"localhost" if host in ("0.0.0.0", "::") else host}:{port}/'

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        return ip_address(self.server_address[0]).is_loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent where a browser hung up, which it does whenever the user moves on."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def _bind(self, host: str, port: int | None) -> None:
        candidates = [port] if port is not None else [
            *range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED)]
        for candidate in candidates:
            try:
                super().__init__((host, candidate), _Handler)
                return
            except (OSError, OverflowError) as error:
                if getattr(error, 'errno', None) != errno.EADDRINUSE:
                    raise OSError(f'cannot listen on {host}, port {candidate}: {error}; choose '
                                  'others with --host and --port') from error
        raise OSError(f'port {candidates[0]} of {host} is taken by another program; choose '
                      'another with --port, or leave --port out to take a free one')

    def _document(self, name: str) -> bytes:
        text = json.dumps(self.documents.get(name), separators=(',', ':'), allow_nan=False)
        return gzip.compress(text.encode(), 5)

    def picture(self, video: int, position: int) -> Reply:
        """The picture of a frame; one in a format that browsers know is not kept in memory.

        Raises:
            KeyError: There is no such frame.
            OSError: The file cannot be read.
            ValueError: It is missing or broken.
        """
        path = self.documents.source.image_path(video, position)
        make = browser_image if path.suffix.lower() in CONTENT_TYPES else self.converted
        return make(path)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: BrowseServer
    protocol_version = 'HTTP/1.1'
    server_version, sys_version = 'vatrack', ''
    timeout = 60

    def do_GET(self) -> None:
        """Send what the address names."""
        if not self._is_asked_by_name():
            self._fail(HTTPStatus.FORBIDDEN, 'this server answers on its own address only')
            return
        try:
            path = urlsplit(self.path).path
        except ValueError as error:
            self._fail(HTTPStatus.BAD_REQUEST, f'{self.path}: no address ({error})')
            return
        try:
            self._answer(path)
        except KeyError:
            self._fail(HTTPStatus.NOT_FOUND, f'{path}: nothing here')
        except (OSError, ValueError) as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            self._fail(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    do_HEAD = do_GET

    def _answer(self, path: str) -> None:
        if match := _DATA.fullmatch(path):
            self._send(self.server.document(match[1]), 'application/json', packed=True)
        elif match := _FRAME.fullmatch(path):
            self._send(*self.server.picture(int(match[1]), int(match[2])), cache=_ONE_DAY)
        else:
            self._send(*self.server.files['index.html' if path == '/' else path[1:]])

    def _is_asked_by_name(self) -> bool:
        """Whether the host is the one that was printed: a foreign name may be a trap."""
        if not self.server.is_local:
            return True
        try:
            host = (urlsplit(f'//{self.headers.get("Host", "")}').hostname or '').lower()
        except ValueError:
            return False
        return host == 'localhost' or host == self.server.server_address[0]

    def _fail(self, status: HTTPStatus, message: str) -> None:
        self._send(message.encode(errors='replace'), 'text/plain; charset=utf-8', status)

    def _send(self, body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK, *,
              cache: str = 'no-store', packed: bool = False) -> None:
        if packed and 'gzip' not in self.headers.get('Accept-Encoding', ''):
            body, packed = gzip.decompress(body), False
        self.send_response(status)
        self.send_header('Content-Type', content_type)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Cache-Control', cache)
        self.send_header('Content-Security-Policy', POLICY)
        self.send_header('X-Content-Type-Options', 'nosniff')
        self.send_header('Referrer-Policy', 'no-referrer')
        self.send_header('Cross-Origin-Resource-Policy', 'same-origin')
        if packed:
            self.send_header('Content-Encoding', 'gzip')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing: the terminal is the user's."""
