"""Every config of completion: it is what its name says, its model has its size, and it learns."""
from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from scripts import REPO

from vatrack.apis import load_config
from vatrack.apis.config import build_on_meta, dicts_of, fill_needs, is_rule
from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

CONFIGS = sorted(path for path in (REPO / 'configs').rglob('*.py')
                 if '_base_' not in path.parts and (
                     '_given_' in path.stem or path.stem.startswith('given_')))
#: Completer and objective by the name of a system.
SYSTEMS = {
    'savos': ('SaVos', 'SelfSupervised'), 'convex': ('ConvexHull', None),
    'aggregation': ('TemporalAggregation', None), 'unet': ('ImageUNet', 'Supervised'),
    'pcnet-m': ('ImageUNet', 'SelfOcclusion'), 'shape-prior': ('ShapePriorNet', 'Supervised')}
#: What a variant changes, by the last word of its name.
VARIANTS = {
    'no-consistency': {'model.objective.consistency': None},
    'no-temporal': {'model.completer.temporal': False},
    'forward': {'model.completer.directions': 'forward'},
    'no-flow': {'model.completer.inputs': ['image', 'visible']},
    'no-image': {'model.completer.inputs': ['visible', 'flow']},
    'self-occlusion': {'model.objective.type': 'SelfOcclusion', 'model.objective.level': 'clip'},
    'supervised': {'model.objective.type': 'Supervised'},
    'adapted': {'model.adaptation.type': 'Adaptation'},
    'released-code': {'model.completer.geometry': 'released',
                      'model.completer.mask_branch_input': 'u_flow',
                      'model.objective.consistency': 'code'},
    'k3': {'model.completer.k': 3},
}
#: Parameters of the paper's network (Table 6), and what lacks without an input.
SAVOS = 17_303_124


@pytest.fixture(scope='module', params=CONFIGS, ids=lambda path: f'{path.parent.name}/{path.stem}')
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope='module')
def config(path: Path) -> Config:
    """Read only."""
    return load_config(path)


def system_and_rest(path: Path) -> tuple[str, str]:
    name = path.stem if '_given_' in path.stem else f'{path.parent.name}_{path.stem}'
    system, rest = name.split('_given_')
    return re.sub(r'-k\d$', '', system), rest


def value_at(config: Config, key: str):
    node = config
    for part in key.split('.'):
        node = node[part]
    return node


def test_a_config_is_what_its_name_says(path, config):
    system, rest = system_and_rest(path)
    dataset, _, variant = rest.partition('_')
    completer, objective = SYSTEMS[system]
    assert config.model.completer.type == completer
    changed = VARIANTS.get(variant, {})
    assert (config.model.objective or {}).get('type') == changed.get('model.objective.type',
                                                                     objective)
    for key, value in changed.items():
        assert value_at(config, key) == value, key
    if variant.startswith('without-'):
        assert variant.removeprefix('without-') in config.train_dataloader.dataset.selection
    elif variant:
        assert variant in VARIANTS
    for split in ('train', 'val', 'test'):
        assert config[f'{split}_dataloader'].dataset.data_root == f'data/{dataset}/'
    assert config.test_evaluator.ann_file.startswith(f'data/{dataset}/')


def test_the_docstring_names_commands_and_parts(path, config):
    text = path.read_text()
    name = path.relative_to(REPO)
    assert f'python tools/test.py {name}' in text
    assert is_rule(config) or f'python tools/train.py {name}' in text
    if path.parent.name != 'configs':
        return
    words = re.search(r'^parts   (.*(?:\n {8}.*)*)', text, re.MULTILINE)[1]
    parts = [REPO / 'vatrack' / word for word in re.split(r',\s+', words)]
    classes = [MODELS.get(node.type) for _, node in dicts_of(config.model, 'model')
               if isinstance(node.get('type'), str)]
    assert set(parts) == {Path(inspect.getfile(cls)) for cls in classes}
    assert parts[0] == REPO / 'vatrack/models/track_completer.py'


def test_models_have_the_size_of_their_source(path, config):
    model = build_on_meta(config)
    count = sum(each.numel() for each in model.parameters())
    system, rest = system_and_rest(path)
    if is_rule(config):
        assert count == 0
    elif system == 'savos' and rest.split('_')[0] in ('fishbowl', 'kins-car'):
        variant = rest.partition('_')[2]
        if variant in ('no-flow', 'no-image'):
            assert count < SAVOS
        else:
            assert count == SAVOS
    else:
        assert count > 0


def test_regions_have_the_aspect_of_the_patch(config):
    """Where they do not, a part of the patch would show what nobody asked for."""
    if is_rule(config) or config.model.completer.get('geometry') == 'released':
        return
    height, width = config.model.completer.patch_size
    for split in ('train', 'val', 'test'):
        look = config[f'{split}_dataloader'].dataset.look
        if 'size' in look:
            assert tuple(look.size) == (width, height)
        else:
            assert look.aspect == width / height


def made_clips(frames: int = 5) -> ObjectClips:
    """Two objects that move by a pixel a frame, one over the other."""
    generator = torch.Generator().manual_seed(0)
    visible = torch.zeros(2, frames, 40, 48, dtype=torch.bool)
    for t in range(frames):
        visible[0, t, 8:22, 6 + t:26 + t] = True
        visible[1, t, 16:34, 20:40] = True
    full = visible.clone()
    visible[1] &= ~visible[0]
    motion = torch.zeros(2, frames, 2, 40, 48)
    motion[0, :, 0] = 1
    boxes = torch.tensor([[[2., 4, 42, 24]] * frames, [[8., 14, 48, 34]] * frames])
    return ObjectClips(
        visible, visible.flip(0), torch.zeros(2, frames, 2, dtype=torch.long), boxes,
        torch.ones(2, frames, dtype=torch.bool), amodal=full, forward=motion, backward=-motion,
        image=(torch.rand(2, frames, 3, 40, 48, generator=generator) * 255).byte())


@pytest.mark.parametrize('name', [path.stem for path in CONFIGS
                                  if path.stem.endswith(('_synthetic', '_chewing-gum'))
                                  and not is_rule(load_config(path))])
def test_every_network_learns_from_a_step(name):
    config = load_config(REPO / 'configs' / f'{name}.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('vatrack'):
        model = MODELS.build(config.model)
    model.train()
    losses = model.loss(made_clips())
    total = sum(losses.values())
    total.backward()
    assert torch.isfinite(total)
    grads = [each.grad for each in model.completer.parameters() if each.requires_grad]
    assert all(grad is not None and torch.isfinite(grad).all() for grad in grads)


def test_data_load_what_the_parts_look_at():
    config = load_config(REPO / 'configs/savos/given_fishbowl_no-flow.py')
    fill_needs(config)
    assert config.train_dataloader.dataset.needs == ['image']
    config = load_config(REPO / 'configs/convex_given_fishbowl.py')
    fill_needs(config)
    assert config.test_dataloader.dataset.needs == []
    config = load_config(REPO / 'configs/savos/given_fishbowl_no-image.py')
    config.model.objective.photometric_weight = .1
    fill_needs(config)
    assert config.train_dataloader.dataset.needs == ['flow', 'image']
