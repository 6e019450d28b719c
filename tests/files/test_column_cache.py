from __future__ import annotations

import numpy as np
import pytest

from vatrack.files.column_cache import ColumnWriter, Texts, are_columns_sound, map_columns

COLUMNS = {
    'ids': np.arange(-3, 7, dtype=np.int64), 'none': np.zeros((0, 4)), 'flags': np.array([True]),
    'boxes': np.linspace(-1, 1, 24).reshape(3, 2, 4), 'small': np.arange(5, dtype=np.int16),
    'strided': np.arange(20.)[::3]}
TEXTS = ['a', '', 'é€😀', 'path/to/b.png', '\ud800']


def write(folder, columns=COLUMNS):
    with ColumnWriter(folder) as writer:
        for chunk in (b'abc', b'', bytearray(b'de')):
            writer.extend('blob', chunk)
        for name, column in columns.items():
            writer.append(name, column)
        writer.append_texts('names', TEXTS)
        writer.close()


def test_columns_come_back(tmp_path):
    write(tmp_path)
    assert are_columns_sound(tmp_path)
    columns = map_columns(tmp_path)
    for name, expected in COLUMNS.items():
        assert columns[name].dtype == expected.dtype
        np.testing.assert_array_equal(columns[name], expected)
        assert columns[name].ctypes.data % columns[name].dtype.alignment == 0
    assert columns['blob'].tobytes() == b'abcde'


def test_columns_are_mapped_and_read_only(tmp_path):
    write(tmp_path)
    column = map_columns(tmp_path)['ids']
    assert not column.flags.writeable
    base = column
    while isinstance(base, np.ndarray):
        base = base.base
    assert type(base).__name__ == 'mmap'


def test_texts(tmp_path):
    write(tmp_path)
    texts = Texts(map_columns(tmp_path), 'names')
    assert list(texts) == TEXTS and len(texts) == len(TEXTS)
    assert texts[-1] == TEXTS[-1]
    for index in (len(TEXTS), -len(TEXTS) - 1):
        with pytest.raises(IndexError):
            texts[index]


def test_nothing_at_all(tmp_path):
    with ColumnWriter(tmp_path) as writer:
        writer.append_texts('names', [])
        writer.append('ids', np.zeros(0, np.int64))
        writer.close()
    assert are_columns_sound(tmp_path)
    columns = map_columns(tmp_path)
    assert len(columns['ids']) == 0 and list(Texts(columns, 'names')) == []


def shorten(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path):
    path.write_bytes(path.read_bytes() + b'x')


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


DAMAGE = {
    'shortened': ('columns.bin', shorten), 'lengthened': ('columns.bin', lengthen),
    'flipped bit': ('columns.bin', flip_a_bit), 'no data': ('columns.bin', lambda p: p.unlink()),
    'no contents': ('columns.json', lambda p: p.unlink()),
    'cut-off contents': ('columns.json', shorten),
    'empty contents': ('columns.json', lambda p: p.write_bytes(b'')),
    'other contents': ('columns.json', lambda p: p.write_text('[1]')),
    'binary contents': ('columns.json', lambda p: p.write_bytes(b'\xff\xfe'))}


@pytest.mark.parametrize(('name', 'damage'), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_noticed(name, damage, tmp_path):
    write(tmp_path)
    damage(tmp_path / name)
    assert not are_columns_sound(tmp_path)


def test_any_flipped_bit_is_noticed(tmp_path):
    write(tmp_path)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        for place in range(len(content)):
            damaged = bytearray(content)
            damaged[place] ^= 1 << place % 8
            path.write_bytes(damaged)
            assert not are_columns_sound(tmp_path), (path.name, place)
        path.write_bytes(content)
    assert are_columns_sound(tmp_path)


def test_what_is_not_closed_does_not_count(tmp_path):
    assert not are_columns_sound(tmp_path / 'gone')
    with ColumnWriter(tmp_path) as writer:
        writer.append('ids', np.arange(3))
    assert not are_columns_sound(tmp_path)
