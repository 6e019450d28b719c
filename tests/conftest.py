"""What tests of several stages share."""
from __future__ import annotations

# Before torch, whose threads it tells how to wait, and before mmdet looks for mmcv's compiled ops.
import vatrack  # noqa: F401  # isort: skip

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer
from scripts import REPO, load_tool
from tiny_run import TWO_EPOCHS, train_tool

from vatrack.checkpoints.safe_load import SWITCH
from vatrack.synthetic import SceneConfig, generate
from vatrack.visualization import AmodalVisualizer

SAILVOS_SAMPLE = REPO.parent / 'shared/data/sailvos_sample/joint_one_video(bbox=amdl_bbox).json'
VAL_LENGTHS = (5, 4, 3)


@pytest.fixture(scope='session')
def run_tool() -> Callable[..., int]:
    """Run a script of ``tools`` in this process: name and arguments -> exit code."""
    return lambda name, *arguments: load_tool(name).main([str(each) for each in arguments])


@pytest.fixture(scope='session')
def sailvos_sample() -> Path:
    """One video of SAIL-VOS-cut as its authors publish it, without frames."""
    if not SAILVOS_SAMPLE.is_file():
        pytest.skip(f'needs the SAIL-VOS sample {SAILVOS_SAMPLE}')
    return SAILVOS_SAMPLE


@pytest.fixture(autouse=True)
def forget_runs() -> Iterator[None]:
    """Drop mmengine's global state of runs: loggers hold on to the stdout of a test."""
    yield
    for manager in (MMLogger, MessageHub, Visualizer, AmodalVisualizer):
        manager._instance_dict.clear()


@pytest.fixture(autouse=True)
def trust_no_checkpoint() -> Iterator[None]:
    """Take back what ``--trust-checkpoint`` says for the whole process."""
    yield
    os.environ.pop(SWITCH, None)


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training videos of 6 frames and three validation videos of 5, 4 and 3, 96x64.

    Read only: tests that need damaged data copy it.
    """
    root = tmp_path_factory.mktemp('tiny_data')
    scene = dict(width=96, height=64, objects=(2, 3), occlusion='high')
    generate(root, 'train', 2, SceneConfig(num_frames=6, **scene))
    generate(root, 'val', len(VAL_LENGTHS), SceneConfig(num_frames=max(VAL_LENGTHS), **scene))
    shorten_videos(root / 'val.json', VAL_LENGTHS)
    return root


@pytest.fixture(scope='session')
def trained_run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two epochs. Read only."""
    work_dir = tmp_path_factory.mktemp('trained')
    assert train_tool(tiny_data, work_dir, options=TWO_EPOCHS) == 0
    return work_dir


def shorten_videos(path: Path, lengths: tuple[int, ...]) -> None:
    """Keep the first frames of each video of an annotation file."""
    content = json.loads(path.read_text())
    limits = {video['id']: n for video, n in zip(content['videos'], lengths, strict=True)}
    content['images'] = [image for image in content['images']
                         if image['frame_id'] < limits[image['video_id']]]
    kept = {image['id'] for image in content['images']}
    content['annotations'] = [entry for entry in content['annotations']
                              if entry['image_id'] in kept]
    for video in content['videos']:
        video['num_frames'] = limits[video['id']]
    path.write_text(json.dumps(content))
