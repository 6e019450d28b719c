"""The commands that the documentation shows are commands of this version."""
from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_commands import Block, read_blocks, run_page
from scripts import REPO
from tool_arguments import command_fault

PAGES = sorted([*REPO.glob('*.md'), *REPO.glob('docs/**/*.md'), *REPO.glob('data/*.md'),
                *REPO.glob('work_dirs/*.md')])
SCRIPTS = sorted([*REPO.glob('tools/*.py'), *REPO.glob('configs/**/*.py')])
#: Pages that are run here: those that no test of their own runs, and looks at what they made.
RUN = [page for page in PAGES if any(block.run for block in read_blocks(page))
       and not Path(__file__).with_name(f'test_{page.stem.replace("-", "_")}.py').exists()]
_COMMAND = re.compile(r'(?:\S*python3?|torchrun) .*?tools/\w+\.py\b')
_INLINE = re.compile(r'`([^`]+)`')
_FENCE = re.compile(r'^ *(```|~~~).*$', re.MULTILINE)


def commands(path: Path) -> Iterator[str]:
    """Commands with a tool in the blocks and code spans of a page, or in a script's docstring."""
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.py':
        blocks = [Block(path, 1, '', ast.get_docstring(ast.parse(text)) or '')]
        text = ''
    else:
        blocks = read_blocks(path)
    for block in blocks:
        text = text.replace(block.text, '')
        for _, line in block.commands():
            found = _COMMAND.search(line)
            if found:
                yield line[found.start():]
    for span in _INLINE.findall(_FENCE.sub('', text)):
        line = ' '.join(span.split())
        if _COMMAND.match(line):
            yield line


def relative(path: Path) -> str:
    return str(path.relative_to(REPO))


@pytest.mark.parametrize('path', [path for path in (*PAGES, *SCRIPTS) if any(commands(path))],
                         ids=relative)
def test_commands_are_those_of_the_tools(path, monkeypatch, capsys):
    faults = {command: command_fault(command, monkeypatch) for command in commands(path)}
    assert {command: fault for command, fault in faults.items() if fault} == {}


def test_commands_in_text_are_found(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('`x`\n```\ntorchrun --n 2 tools/a.py\nls\n```\n`python\ntools/b.py c`, `d`\n')
    assert list(commands(page)) == ['torchrun --n 2 tools/a.py', 'python tools/b.py c']


@pytest.mark.parametrize(('command', 'fault'), [
    ('python tools/nothing.py', 'no tools/nothing'),
    ('python tools/train.py', 'does not parse'),
    ('python tools/train.py configs/vatrack_qd_synthetic.py --sed 1', 'does not parse'),
    ('python tools/train.py configs/vatrack_qd_nowhere.py', 'no such configs'),
    ('python tools/train.py CONFIG [--sed N]', "no such options: ['--sed']"),
    ('python tools/convert.py fishbowl RAW_DIR --out DIR --evry N', "['--evry']"),
    ('python tools/train.py configs/vatrack_qd_synthetic.py --cfg-options modle.x=1 --seed 1',
     'modle'),
])
def test_wrong_commands_are_found(command, fault, monkeypatch, capsys):
    assert fault in (command_fault(command, monkeypatch) or '')


@pytest.mark.parametrize('page', RUN, ids=relative)
def test_marked_blocks_run(page, tmp_path, request):
    """A page finds data/synthetic and the run work_dirs/vatrack_qd_synthetic, both tiny."""
    text = ''.join(block.text for block in read_blocks(page) if block.run)
    if 'data/synthetic' in text:
        (tmp_path / 'data').mkdir()
        (tmp_path / 'data/synthetic').symlink_to(request.getfixturevalue('tiny_data'))
    if 'work_dirs/' in text:
        shutil.copytree(request.getfixturevalue('trained_run'),
                        tmp_path / 'work_dirs/vatrack_qd_synthetic')
    assert run_page(page, tmp_path) == sum(block.run for block in read_blocks(page))


PAGE = """\
<!-- file: deep/names.txt -->
```text
one
```

1. Indented:

   <!-- run -->
   ```bash
   # a comment
   cat deep/names.txt \\
       > copy.txt
   ```

```bash
false
```

<!-- run -->
```python
lines = open('copy.txt').read().split()
```

<!-- run -->
```python
assert lines == ['{}'], lines
```
"""


def test_files_are_written_and_marked_blocks_run_in_order(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(PAGE.format('one'))
    assert [(block.line, block.language, block.run, block.file) for block in read_blocks(page)] == [
        (3, 'text', False, 'deep/names.txt'), (10, 'bash', True, None), (16, 'bash', False, None),
        (21, 'python', True, None), (26, 'python', True, None)]
    assert run_page(page, tmp_path) == 3


def test_a_failing_block_is_named(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(PAGE.format('two'))
    with pytest.raises(AssertionError, match='one'):
        run_page(page, tmp_path)
    page.write_text(PAGE.replace('cat deep', 'cat shallow'))
    with pytest.raises(AssertionError, match=r'page\.md:11: exit code 1 of: cat shallow'):
        run_page(page, tmp_path)
