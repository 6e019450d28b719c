from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from vatrack.files import AnnotationError
from vatrack.files.json_stream import stream_json, stream_list

CHUNKS = [1, 2, 3, 5, 7, 16, 61, 1 << 20]


def flat(document: dict[str, Any]) -> list[tuple[str, Any]]:
    """What the stream of a document must yield."""
    return [(key, entry) for key, value in document.items()
            for entry in (value if type(value) is list else [value])]


def random_value(rng: random.Random, depth: int = 0) -> Any:
    if depth < 3 and rng.random() < .3:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if depth < 3 and rng.random() < .4:
        return {random_text(rng): random_value(rng, depth + 1) for _ in range(rng.randrange(4))}
    return rng.choice([
        None, True, False, rng.randrange(-10**12, 10**12), rng.random(), -rng.random() * 1e-20,
        rng.random() * 1e25, math.inf, -math.inf, random_text(rng)])


def random_text(rng: random.Random) -> str:
    return ''.join(rng.choices('ab"\\/\n\t é€😀[]{},: 0', k=rng.randrange(9)))


def document(seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    return {f'{random_text(rng)}{i}': random_value(rng) for i in range(rng.randrange(6))} | {
        'list': [random_value(rng) for _ in range(rng.randrange(8))]}


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize('chunk_bytes', CHUNKS)
@pytest.mark.parametrize('style', [
    {}, dict(indent=2), dict(ensure_ascii=False), dict(separators=(',', ':')),
    dict(separators=(' \r\n,\t ', '  :\n '), ensure_ascii=False)])
def test_entries_are_those_of_json_load(chunk_bytes, style, tmp_path):
    for seed in range(12):
        made = document(seed)
        path = write(tmp_path / 'a.json', f' {json.dumps(made, **style)}\n ')
        stream = stream_json(path, chunk_bytes=chunk_bytes)
        assert list(stream) == flat(made)
        assert stream.keys == list(made)
        assert stream.lists == {key for key, value in made.items() if type(value) is list}


@pytest.mark.parametrize('number', ['0', '-0', '12', '-1.5', '1e5', '12.25E-3', '7e+10', 'NaN',
                                    'Infinity', '-Infinity', '123456789012345678901234567890'])
def test_numbers_across_chunk_borders(number, tmp_path):
    text = f'{{"a": [{number}, {number}], "b": {number}, "c": [{{"d": {number}}}]}}'
    expected = repr(flat(json.loads(text)))
    for chunk_bytes in range(1, 24):
        path = write(tmp_path / 'a.json', text)
        assert repr(list(stream_json(path, chunk_bytes=chunk_bytes))) == expected


def test_an_empty_list_and_other_values_are_told_apart(tmp_path):
    path = write(tmp_path / 'a.json', '{"images": [], "videos": {}, "info": [[]], "n": 3}')
    stream = stream_json(path)
    assert list(stream) == [('videos', {}), ('info', []), ('n', 3)]
    assert stream.lists == {'images', 'info'}


def test_a_key_is_known_to_hold_a_list_before_its_first_entry(tmp_path):
    stream = stream_json(write(tmp_path / 'a.json', '{"a": [1, 2], "b": 3}'))
    assert [(key, key in stream.lists) for key, _ in stream] == [('a', True), ('a', True),
                                                                 ('b', False)]


def test_a_stream_can_be_read_again(tmp_path):
    stream = stream_json(write(tmp_path / 'a.json', '{"a": [1, 2]}'))
    assert list(stream) == list(stream) == [('a', 1), ('a', 2)]
    assert stream.keys == ['a']


@pytest.mark.parametrize('chunk_bytes', [1, 10, 1 << 20])
def test_every_byte_is_handed_on_once(chunk_bytes, tmp_path):
    content = json.dumps(document(3)).encode() + b'  \n'
    chunks = []
    list(stream_json(write(tmp_path / 'a.json', content), chunks.append, chunk_bytes))
    assert b''.join(chunks) == content


def test_memory_holds_a_few_chunks_only(tmp_path):
    """The bytes read run ahead of the entries by no more than two chunks."""
    path = write(tmp_path / 'a.json', json.dumps({'a': [{'n': 'x' * 90}] * 2000}))
    read = []
    for count, _ in enumerate(stream_json(path, read.append, 1000), 1):
        assert sum(map(len, read)) <= count * 101 + 2000


def faulty(text: str, path: Path, chunk_bytes: int) -> str:
    with pytest.raises(AnnotationError) as caught:
        list(stream_json(write(path, text), chunk_bytes=chunk_bytes))
    return str(caught.value)


SMALL = json.dumps({'n': 5, 'images': [{'id': 1, 'é': '€\n"'}, {'b': [True, 1.5e3]}],
                    'empty': []}, indent=1, ensure_ascii=False)


@pytest.mark.parametrize('chunk_bytes', [1, 4, 1 << 20])
def test_a_cut_off_file_is_named_with_the_position_of_json_load(chunk_bytes, tmp_path):
    for length in range(len(SMALL)):
        with pytest.raises(json.JSONDecodeError) as expected:
            json.loads(SMALL[:length])
        fault = expected.value
        message = faulty(SMALL[:length], tmp_path / 'cut.json', chunk_bytes)
        assert message == (
            f'{tmp_path / "cut.json"}: not valid JSON at line {fault.lineno}, column {fault.colno} '
            f'(character {fault.pos} of {length}): {fault.msg}; the file is damaged or cut off: '
            'copy, download or convert it again')


@pytest.mark.parametrize('chunk_bytes', [1, 4, 1 << 20])
@pytest.mark.parametrize('text', [
    '', '  ', '{"a": [1 2]}', '{"a": [1}', '{"a": 1]', '{a: 1}', '{"a" 1}', '{"a": tru}',
    '{"a": [{"b": nul}], "c": 1}', '{"a": ["\t"]}', '{"a": "\\x"}', '{"a": [1]} {}', '{"a": [1]}]',
    '{"a": [-]}', '{"a": [1.]}', '{"a": ["\\u12x4"]}', 'nothing',
    '{\n "a": [\n  {"b": 1},\n  {"b" 2}\n ]\n}'])
def test_broken_json_is_named_with_the_position_of_json_load(text, chunk_bytes, tmp_path):
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    fault = expected.value
    assert (f'not valid JSON at line {fault.lineno}, column {fault.colno} (character {fault.pos} '
            f'of {len(text)}): {fault.msg};') in faulty(text, tmp_path / 'a.json', chunk_bytes)


def test_a_fault_in_the_middle_of_a_long_file_does_not_gather_the_rest(tmp_path):
    entries = [{'n': 'x' * 90}] * 300
    text = json.dumps({'a': entries}).replace('"}', '"]', 1)
    sizes = []
    with pytest.raises(AnnotationError, match=r'column 106 \(character 105 of \d+\)'):
        list(stream_json(write(tmp_path / 'a.json', text), lambda c: sizes.append(len(c)), 200))
    assert sum(sizes) == len(text) and max(sizes) <= 400


@pytest.mark.parametrize(('text', 'kind'), [('[1, 2]', 'list'), (' "x"', 'str'), ('12', 'int'),
                                            ('null', 'NoneType')])
def test_another_top_level(text, kind, tmp_path):
    assert (f'a.json: the top level must be an object of lists, got a {kind}; convert'
            in faulty(text, tmp_path / 'a.json', 2))


def test_a_repeated_key_is_refused(tmp_path):
    assert ("a.json: the top-level key 'images' occurs twice; merge"
            in faulty('{"images": [], "images": []}', tmp_path / 'a.json', 5))


@pytest.mark.parametrize('chunk_bytes', [1, 3, 1 << 20])
@pytest.mark.parametrize('content', [
    b'\x1f\x8b\x08\xff', b'{"a": "\xc3\xa9\xe2\x82"}', b'{"a": "\xc3',
    b'{"a": [1, "\xe2\x82\xac\xff"]}', b'{"a" 1}          \xff'])
def test_other_encodings_are_named_with_the_byte(content, chunk_bytes, tmp_path):
    with pytest.raises(UnicodeDecodeError) as expected:
        content.decode()
    path = write(tmp_path / 'packed.json', content)
    with pytest.raises(AnnotationError, match=rf'packed\.json: not UTF-8 text at byte '
                                              rf'{expected.value.start}; give the'):
        list(stream_json(path, chunk_bytes=chunk_bytes))


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(AnnotationError, match=r'gone\.json: no such annotation file'):
        list(stream_json(tmp_path / 'gone.json'))
    with pytest.raises(AnnotationError, match=r'cannot be read \(Is a directory\)'):
        list(stream_json(tmp_path))


@pytest.mark.parametrize('chunk_bytes', [1, 4, 1 << 20])
def test_byte_order_mark_and_line_ends_of_windows(tmp_path, chunk_bytes):
    path = tmp_path / 'a.json'
    path.write_bytes(b'\xef\xbb\xbf{"a": [1,\r\n{"b": 2}\r\n]}\r\n')
    assert list(stream_json(path, chunk_bytes=chunk_bytes)) == [('a', 1), ('a', {'b': 2})]
    path.write_bytes(b'\xef\xbb\xbf[1,\r\n2]\r\n')
    with path.open('rb') as file:
        assert list(stream_list(path, file, chunk_bytes)) == [1, 2]


@pytest.mark.parametrize(('value', 'message'), [
    ('[' * 10_000 + ']' * 10_000, 'Nested too deeply'), ('9' * 5000, 'too many digits')])
def test_values_that_python_cannot_hold_are_named(tmp_path, value, message):
    for text in (f'{{"a": [1,\n{value}]}}', f'{{"b": 1,\n"a": {value}}}'):
        (tmp_path / 'a.json').write_text(text)
        with pytest.raises(AnnotationError, match=rf'a\.json: not valid .* line 2, .*{message}'):
            list(stream_json(tmp_path / 'a.json'))


@pytest.mark.parametrize('chunk_bytes', [1, 3, 100])
@pytest.mark.parametrize('content', ['[]', ' [ ]\n', '[{"a": [1, {"b": "]"}]}, 12.5e3, "x", null]'])
def test_a_list_entry_by_entry(tmp_path, chunk_bytes, content):
    path = tmp_path / 'list.json'
    path.write_text(content)
    with path.open('rb') as file:
        assert list(stream_list(path, file, chunk_bytes)) == json.loads(content)


@pytest.mark.parametrize(('content', 'message'), [
    ('{"a": 1}', 'must hold one JSON list of records, got object'),
    ('"text"', 'got str'), ('', 'not valid JSON'), ('[1, 2', 'not valid JSON'),
    ('[1]]', 'Extra data'), ('[1 2]', "Expecting ',' delimiter")])
def test_files_that_are_no_list(tmp_path, content, message):
    path = tmp_path / 'list.json'
    path.write_text(content, encoding='utf-8')
    with path.open('rb') as file, pytest.raises(AnnotationError, match=rf'list\.json: .*{message}'):
        list(stream_list(path, file))
