"""Fields on disk: three formats, their limits, and what is wrong with a file."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripts import REPO

from vatrack.flow import FORMATS, FlowError, FlowFiles, read_flow, write_flow

SAMPLES = REPO.parent / 'shared/data/real/middlebury-flo/data/example'
RNG = np.random.default_rng(0)
FIELD = RNG.uniform(-40, 40, (6, 9, 2)).astype(np.float32)
INFINITE = np.full((6, 9, 2), np.inf)
STEP = {'.npz': 2**-5, '.flo': 0, '.png': 2**-7}


def sample(name: str) -> Path:
    if not (SAMPLES / name).is_file():
        pytest.skip(f'needs the sample {SAMPLES / name}')
    return SAMPLES / name


@pytest.mark.parametrize('suffix', FORMATS)
def test_what_is_written_is_read(suffix, tmp_path):
    holes = FIELD.copy()
    holes[2, 3, 0] = np.nan
    path = tmp_path / f'new/folder/a.b{suffix}'
    write_flow(path, holes)
    read = read_flow(path)
    assert read.dtype == np.float32
    assert np.argwhere(np.isnan(read)).tolist() == [[2, 3, 0], [2, 3, 1]]
    assert np.nanmax(np.abs(read - holes)) <= STEP[suffix]
    before = path.read_bytes()
    write_flow(path, holes)
    assert path.read_bytes() == before and [*path.parent.iterdir()] == [path]


def test_middlebury_sample(tmp_path):
    """A field of the benchmark: written again it has the same bytes but for unknown pixels."""
    path = sample('Middlebury/flow_gt.flo')
    field = read_flow(path)
    assert field.shape == (388, 584, 2)
    unknown = np.isnan(field).all(axis=2)
    assert unknown.sum() == 3622 and np.nanmax(np.abs(field)) < 20
    write_flow(tmp_path / 'again.flo', field)
    first, again = (np.frombuffer(each.read_bytes(), '<f4')[3:].reshape(388, 584, 2)
                    for each in (path, tmp_path / 'again.flo'))
    assert np.array_equal(first[~unknown], again[~unknown]) and again[unknown].min() > 1e9


def test_kitti_sample(tmp_path):
    """A sparse field of the benchmark survives a round, and is refused as dense flow."""
    path = sample('KITTI/flow_gt.png')
    field = read_flow(path)
    assert field.shape == (375, 1242, 2) and 0.1 < np.isnan(field).mean() < 0.9
    # The camera drives ahead: what is at the left goes left, what is at the right goes right.
    assert np.nanmean(field[:, :400, 0]) < 0 < np.nanmean(field[:, 900:, 0])
    files = FlowFiles(tmp_path)
    write_flow(files.path('a.png', 'forward', '.png'), field)
    assert np.array_equal(read_flow(files.find('a.png', 'forward')), field, equal_nan=True)
    with pytest.raises(FlowError, match=r'a\.png: \d+ of 465750 pixels have no value'):
        files.read('a.png', 'forward', (375, 1242))


def test_fields_of_frames(tmp_path):
    files = FlowFiles(tmp_path)
    write_flow(files.path('shot/a.0001.jpg', 'forward'), FIELD)
    write_flow(files.path('shot/a.0001.jpg', 'backward', '.flo'), -FIELD)
    assert (tmp_path / 'forward/shot/a.0001.npz').is_file()
    assert np.array_equal(files.read('shot/a.0001.jpg', 'backward', (6, 9)), -FIELD)
    assert np.allclose(files.read('shot/a.0001.png', 'forward', [6, 9]), FIELD, atol=2**-5)
    with pytest.raises(FlowError, match=r"a\.0001\.npz: is 9x6, but frame .* is 8x6; .*make_flow"):
        files.read('shot/a.0001.jpg', 'forward', (6, 8))
    with pytest.raises(FlowError, match=r"no forward flow of frame 'shot/a\.0002\.jpg'.*make_flow"):
        files.read('shot/a.0002.jpg', 'forward', (6, 9))
    with pytest.raises(ValueError, match='direction'):
        files.read('shot/a.0001.jpg', 'upward', (6, 9))


@pytest.mark.parametrize('suffix', FORMATS)
@pytest.mark.parametrize('damage', ['cut off', 'empty', 'other'])
def test_damaged_files(suffix, damage, tmp_path):
    path = tmp_path / f'x{suffix}'
    write_flow(path, FIELD)
    content = path.read_bytes()
    damaged = {'cut off': content[:-40], 'empty': b'', 'other': b'GIF' + content[3:]}
    path.write_bytes(damaged[damage])
    with pytest.raises(FlowError, match=rf'x\{suffix}: .+make_flow'):
        read_flow(path)


@pytest.mark.parametrize('content', [{'other': FIELD}, {'flow': FIELD[0]},
                                     {'flow': FIELD.astype(int)}, {'flow': INFINITE}])
def test_other_arrays(content, tmp_path):
    np.savez(tmp_path / 'x.npz', **content)
    with pytest.raises(FlowError, match=r'x\.npz'):
        read_flow(tmp_path / 'x.npz')


@pytest.mark.parametrize(('field', 'suffix', 'message'), [
    (FIELD * 1e5, '.npz', '65504'), (FIELD * 100, '.png', '512'), (INFINITE, '.flo', 'infinite'),
    (FIELD[..., 0], '.flo', r'\(H, W, 2\)'), (FIELD, '.tif', r'\.npz, \.flo, \.png')])
def test_fields_that_cannot_be_written(field, suffix, message, tmp_path):
    with pytest.raises(FlowError, match=message):
        write_flow(tmp_path / f'x{suffix}', field)
    assert not [*tmp_path.iterdir()]


def test_missing_files_and_other_formats(tmp_path):
    with pytest.raises(FlowError, match=r'x\.flo: no such file'):
        read_flow(tmp_path / 'x.flo')
    with pytest.raises(FlowError, match=r'x\.mat: flow is read and written as'):
        read_flow(tmp_path / 'x.mat')
