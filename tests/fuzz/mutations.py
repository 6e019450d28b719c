"""Damage to files that keeps most of their structure, so that it gets past the first check."""
from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

# Stands for text that json.dumps does not write.
_RAW = '@raw:'
_RAW_TEXTS = {'digits': '9' * 5000, 'score': '1' + '0' * 400, 'exponent': '1e999', 'negative':
              '-1e999', 'deep': '[' * 10_000 + ']' * 10_000, 'objects': '{"a":' * 3000 + '1'
              + '}' * 3000, 'half': '"\\ud800"', 'bare': 'x', 'hex': '0x10', 'zeros': '007',
              'twice': '{"id": 1, "id": 2}'}
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 0.5, -0.0, 1e-320, 1.0, 255, 256, 65536, 2**31 - 1, 2**31,
    2**32, 2**53 + 1, 2**63 - 1, 2**63, -2**63, 10**30, 1e308, -1e308, float('nan'), float('inf'),
    '', ' ', 'x', 'amodal', 'visible', '0', '1e5', 'ä\u0301\n', '\0', '\ud800', '../../x', '/',
    'a\\b', 'x' * 5000, [], {}, [[]], [{}], [None], [1, 2], [0, 0, 0, 0], [1., 2., 3., 4.],
    {'size': [1, 1], 'counts': '0'}, *(_RAW + name for name in _RAW_TEXTS))
_TOKENS = ('', ' ', '0', '-1', '1', '2', '1.5', 'nan', 'inf', '-inf', '1e999', '9' * 30, '9' * 5000,
           'x', 'ä', '\0', '\udcff', 'true', '1;2', '0,0', ',', ';', '0x1', '\uff11', '"', '&#0;',
           '<', '%d', '../x')


def mutate_json(rng: Random, content: Any) -> str:
    """Change a few values, keys or entries of a JSON value; returns text."""
    content = json.loads(json.dumps(content))
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(content))
        if places:
            _change(rng, *rng.choice(_at_one_depth(rng, places))[1:], places)
    text = json.dumps(content)
    for name, raw in _RAW_TEXTS.items():
        text = text.replace(json.dumps(_RAW + name), raw)
    return text


def mutate_bytes(rng: Random, data: bytes) -> bytes:
    """Cut, flip, insert, repeat or encode in another way."""
    kind = rng.randrange(9)
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 4, 64, 4096)))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:at] + rng.randbytes(rng.choice((1, 4, 100))) + data[at:]
    if kind == 3:
        return data[:end] + data[at:]
    if kind == 4:
        return rng.choice((b'', b'\0', b'\n', b'[]', b'{}', b'null', b'\xff\xfe', data + data))
    if kind == 5:
        return rng.choice((gzip.compress(data, mtime=0), data.decode('latin-1').encode('utf-16'),
                           b'\xef\xbb\xbf' + data, data.replace(b'\n', b'\r\n')))
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20)) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def mutate_text(rng: Random, data: bytes) -> bytes:
    """Change words, numbers and lines of text or XML."""
    text = data.decode('utf-8', 'surrogateescape')
    for _ in range(rng.randint(1, 3)):
        words = list(re.finditer(r'[^\s,;"<>=]+', text))
        lines = text.splitlines(keepends=True)
        if not words or not lines:
            break
        kind, line = rng.randrange(6), rng.randrange(len(lines))
        if kind < 4:
            start, end = rng.choice(words).span()
            word = rng.choice(words)[0] if kind == 3 else rng.choice(_TOKENS)
            text = text[:start] + word + text[end:]
        elif kind == 4:
            lines.insert(rng.randrange(len(lines) + 1), lines[line])
            text = ''.join(lines)
        else:
            text = ''.join(lines[:line] + lines[line + 1:])
    return text.encode('utf-8', 'surrogateescape' if '\ud800' not in text else 'surrogatepass')


def mutate_file(rng: Random, path: Path) -> None:
    """Damage a file in a way that suits its kind."""
    data = path.read_bytes()
    suffix = path.suffix.lower()
    if rng.random() < 0.2 or suffix not in ('.json', '.txt', '.xml', '.ini'):
        path.write_bytes(mutate_bytes(rng, data))
    elif suffix == '.json':
        text = mutate_json(rng, json.loads(data))
        path.write_bytes(text.encode('utf-8', 'surrogatepass'))
    else:
        path.write_bytes(mutate_text(rng, data))


def mutate_tree(rng: Random, root: Path, names: Callable[[Path], bool] = lambda path: True) -> None:
    """Damage a file of a folder, or the folder: what is missing, twice, or of another kind."""
    files = sorted(path for path in root.rglob('*') if path.is_file() and names(path))
    if rng.random() < 0.75:
        mutate_file(rng, rng.choice(files))
        return
    path, other = rng.choice(files), rng.choice(files)
    data = other.read_bytes()
    new_name = rng.choice((
        'README', '._x' + path.suffix, 'x' + path.suffix, 'x.txt', 'ä ' + path.name,
        path.name.upper(), '-1' + path.suffix, '9' * 30 + path.suffix))
    not_text = os.fsdecode(b'\xff' + os.fsencode(path.name))
    kind = rng.randrange(9)
    if kind < 5:
        path.unlink()
    (lambda: None, path.mkdir, lambda: path.symlink_to(path.name), lambda: path.write_bytes(data),
     lambda: path.write_bytes(b''), lambda: path.rename(path.with_name(new_name)),
     lambda: path.rename(path.with_name(not_text)),
     lambda: shutil.copyfile(path, other.with_name('x' + path.suffix)),
     lambda: path.parent == root or shutil.rmtree(path.parent))[kind]()


def mutate_archive(rng: Random, path: Path) -> None:
    """Pack the members of a zip archive anew in a strange way, or damage its bytes."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()
                   if not name.endswith('/')]
    kind = rng.randrange(8)
    index = rng.randrange(len(members))
    name, data = members[index]
    if kind == 0:
        path.write_bytes(mutate_bytes(rng, path.read_bytes()))
        return
    if kind == 1:
        members[index] = rng.choice(('../' + name, '/' + name, 'a' * 300, 'x/' + name, name + '/',
                                     '__MACOSX/' + name, 'ä' + name, name.upper(), './' + name,
                                     'x\\' + name, '.' + name, 'CON')), data
    elif kind == 2:
        members.append((name, data))
    elif kind == 3:
        del members[index]
    elif kind == 4:
        members.append((name + '/x', data))
    elif kind == 5 and name.endswith('.json'):
        members[index] = name, mutate_json(rng, json.loads(data)).encode('utf-8', 'surrogatepass')
    else:
        members[index] = name, mutate_text(rng, data) if name.endswith('.txt') else (
            mutate_bytes(rng, data))
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2,
                         zipfile.ZIP_LZMA))
    with zipfile.ZipFile(path, 'w', method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    if kind == 7:  # flags and method of the headers: encrypted, unknown
        data = bytearray(path.read_bytes())
        for match in re.finditer(rb'PK(\x03\x04|\x01\x02)', bytes(data)):
            at = match.start() + (6 if match[1] == b'\x03\x04' else 8)
            data[at + rng.choice((0, 2))] ^= rng.choice((1, 8, 99))
        path.write_bytes(data)


def _places(value: Any, depth: int = 0) -> Iterator[tuple[int, Any, Any]]:
    """(depth, container, key) of all values."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield depth, value, key
            yield from _places(value[key], depth + 1)


def _at_one_depth(rng: Random, places: list[tuple[int, Any, Any]]) -> list[tuple[int, Any, Any]]:
    # Else nearly all changes would hit the numbers far down.
    depth = rng.randint(0, max(place[0] for place in places))
    return [place for place in places if place[0] == depth]


def _change(rng: Random, container: Any, key: Any, places: list[tuple[int, Any, Any]]) -> None:
    try:
        value = container[key]
    except (KeyError, IndexError):  # an earlier change took it away
        return
    kind = rng.randrange(10)
    if key == 'counts' and rng.random() < 0.7:
        container[key] = _damaged_counts(rng, value)
    elif kind == 0:
        del container[key]
    elif kind == 1 and isinstance(container, dict):
        new = rng.choice(('id', 'x', '', key + 's', key.upper(), *container))
        container[new] = container.pop(key)
    elif kind == 1:
        container.insert(rng.randrange(len(container) + 1), value)
    else:
        container[key] = _other_value(rng, kind, value, places)


def _other_value(rng: Random, kind: int, value: Any, places: list[tuple[int, Any, Any]]) -> Any:
    if kind == 2:
        return _other_type(rng, value)
    if kind == 3:
        _, other, place = rng.choice(places)
        try:
            return json.loads(json.dumps(other[place]))
        except (KeyError, IndexError):
            return None
    if kind <= 5 and type(value) in (int, float):
        return rng.choice((value + 1, value - 1, -value, value * 2, value / 2, value + 0.5,
                           value * 1e6))
    if kind == 6 and isinstance(value, list):
        return rng.choice((value[::-1], value * 2, value[:-1], value[1:], [value]))
    return rng.choice(_VALUES)


def _other_type(rng: Random, value: Any) -> Any:
    return rng.choice((str(value), [value], {'a': value}, bool(value),
                       float(value) if type(value) is int else 1.5))


def _damaged_counts(rng: Random, value: Any) -> Any:
    if isinstance(value, list):
        return rng.choice((value[:-1], [*value, 1], [*value, -1, 1], value[::-1], [], [2**40],
                           ['1'] * 3, [0] * 1000 + value, [1.0]))
    text = str(value)
    at = rng.randrange(len(text) + 1)
    symbol = chr(rng.randrange(48, 112))
    return rng.choice((
        text[:at], text[at:], text * 2, text[:at] + symbol + text[at:], text[:at] + symbol
        + text[at + 1:], text + 'P', text + '0', '0' * 5000 + text, 'o' * 20, 'oooooo?', '', 'P',
        text[:at] + '\0' + text[at:], text[:at] + '~' + text[at:], '\ud800', text[::-1], text + '\n'
    ))
