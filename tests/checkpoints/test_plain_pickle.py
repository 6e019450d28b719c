"""Plain data comes back from a pickle of any protocol; anything that could run is refused."""
from __future__ import annotations

import pickle
from collections import OrderedDict
from datetime import date

import numpy as np
import pytest

from vatrack.checkpoints import CheckpointError, UntrustedCheckpointError
from vatrack.checkpoints.plain_pickle import load_plain_pickle


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_back(tmp_path, protocol):
    arrays = [np.arange(6).astype(dtype).reshape(2, 3) for dtype in ('u1', '<i8', '>f4', '?')]
    arrays += [np.asfortranarray(arrays[0]), np.zeros((0, 3))]
    content = {'a': [1, 2.5, None, True, (1, b'\xff\0', 'ü')], 3: {4, 5}, 'b': bytearray(b'x'),
               'scalars': [np.int64(-3), np.float32(.5)]}
    path = tmp_path / 'plain.pkl'
    path.write_bytes(pickle.dumps((content, arrays, OrderedDict(x=1)), protocol))
    found, found_arrays, ordered = load_plain_pickle(path)
    assert found == content and ordered == {'x': 1}
    for array, other in zip(arrays, found_arrays, strict=True):
        # numpy may turn bytes to the order of the machine.
        assert array.dtype.newbyteorder('=') == other.dtype.newbyteorder('=')
        assert array.shape == other.shape
        assert (array == other).all()


class Payload:
    def __init__(self, function, *values):
        self.call = function, values

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(('content', 'name'), [
    (Payload(print, 'ran'), 'print'), (Payload(getattr, 'x', 'upper'), 'getattr'),
    (date(2020, 1, 1), 'datetime.date'), (Payload(np.load, 'x'), 'load'),
    ({'deep': [Payload(exec, 'print("ran")')]}, 'exec')])
def test_what_could_run_is_refused_by_name(tmp_path, capsys, content, name):
    path = tmp_path / 'bad.pkl'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UntrustedCheckpointError, match=rf'bad.pkl: refused, because .*{name}'):
        load_plain_pickle(path)
    assert 'ran' not in capsys.readouterr().out


@pytest.mark.parametrize('content', [
    b'', b'no pickle', pickle.dumps([1, 2, 3])[:-3], pickle.dumps(np.array([{}], object)),
    pickle.dumps(np.arange(3))[:-9] + b'.'])
def test_damaged_files_and_arrays_of_objects_are_refused(tmp_path, content):
    path = tmp_path / 'damaged.pkl'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r'damaged.pkl: '):
        load_plain_pickle(path)
