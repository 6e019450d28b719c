"""The files of the page itself."""
from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).with_name('page')
_TYPES = {'.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8',
          '.js': 'text/javascript; charset=utf-8'}
_LINKED = re.compile(r'<link rel="stylesheet" href="(?P<css>[a-z]+\.css)">'
                     r'|<script defer src="(?P<js>[a-z]+\.js)"></script>')


def page_files() -> dict[str, tuple[bytes, str]]:
    """Content and content type of every file by name."""
    return {path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


def page_in_one(policy: str) -> str:
    """The page with style and scripts in it, which reads its documents from files beside it.

    Args:
        policy: Content security policy.
    """
    page = (_FOLDER / 'index.html').read_text(encoding='utf-8')
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    page = page.replace('<head>', f'<head>\n{head}').replace('data-source="server"',
                                                            'data-source="files"')
    scripts = []

    def inline(match: re.Match[str]) -> str:
        text = (_FOLDER / match[match.lastgroup]).read_text(encoding='utf-8')
        if match.lastgroup == 'css':
            return f'<style>\n{text}</style>'
        scripts.append(f'<script>\n{text}</script>')
        return ''

    page = _LINKED.sub(inline, page)
    # Scripts that are part of the page run at once, so they stand behind it.
    return page.replace('</body>', '\n'.join([*scripts, '</body>']))
