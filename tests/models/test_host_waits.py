"""Every system on a simulated GPU: no tensors of both sides, and no more waits than before.

Limits are in ``host_waits.json`` beside this file. Whoever makes a system wait less, or adds one,
writes them anew: python tools/benchmark_host_waits.py configs/*_synthetic.py --write
tests/models/host_waits.json
"""
from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import tiny_model
from config_names import CONFIGS
from mmdet.models import TrackDataPreprocessor
from tiny_model import objects, training_batch

from vatrack.apis import load_config
from vatrack.apis.gpu_use import GPUUse, by_place, count_gpu_use
from vatrack.engine import SimulatedGPU
from vatrack.registry import MODELS

LIMITS = Path(__file__).with_name('host_waits.json')
LEAVES = [path for path in CONFIGS
          if path.parent.name == 'configs' and path.stem.endswith('_synthetic')]
#: Convolutions of another CPU round otherwise, which may move a region or two.
ROUNDING = 1.01
UPDATE = ('python tools/benchmark_host_waits.py configs/{}.py --write '
          'tests/models/host_waits.json')


@pytest.fixture(scope='module', params=LEAVES, ids=lambda path: path.stem)
def leaf(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope='module')
def uses(leaf: Path) -> dict[str, GPUUse]:
    """Also fails where devices are mixed."""
    return count_gpu_use(load_config(leaf))


def test_training_and_testing_run_on_a_gpu(uses):
    assert {what: use.times for what, use in uses.items()} == {
        'training step': 2, 'frame in testing': 4}
    assert all(use.operations_each > 100 for use in uses.values())


def test_host_waits_can_only_fall(leaf, uses):
    limits = json.loads(LIMITS.read_text()).get(leaf.stem)
    assert limits, f'{leaf.stem} has no limits yet: {UPDATE.format(leaf.stem)}'
    for what, use in uses.items():
        places = '\n'.join(f'{count:6.1f} {kind} {place}'
                           for count, kind, place in by_place(use, lines=True))
        assert use.waits_each <= limits[what] * ROUNDING, (
            f'a {what} waits for the GPU {use.waits_each} times, it was {limits[what]}:\n{places}')
        assert limits[what] <= use.waits_each * ROUNDING, (
            f'a {what} waits {use.waits_each} times only, no longer {limits[what]}. Well done; '
            f'now hold it: {UPDATE.format(leaf.stem)}')


def test_limits_are_those_of_leaves():
    assert set(json.loads(LIMITS.read_text())) == {path.stem for path in LEAVES}


@pytest.mark.parametrize('system', tiny_model.SYSTEMS.values(), ids=tiny_model.SYSTEMS)
def test_losses_are_those_of_the_cpu(system):
    model = tiny_model.build(tiny_model.config(**system)).train()
    truth = objects([(10, 10, 40, 40), (50, 20, 90, 60)], two_boxes='two_boxes' in system)
    batch = training_batch([truth, truth], [truth, truth])
    expected = tiny_model.loss(copy.deepcopy(model), batch)
    with SimulatedGPU():
        losses = tiny_model.loss(model.to('cuda'), batch)
    assert {name: value.item() for name, value in losses.items()} == {
        name: value.item() for name, value in expected.items()}


def test_the_tool_prints_and_notes_waits(run_tool, tmp_path, capsys):
    path = tmp_path / 'limits.json'
    path.write_text('{"other": {}}')
    config = LEAVES[0].with_name('maskamodal_none_synthetic.py')
    assert run_tool('benchmark_host_waits', config, '--steps', 1, '--frames', 1, '--by', 'line',
                    '--write', path) == 0
    noted = json.loads(path.read_text())
    waits = noted['maskamodal_none_synthetic']['frame in testing']
    assert noted['other'] == {}
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    (totals,) = (line for line in lines if line[:1] == ['maskamodal_none_synthetic'])
    assert float(totals[3]) == waits == sum(
        float(line[3]) for line in lines if line[:3] == ['frame', 'in', 'testing'])
    assert any(line[-1].startswith('vatrack/structures/rle.py:') for line in lines if line)


def test_the_tool_names_the_config_that_is_wrong(run_tool, tmp_path, capsys, monkeypatch):
    class HostMeans(TrackDataPreprocessor):
        def forward(self, data: dict, training: bool = False) -> dict:
            self.mean = self.mean.cpu()
            return super().forward(data, training)

    monkeypatch.setitem(MODELS.module_dict, 'HostMeans', HostMeans)
    path = tmp_path / 'mixing_qd.py'
    path.write_text(f"_base_ = '{LEAVES[0]}'\n"
                    "model = dict(data_preprocessor=dict(type='HostMeans'))\n")
    assert run_tool('benchmark_host_waits', path) == 1
    assert 'error: mixing_qd: aten.sub.Tensor needs all its tensors on one device, got ' in (
        capsys.readouterr().err)
