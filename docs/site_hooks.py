"""What mkdocs.yml needs beyond settings: pages made of files outside of docs/, API pages.

README.md and its like are written for a git host, where links are relative to the file. Here each
becomes a page, and links between them and docs/ lead to pages; a link to any other file of the
repository loses its target, since the site does not know where the repository is.
"""
from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPO = Path(__file__).resolve().parents[1]
#: Files outside of docs/ and the pages that they become.
PAGES = {
    'README.md': 'index.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CHANGELOG.md': 'changelog.md',
    'data/README.md': 'datasets.md',
    'work_dirs/README.md': 'runs.md',
}
_SOURCES = {page: source for source, page in PAGES.items()}
_LINK = re.compile(r'(!?\[[^]\n]*(?:\n[^]\n]*)?\])\((?!\w+:)([^()#\s]+)(#[^()\s]*)?\)')
_CODE = re.compile(r'(^ *(?P<fence>```+).*?^ *(?P=fence) *$|`[^`\n]+`)', re.MULTILINE | re.DOTALL)
_RULE = r'^=+(?: +=+)+$'
_TABLE = re.compile(rf'{_RULE}\n(?:.+\n)*{_RULE}', re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the API pages in the navigation."""
    config.nav.insert(-1, {'API': [f'api/{package}.md' for package in packages()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files of docs/."""
    for source, page in PAGES.items():
        text = (REPO / source).read_text(encoding='utf-8')
        files.append(File.generated(config, page, content=text))
    for package in packages():
        files.append(File.generated(config, f'api/{package}.md', content=_api_page(package)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files into links between pages."""
    source = _SOURCES.get(page.file.src_uri, f'docs/{page.file.src_uri}')
    parts, end = [], 0
    for code in _CODE.finditer(markdown):
        parts += [_page_links(markdown[end:code.start()], source, page), code[0]]
        end = code.end()
    return ''.join([*parts, _page_links(markdown[end:], source, page)])


def packages() -> Iterator[str]:
    """Names of the packages of vatrack."""
    return (init.parent.name for init in sorted(REPO.glob('vatrack/*/__init__.py')))


def _api_page(package: str) -> str:
    folder = REPO / 'vatrack' / package
    modules = ['.'.join(('vatrack', package, *path.relative_to(folder).with_suffix('').parts))
               for path in sorted(folder.rglob('*.py')) if path.name != '__init__.py']
    # What a package exports stands where it is defined, and not twice.
    head = f'::: vatrack.{package}\n    options: {{members: false, show_root_heading: false}}\n'
    return '\n'.join([f'# vatrack.{package}\n', _exports(package), head,
                      *(f'::: {module}\n' for module in modules)])


def _exports(package: str) -> str:
    tree = ast.parse((REPO / f'vatrack/{package}/__init__.py').read_text(encoding='utf-8'))
    names = next((ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)
                  and getattr(node.targets[0], 'id', '') == '__all__'), [])
    links = ', '.join(f'<autoref identifier="vatrack.{package}.{name}" optional><code>{name}</code>'
                      '</autoref>' for name in names)  # plain values have no entry
    return f'`from vatrack.{package} import`: {links}\n' if names else ''


def _page_links(text: str, source: str, page: Page) -> str:
    def replace(link: re.Match) -> str:
        label, target, anchor = link.groups('')
        path = normpath(join(dirname(source), target))
        uri = PAGES.get(path) or (path[len('docs/'):] if path.startswith('docs/') else None)
        if uri is None:  # what is neither a page nor a file is left for mkdocs to report
            return label[1:-1] if (REPO / path).exists() else link[0]
        return f'{label}({relpath(uri, dirname(page.file.src_uri) or ".")}{anchor})'
    return _LINK.sub(replace, text)


class PlainDocstrings(griffe.Extension):
    """Make Markdown of what docstrings have of Sphinx: roles, literal blocks, tables."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            text = re.sub(r':\w+:`~?([^`]+)`', r'`\1`', obj.docstring.value)
            text = re.sub(r'::$', ':', text, flags=re.MULTILINE)
            obj.docstring.value = _TABLE.sub(r'```text\n\g<0>\n```', text)
