"""Chromium without a window, driven by its DevTools protocol over a pipe."""
from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
FLAGS = ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--hide-scrollbars', '--remote-debugging-pipe')


def find_chromium() -> str | None:
    """Path of the browser, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One tab of a browser; a context manager."""

    def __init__(self, profile: Path, patience: float = 30) -> None:
        self._profile, self._patience = profile, patience
        self._count, self._unread = 0, b''
        self._session: str | None = None

    def __enter__(self) -> Chromium:
        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
        # Above 4, so that neither is in the way of the two that the browser looks at.
        read_end, write_end = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in,
                                                                              theirs_out))

        def connect() -> None:
            os.dup2(read_end, 3)
            os.dup2(write_end, 4)

        self._process = subprocess.Popen(
            [find_chromium(), *FLAGS, f'--user-data-dir={self._profile}', 'about:blank'],
            preexec_fn=connect, pass_fds=(3, 4), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for end in (theirs_in, theirs_out, read_end, write_end):
            os.close(end)
        self._in, self._out = ours_in, ours_out
        tab = self.send('Target.createTarget', url='about:blank')['targetId']
        self._session = self.send('Target.attachToTarget', targetId=tab, flatten=True)['sessionId']
        self.send('Page.enable')
        self.send('Page.bringToFront')  # a tab in the background draws and answers late
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.write(self._out, b'{"id": 0, "method": "Browser.close"}\0')
        self._process.wait(self._patience)
        os.close(self._in)
        os.close(self._out)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method and wait for its result."""
        self._count += 1
        message = {'id': self._count, 'method': method, 'params': parameters}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._out, json.dumps(message).encode() + b'\0')
        while True:
            reply = self._read()
            if reply.get('id') == self._count:
                assert 'error' not in reply, f'{method}: {reply["error"]}'
                return reply['result']

    def _read(self) -> dict[str, Any]:
        while b'\0' not in self._unread:
            assert select.select([self._in], [], [], self._patience)[0], 'the browser is silent'
            chunk = os.read(self._in, 1 << 20)
            assert chunk, 'the browser has ended'
            self._unread += chunk
        message, _, self._unread = self._unread.partition(b'\0')
        return json.loads(message)

    def open(self, url: str, width: int = 1280, height: int = 800, scheme: str = 'light') -> None:
        """Load a page at a size in pixels, in the scheme 'light' or 'dark'."""
        self.send('Emulation.setDeviceMetricsOverride', width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self.send('Emulation.setEmulatedMedia',
                  features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        self.send('Page.navigate', url='about:blank')  # else a change of the hash loads nothing
        self.send('Page.navigate', url=url)

    def evaluate(self, expression: str) -> Any:
        """Value of an expression in the page, as JSON."""
        reply = self.send('Runtime.evaluate', expression=expression, returnByValue=True,
                          awaitPromise=True)
        assert 'exceptionDetails' not in reply, reply['exceptionDetails']
        return reply['result'].get('value')

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + self._patience
        attempt = f'(() => {{ try {{ return !!({expression}); }} catch {{ return false; }} }})()'
        while not self.evaluate(attempt):
            assert time.monotonic() < end, f'never true: {expression}; errors of the page: ' + str(
                self.evaluate('document.documentElement.dataset.errors'))
            time.sleep(.02)

    def press(self, key: str, shift: bool = False) -> None:
        """Press and release a key, by its name in ``KeyboardEvent.key``."""
        text = {'text': key} if len(key) == 1 else {}
        for kind in ('keyDown', 'keyUp'):
            self.send('Input.dispatchKeyEvent', type=kind, key=key, modifiers=8 * shift,
                      **(text if kind == 'keyDown' else {}))

    def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        x, y = self.evaluate(f'''(() => {{
            const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2]; }})()''')
        for kind in ('mouseMoved', 'mousePressed', 'mouseReleased'):
            self.send('Input.dispatchMouseEvent', type=kind, x=x, y=y, clickCount=1,
                      button='none' if kind == 'mouseMoved' else 'left')

    def screenshot(self, path: Path) -> None:
        """Save what is in sight as PNG."""
        path.write_bytes(base64.b64decode(self.send('Page.captureScreenshot')['data']))
