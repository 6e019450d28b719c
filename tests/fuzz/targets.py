"""What is fuzzed: a valid tiny input, the damage, and what must hold if it is accepted."""
from __future__ import annotations

import vatrack  # noqa: F401  # isort: skip

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import made_foreign
import made_results
import numpy as np
import test_cvat
import test_fishbowl
import test_labelme
import test_mots_truth
import test_png_masks
from accepted import check_accepted, check_tracks, require
from made_labels import made_videos, write_frames
from made_sailvos import make_sailvos
from mutations import mutate_archive, mutate_bytes, mutate_json, mutate_tree
from scripts import load_tool

from vatrack.files import load_annotations, read_results, write_results
from vatrack.files.foreign.formats import FORMATS
from vatrack.files.result_index import ResultIndex
from vatrack.structures import AnnotationFile, rle
from vatrack.synthetic import SceneConfig, generate


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        make: Writes the valid input to a folder.
        damage: Changes it.
        run: Gives it to the project; 0 if accepted, else an error was printed.
    """

    make: Callable[[Path], object]
    damage: Callable[[Random, Path], object]
    run: Callable[[Path, Random], int]


def run_tool(name: str, *arguments: object) -> int:
    """Exit code of a tool that runs in this process."""
    return load_tool(name).main([str(each) for each in arguments])


# Annotation files


def make_annotations(folder: Path) -> None:
    """Two videos of three frames; every form that masks and boxes can have."""
    scene = SceneConfig(width=32, height=32, num_frames=3, objects=(2, 3), occlusion='high')
    generate(folder, 'val', 2, scene)
    content = json.loads((folder / 'val.json').read_text())
    for index, entry in enumerate(content['annotations']):
        masks = [entry['amodal_mask'], entry['visible_mask']]
        if index % 3:
            del entry['amodal_mask'], entry['visible_mask']
            entry['segmentation'] = [
                mask | {'counts': rle.run_lengths(mask)} if index % 3 == 2 else mask
                for mask in masks]
            if isinstance(entry.get('bbox'), list):
                del entry['bbox']
    (folder / 'val.json').write_text(json.dumps(content))


def damage_annotations(rng: Random, folder: Path) -> None:
    """Change values; sometimes bytes."""
    path = folder / 'val.json'
    text = mutate_json(rng, json.loads(path.read_text())).encode('utf-8', 'surrogatepass')
    path.write_bytes(mutate_bytes(rng, text) if rng.random() < 0.1 else text)


def run_annotations(folder: Path, rng: Random) -> int:
    """Check; what passes is loaded, indexed, drawn, scored against itself and written again."""
    path = folder / 'val.json'
    code = run_tool('convert', 'check', path, *(('--images', folder / 'val')
                                                if rng.random() < 0.1 else ()))
    if code == 0:
        check_accepted(path, folder)
    elif rng.random() < 0.2:
        run_tool('convert', 'check', path)
    return code


# Result files


def _truth_of_results(folder: Path) -> AnnotationFile:
    return load_annotations(folder / 'ann.json')


def make_results(folder: Path) -> AnnotationFile:
    """An annotation file whose truth is another set of tracks."""
    plain = made_results.annotations()
    image_ids = {(video.id, frame.frame_id): frame.id for video, frame in plain.frames}
    empty = {video.id: rle.encode(np.zeros((1, video.height, video.width), bool))[0]
             for video in plain.videos}
    entries = []
    for track in made_results.random_tracks(1, classes=False):
        for at, frame in enumerate(track.frames):
            entries.append(dict(
                id=len(entries) + 1, image_id=image_ids[track.video_id, frame],
                instance_id=track.track_id, category_id=track.category_id, iscrowd=0,
                amodal_mask=track.masks['amodal'][at],
                visible_mask=track.masks['visible'][at] or empty[track.video_id]))
    content = dict(
        categories=[dict(id=id_, name=name) for id_, name in plain.categories.items()],
        videos=[dict(id=video.id, name=video.name, width=video.width, height=video.height)
                for video in plain.videos],
        images=[dict(id=frame.id, video_id=video.id, frame_id=frame.frame_id,
                     file_name=frame.file_name) for video, frame in plain.frames],
        annotations=entries)
    (folder / 'ann.json').write_text(json.dumps(content))
    return _truth_of_results(folder)


def _own_results(folder: Path) -> None:
    annotations = make_results(folder)
    write_results(folder / 'results/r.json', made_results.random_tracks(0), annotations)


def _foreign_results(name: str, packed: bool) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        annotations = make_results(folder)
        tracks = made_results.random_tracks(0, apart=True, classes=False)
        target = folder / 'results' / ('r.zip' if packed else 'r.json' if name in ('ytvis', 'coco')
                                       else 'r')
        options = {'note': lambda text: None} if 'note' in FORMATS[name].export_options else {}
        FORMATS[name].export(tracks, annotations, target, 'visible', **options)
    return make


def _damage_results(rng: Random, folder: Path) -> None:
    archive = folder / 'results/r.zip'
    if archive.exists() and rng.random() < 0.9:
        mutate_archive(rng, archive)
    else:
        mutate_tree(rng, folder / 'results')


def _run_own_results(folder: Path, rng: Random) -> int:
    path = next(iter(sorted((folder / 'results').iterdir())), folder / 'results/r.json')
    code = run_tool('check_results', path, '--ann', folder / 'ann.json')
    if code == 0:
        annotations = _truth_of_results(folder)
        tracks = read_results(path, annotations)
        check_tracks(annotations, tracks, folder)
        index = ResultIndex.open(path, annotations)
        require(sum(len(index.tracks(video.id)) for video in annotations.videos) == len(tracks),
                'tracks of the index')
        kind = 'amodal' if tracks and 'amodal' in tracks[0].masks else 'visible'
        for each in rng.sample(list(FORMATS), 2):
            run_tool('convert_results', each, 'export', path, folder / f'out-{each}', '--ann',
                     folder / 'ann.json', '--kind', kind)
        run_tool('evaluate', path, '--ann', folder / 'ann.json', '--out', folder / 'm.json')
    return code


def _run_foreign_results(name: str) -> Callable[[Path, Random], int]:
    def run(folder: Path, rng: Random) -> int:
        path = next(iter(sorted((folder / 'results').iterdir())), folder / 'results/r')
        out = folder / 'own.json'
        code = run_tool('convert_results', name, 'import', path, out, '--ann',
                        folder / 'ann.json', '--kind', 'visible')
        if code == 0:
            annotations = _truth_of_results(folder)
            require(run_tool('check_results', out, '--ann', folder / 'ann.json') == 0,
                    'imported results do not pass the check')
            check_tracks(annotations, read_results(out, annotations), folder)
            run_tool('evaluate', path, '--format', name, '--kind', 'visible', '--ann',
                     folder / 'ann.json', '--out', folder / 'm.json')
        return code
    return run


# Exports of other programs and datasets


def _command(name: str, *more: object, source: str = 'raw') -> Callable[[Path, Random], int]:
    def run(folder: Path, rng: Random) -> int:
        arguments = [str(each).replace('FOLDER', str(folder)) for each in more]
        code = run_tool('convert', name, folder / source, '--out', folder / 'out', *arguments)
        for path in (folder / 'out').rglob('*.json') if code == 0 else ():
            if path.name != 'annotations.json':  # of a single video, without categories
                check_accepted(path, folder)
        return code
    return run


def _only(*suffixes: str) -> Callable[[Random, Path], None]:
    return lambda rng, folder: mutate_tree(rng, folder / 'raw',
                                           lambda path: path.suffix in suffixes)


def _json_in(folder: Path, content: dict) -> None:
    (folder / 'raw').mkdir()
    made_foreign.written(folder / 'raw', content)


def _kins() -> dict:
    content = made_foreign.coco_video(segmentation='amodal', inmodal_seg='visible')
    del content['videos']
    for image in content['images']:
        for key in ('video_id', 'frame_id'):
            del image[key]
    for entry in content['annotations']:
        entry['inmodal_bbox'] = entry['bbox']
        del entry['video_id'], entry['instance_id']
    return content


def _make_cvat(folder: Path) -> None:
    for video in made_videos():
        root = folder / 'raw' / video.name
        write_frames(video, root / 'images', 'frame_{:06d}.png')
        (root / 'annotations.xml').write_text(test_cvat.video_xml(video))


def _make_fishbowl(folder: Path) -> None:
    test_fishbowl.make_sample(folder / 'raw/train/00000', test_fishbowl.fishes())


def _mots(name: str) -> Target:
    def make(folder: Path) -> None:
        (folder / 'raw').mkdir()
        test_mots_truth.WRITERS[name](folder / 'raw')
    return Target(make, lambda rng, folder: mutate_tree(rng, folder / 'raw/labels'),
                  _command(name, '--images', 'FOLDER/raw/images', source='raw/labels'))


def _json_command(name: str, content: Callable[[], dict]) -> Target:
    return Target(lambda folder: _json_in(folder, content()), _only('.json'),
                  _command(name, '--no-images', source='raw/train.json'))


# Frames


def _make_frames(folder: Path) -> None:
    make_annotations(folder)
    for index, path in enumerate(sorted((folder / 'val').rglob('*.png'))):
        if index % 2:
            cv2.imwrite(str(path.with_suffix('.jpg')), cv2.imread(str(path)))
            path.unlink()
    content = json.loads((folder / 'val.json').read_text())
    for image in content['images']:
        if not (folder / 'val' / image['file_name']).exists():
            image['file_name'] = str(Path(image['file_name']).with_suffix('.jpg'))
    (folder / 'val.json').write_text(json.dumps(content))


def _run_frames(folder: Path, rng: Random) -> int:
    code = run_tool('convert', 'check', folder / 'val.json', '--images', folder / 'val')
    if code == 0:
        for _, frame in load_annotations(folder / 'val.json').frames:
            path = folder / 'val' / frame.file_name
            image = cv2.imread(str(path)) if path.is_file() else np.zeros((32, 32, 3))
            require(image is not None and image.shape == (32, 32, 3), f'{path.name} passed')
    return code


def _targets() -> Iterable[tuple[str, Target]]:
    yield 'annotations', Target(make_annotations, damage_annotations, run_annotations)
    yield 'results', Target(_own_results, _damage_results, _run_own_results)
    for name in FORMATS:
        for packed in (False, True):
            yield f'results-{name}{"-zip" if packed else ""}', Target(
                _foreign_results(name, packed), _damage_results, _run_foreign_results(name))
    yield 'ytvis', _json_command('ytvis', made_foreign.ytvis)
    yield 'ovis', _json_command('ytvis', made_foreign.ovis)
    yield 'coco-video', _json_command('coco-video', made_foreign.coco_video)
    yield 'kins', _json_command('kins', _kins)
    yield 'labelme', Target(lambda folder: test_labelme.write_dataset(folder / 'raw'),
                            _only('.json'), _command('labelme', '--amodal-suffix', '_amodal'))
    yield 'cvat', Target(_make_cvat, _only('.xml'),
                         _command('cvat', '--amodal-suffix', '_amodal'))
    yield 'png-masks', Target(lambda folder: test_png_masks.write_dataset(folder / 'raw'),
                              _only('.json', '.png'), _command('png-masks'))
    yield 'mots-png', _mots('mots-png')
    yield 'mots-txt', _mots('mots-txt')
    yield 'fishbowl', Target(_make_fishbowl, _only('.json'), _command('fishbowl', '--frames', '6'))
    yield 'sailvos', Target(
        lambda folder: make_sailvos(folder / 'raw', {'train': {'a': (3, 2)}}, frames=False),
        _only('.json'), _command('sailvos', '--frames', 'reference', '--no-check'))
    yield 'frames', Target(_make_frames, lambda rng, folder: mutate_tree(rng, folder / 'val'),
                           _run_frames)


#: All targets by name.
TARGETS: dict[str, Target] = dict(_targets())
