"""The map in ``vatrack/__init__.py`` holds: every stage imports only what lies below it."""
from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: What each part of the package may import of the others; a single module may have more.
ALLOWED = {
    'structures': set(),
    'ops': set(),
    'registry': set(),
    'versions': set(),
    'pipes': set(),
    'stopping': {'pipes'},
    'video': set(),
    'files': {'structures', 'video'},
    'flow': {'files'},
    'checkpoints': set(),
    'converters': {'structures', 'files', 'video', 'stopping'},
    'synthetic': {'structures', 'files', 'video', 'flow', 'stopping'},
    'datasets': {'structures', 'files', 'flow', 'registry', 'video'},
    'models': {'structures', 'flow', 'registry', 'track'},
    'track': {'registry'},
    'evaluation': {'structures', 'files', 'registry', 'stopping'},
    'visualization': {'structures', 'files', 'evaluation', 'registry', 'video'},
    'analysis': {'structures', 'files', 'evaluation', 'visualization', 'video'},
    'browse': {'structures', 'files', 'evaluation', 'visualization', 'analysis', 'video'},
    'leaderboard': {'structures', 'files'},
    'engine': {'structures', 'files', 'registry', 'video', 'datasets', 'checkpoints', 'stopping'},
}
ALLOWED['apis'] = set(ALLOWED)  # the roof: may use everything, and nothing but tools uses it
ALLOWED['converters.kins_video_car.tracks'] = ALLOWED['converters'] | {'checkpoints'}  # pickles


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


SOURCES = {module_name(path): path for path in sorted((ROOT / 'vatrack').rglob('*.py'))}


def imports_of(module: str, source: str, is_package: bool, deferred: bool = True) -> set[str]:
    """Modules of vatrack that a source imports.

    With ``deferred`` also those that are not imported with it: in a function, or for types alone.
    """
    package = module.split('.') if is_package else module.split('.')[:-1]
    found = set()
    for node in _nodes(ast.parse(source), deferred):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            base = '.'.join([*base, *([node.module] if node.module else [])])
            # `from package import name` imports the module package.name, if there is one.
            found |= {name if (name := f'{base}.{alias.name}') in SOURCES else base
                      for alias in node.names}
    return {name for name in found if name.split('.')[0] == 'vatrack'} - {module}


def _nodes(tree: ast.AST, deferred: bool) -> list[ast.AST]:
    if deferred:
        return list(ast.walk(tree))
    heads = [node for node in ast.iter_child_nodes(tree)
             if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
             and not (isinstance(node, ast.If) and ast.unparse(node.test) == 'TYPE_CHECKING')]
    return heads + [inner for node in heads for inner in _nodes(node, deferred)]


def own_imports(module: str, deferred: bool = True) -> set[str]:
    path = SOURCES[module]
    return imports_of(module, path.read_text(encoding='utf-8'), path.stem == '__init__', deferred)


def part_of(module: str) -> str:
    """``'vatrack.models.session'`` -> ``'models'``; '' for vatrack itself."""
    return module.partition('.')[2].partition('.')[0]


@pytest.mark.parametrize('module', sorted(SOURCES.keys() - {'vatrack'}))
def test_imports_only_what_lies_below(module):
    part = part_of(module)
    assert part in ALLOWED, f'{module} is of no known part; add it to the map and to ALLOWED'
    allowed = ALLOWED.get(module.removeprefix('vatrack.'), ALLOWED[part]) | {part}
    wrong = {name for name in own_imports(module) if part_of(name) not in allowed}
    assert not wrong, f'{module} must not import {sorted(wrong)}; it may import {sorted(allowed)}'


def test_no_module_imports_itself_in_a_circle():
    graph = {module: set() for module in SOURCES}
    for module in SOURCES:
        for name in own_imports(module, deferred=False):
            parts = name.split('.')
            loaded = {'.'.join(parts[:count]) for count in range(1, len(parts) + 1)}
            # The packages around a module are being loaded already when its own turn comes.
            graph[module] |= {each for each in loaded & SOURCES.keys()
                              if not f'{module}.'.startswith(f'{each}.')}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f'import cycle: {" -> ".join(error.args[1])}')


def test_the_map_names_every_part():
    text = ast.get_docstring(ast.parse(SOURCES['vatrack'].read_text(encoding='utf-8')))
    folders = {part_of(module) for module, path in SOURCES.items() if path.stem == '__init__'}
    missing = {folder for folder in folders - {''} if folder not in text}
    assert not missing, f'vatrack/__init__.py does not say what {sorted(missing)} is for'


@pytest.mark.parametrize(('source', 'expected'), [
    ('import vatrack.structures.rle', {'vatrack.structures.rle'}),
    ('from vatrack.structures import rle', {'vatrack.structures.rle'}),
    ('from vatrack.structures import Instance', {'vatrack.structures'}),
    ('from .video_model import VideoModel', {'vatrack.models.video_model'}),
    ('from ..track import base', {'vatrack.track.base'}),
    ('from .. import registry', {'vatrack.registry'}),
    ('import numpy\nfrom torch import nn', set()),
    ('def late():\n    from vatrack import registry', {'vatrack.registry'}),
    ('if TYPE_CHECKING:\n    from .session import VideoSession', {'vatrack.models.session'}),
])
def test_every_form_of_import_is_seen(source, expected):
    assert imports_of('vatrack.models.tracked_detector', source, is_package=False) == expected


def test_imports_of_a_package_start_at_itself():
    found = imports_of('vatrack.models', 'from .session import A\nfrom ..track import B', True)
    assert found == {'vatrack.models.session', 'vatrack.track'}


def test_imports_inside_functions_or_for_types_do_not_count_for_cycles():
    source = ('def late():\n    from vatrack import registry\n'
              'class A:\n    import vatrack.versions\n'
              'if TYPE_CHECKING:\n    from .runs import find_run')
    assert imports_of('vatrack.apis.config', source, False, deferred=False) == {'vatrack.versions'}


def test_image_files_are_read_and_written_in_one_place():
    """What OpenCV reads and writes itself may be half a picture, or crash at a name."""
    foreign = re.compile(r'\b(cv2|mmcv)\.(imread|imwrite)\b')
    assert [module for module, path in SOURCES.items()
            if foreign.search(path.read_text(encoding='utf-8'))] == []
