"""Links, anchors and assets of a built site, by the standard library alone."""
from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes that make a browser load something; links are only followed.
_LOADED = {('img', 'src'), ('script', 'src'), ('source', 'src'), ('video', 'src'),
           ('iframe', 'src'), ('object', 'data')}
_LOADED_LINKS = {'stylesheet', 'icon', 'preload', 'modulepreload', 'preconnect', 'dns-prefetch'}
_CSS_URL = re.compile(r'''(?:url\(|@import)\s*['"]?(?:https?:)?//''')


class _Page(HTMLParser):
    """Ids of a page, what it links to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect from one tag."""
        values = {name: value for name, value in attrs if value}
        self.ids |= {values[name] for name in ('id', 'name') if name in values}
        loaded = tag == 'link' and _LOADED_LINKS & set(values.get('rel', '').split())
        for name, value in values.items():
            if (tag, name) in _LOADED or (loaded and name == 'href'):
                self.loaded.append(value)
            elif tag == 'a' and name == 'href':
                self.links.append(value)


def faults(site: Path) -> Iterator[str]:
    """Say what is wrong with the links of a site.

    Args:
        site: Folder of a built site, whose pages are ``<name>/index.html``.

    Yields:
        One line per dead link, unknown anchor, malformed address, and thing that
        would be loaded from elsewhere.
    """
    pages = {path: _Page(path) for path in sorted(site.rglob('*.html'))}
    for path, page in pages.items():
        # A server gives the page for what does not exist at any depth: its links are absolute.
        base = site if path.name == '404.html' else path.parent
        name = path.relative_to(site)
        for link in page.loaded:
            if urlsplit(link).scheme not in ('', 'data') or link.startswith('//'):
                yield f'{name}: loads {link} from elsewhere'
        for link in (*page.links, *page.loaded):
            fault = _fault(link, path, base, site, pages)
            if fault:
                yield f'{name}: {link}: {fault}'
    for css in sorted(site.rglob('*.css')):
        if _CSS_URL.search(css.read_text(encoding='utf-8')):
            yield f'{css.relative_to(site)}: loads something from elsewhere'


def _fault(link: str, path: Path, base: Path, site: Path, pages: dict[Path, _Page]) -> str | None:
    parts = urlsplit(link)
    if parts.scheme in ('http', 'https'):
        return None if re.fullmatch(r'[\w-]+(\.[\w-]+)+(:\d+)?', parts.netloc) else 'no address'
    if parts.scheme:
        return None if parts.scheme in ('mailto', 'data') else 'unknown scheme'
    target = path
    if parts.path:
        start = site if parts.path.startswith('/') else base
        target = (start / unquote(parts.path).lstrip('/')).resolve()
        target = target / 'index.html' if target.is_dir() else target
    if not target.is_file() or not target.is_relative_to(site):
        return 'no such file'
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        return 'no such anchor'
    return None
