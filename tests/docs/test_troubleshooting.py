"""Every message that docs/troubleshooting.md explains is one that the code can give."""
from __future__ import annotations

import ast
import re

import pytest
from scripts import REPO

PAGE = REPO / 'docs/troubleshooting.md'
_GAP = '\0'


def texts(node: ast.AST) -> list[str]:
    """String literals below a node; what an f-string or a sum puts in is a gap."""
    whole = _text(node)
    if whole is not None:
        return [whole]
    return [text for child in ast.iter_child_nodes(node) for text in texts(child)]


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [_text(part) for part in node.values]
        return ''.join(_GAP if part is None else part for part in parts)
    return None


def messages() -> list[str]:
    """First cells of the tables, without those of other packages."""
    own = PAGE.read_text(encoding='utf-8').partition('## Made by others')[0]
    return re.findall(r'^\| `([^`]+)` \|', own, re.MULTILINE)


@pytest.fixture(scope='module')
def sources() -> list[str]:
    files = [*REPO.glob('vatrack/**/*.py'), *REPO.glob('tools/*.py')]
    return [text for file in files for text in texts(ast.parse(file.read_text(encoding='utf-8')))]


def is_given(message: str, sources: list[str]) -> bool:
    pattern = re.compile('.*'.join(map(re.escape, message.split('...'))), re.DOTALL)
    return any(pattern.search(text) for text in sources)


def test_messages_are_those_of_the_code(sources):
    assert len(messages()) > 60
    assert [message for message in messages() if not is_given(message, sources)] == []


def test_other_messages_are_not_found(sources):
    assert not is_given('no such annotation folder', sources)
    assert is_given('{}: no ... such'.removeprefix('{}: '), ['a\0no such such'])


def test_literals_are_joined():
    tree = ast.parse("raise E('one ' f'two {x} three' + 'four')")
    assert texts(tree) == ['one two \0 three', 'four']
