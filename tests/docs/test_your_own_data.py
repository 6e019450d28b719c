"""The way of docs/your-own-data.md, from a folder of images to a scored result."""
from __future__ import annotations

from pathlib import Path

import pytest
from page_commands import read_blocks, run_page
from scripts import REPO

from vatrack.apis import load_config
from vatrack.files import load_annotations, read_results
from vatrack.video import video_info

PAGE = REPO / 'docs' / 'your-own-data.md'


@pytest.fixture(scope='module')
def done(tmp_path_factory) -> Path:
    """The folder in which the page was followed."""
    pytest.importorskip('av')
    folder = tmp_path_factory.mktemp('own')
    assert run_page(PAGE, folder) == sum(block.run for block in read_blocks(PAGE)) > 5
    return folder


@pytest.mark.slow
def test_the_dataset_is_what_was_drawn(done):
    for split, videos in (('train', 4), ('val', 2)):
        made, own = (load_annotations(done / folder / f'{split}.json')
                     for folder in ('made', 'data/own'))
        assert len(own.videos) == videos and own.categories == made.categories
        for (_, first), (_, second) in zip(made.frames, own.frames, strict=True):
            assert {each.instance_id + 1: (each.category_id, each.masks, each.occlusion)
                    for each in first.instances} == {
                each.instance_id: (each.category_id, each.masks, each.occlusion)
                for each in second.instances}


@pytest.mark.slow
def test_everything_was_written(done):
    assert (done / 'work_dirs/my_data/epoch_1.pth').is_file()
    assert (done / 'work_dirs/again/epoch_1.pth').is_file()
    read_results(done / 'results.json', load_annotations(done / 'data/own/val.json'))
    assert (done / 'results.metrics.json').is_file()
    assert video_info(done / 'tracked.mp4').frames == 8
    for folder in ('look', 'compared'):
        assert len(list((done / folder).glob('*.mp4'))) == 2
    assert {kind for _, frame in load_annotations(done / 'visible/train.json').frames
            for each in frame.instances for kind in each.masks} == {'visible'}


@pytest.mark.slow
def test_the_config_for_released_weights_is_sound(done, monkeypatch):
    monkeypatch.chdir(done)
    monkeypatch.delenv('VATRACK_DATA', raising=False)
    config = load_config('my_vatrack.py')
    heads = config.model.detector.roi_head
    assert heads.bbox_head.num_classes == heads.mask_heads.amodal.num_classes == 5
    assert config.model.detector.backbone.depth == 101
    assert config.model.association.head and config.load_from == 'checkpoints/vatrack.pth'
