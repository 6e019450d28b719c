"""The frame of all pages: complete in one file, no script, no request."""
from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .page_style import STYLE

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html_page(title: str, header: str, sections: Sequence[str], footer: str) -> str:
    """A page as text; all but the title is HTML already."""
    return '\n'.join([
        '<!DOCTYPE html>', '<html lang="en">', '<head>', '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<link rel="icon" href="data:,">', f'<title>{escape(title)}</title>',
        f'<style>{STYLE}</style>', '</head>', '<body>', header, '<main>', *sections, '</main>',
        footer, '</body>', '</html>', ''])


def scrolling(label: str, table: str) -> str:
    """A table that scrolls by itself where the window is narrow; ``label`` is escaped here."""
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
            f'{table}</div>')
