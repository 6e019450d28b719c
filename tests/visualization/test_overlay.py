from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vatrack.files import load_annotations, write_results
from vatrack.structures import AnnotationFile, TrackRecord, rle
from vatrack.video import read_video
from vatrack.visualization import render_results, track_color
from vatrack.visualization.overlay import build_scene, colors_by_id, masks_at

H, W, FRAMES = 40, 64, 3
BOXES = {7: (4, 4), 9: (34, 18)}


def square(x: int, y: int, side: int = 18) -> rle.RLE:
    mask = np.zeros((1, H, W), np.uint8)
    mask[0, y:y + side, x:x + side] = 1
    return rle.encode(mask)[0]


def annotation(number: int, video_id: int, image_id: int, instance_id: int) -> dict:
    x, y = BOXES[instance_id]
    x += image_id % FRAMES
    return {'id': number, 'video_id': video_id, 'image_id': image_id, 'category_id': 3,
            'instance_id': instance_id, 'iscrowd': 0, 'bbox': [x, y, 18, 18],
            'amodal_mask': square(x, y), 'visible_mask': square(x, y, 12)}


def dataset(folder: Path, truth: bool = True) -> AnnotationFile:
    """Two videos of three frames with two squares that move to the right."""
    images, annotations = [], []
    for image_id in range(2 * FRAMES):
        video_id, name = 1 + image_id // FRAMES, f'v{image_id // FRAMES}/{image_id % FRAMES}.png'
        images.append({'id': image_id, 'video_id': video_id, 'frame_id': image_id % FRAMES,
                       'file_name': name, 'width': W, 'height': H})
        (folder / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((H, W, 3), 90, np.uint8))
        annotations += [annotation(10 * image_id + k, video_id, image_id, instance_id)
                        for k, instance_id in enumerate(BOXES if truth else ())]
    videos = [{'id': k, 'name': f'city/v {k}', 'width': W, 'height': H} for k in (1, 2)]
    path = folder / 'annotations.json'
    path.write_text(json.dumps({'videos': videos, 'images': images, 'annotations': annotations,
                                'categories': [{'id': 3, 'name': 'box'}]}))
    return load_annotations(path)


def track(track_id: int, x: int, y: int, score: float = 0.9, video_id: int = 1) -> TrackRecord:
    masks = {'amodal': [square(x + t, y) for t in range(FRAMES)],
             'visible': [square(x + t, y, 12) for t in range(FRAMES)]}
    return TrackRecord(video_id, track_id, 3, score, list(range(FRAMES)), masks)


def test_films_and_sheet_of_truth_and_predictions(tmp_path):
    out = tmp_path / 'out'
    written = render_results(dataset(tmp_path), [track(1, 4, 4), track(2, 20, 20, 0.1)], tmp_path,
                             out)
    assert [path.name for path in written] == ['0001_city-v-1.mp4', '0002_city-v-2.mp4',
                                               'contact_sheet.png']
    assert sorted(out.iterdir()) == sorted(written)
    frames = list(read_video(written[0]))
    assert len(frames) == FRAMES
    assert frames[0].shape[1] > 2 * 640
    sheet = cv2.imread(str(written[-1]))
    assert sheet.shape[0] > 2 * 3 * 250
    assert sheet.shape[1] > FRAMES * 400


def test_truth_alone_has_one_panel(tmp_path):
    written = render_results(dataset(tmp_path), None, tmp_path, tmp_path / 'out', max_videos=1)
    assert len(written) == 2
    assert 640 < next(read_video(written[0])).shape[1] < 2 * 640


@pytest.mark.parametrize('tracks, layers', [
    (None, []), ([], ['prediction']), ([track(1, 4, 4)], ['prediction'])])
def test_without_truth_there_is_no_truth_layer(tmp_path, tracks, layers):
    annotations = dataset(tmp_path, truth=False)
    scene = build_scene(annotations, annotations.videos[0], tracks, tmp_path)
    assert list(scene.layers) == layers
    panels = scene.panels(0, 128)
    assert list(panels) == ['input', *layers]
    assert {panel.shape for panel in panels.values()} == {(80, 128, 3)}


def test_low_scores_are_left_out(tmp_path):
    annotations = dataset(tmp_path)
    kwargs = {'videos': ['city/v 1'], 'score_thr': 0.5}
    sheets = []
    for name, tracks in (('a', [track(1, 4, 4, 0.49)]), ('b', []), ('c', [track(1, 4, 4, 0.5)])):
        path = render_results(annotations, tracks, tmp_path, tmp_path / name, **kwargs)[-1]
        sheets.append(cv2.imread(str(path)))
    assert (sheets[0] == sheets[1]).all()
    assert (sheets[0] != sheets[2]).any()


def test_matched_tracks_take_the_colors_of_the_truth(tmp_path):
    annotations = dataset(tmp_path)
    tracks = [track(5, 33, 17), track(6, 3, 4), track(8, 44, 0)]
    truth, predicted = colors_by_id(annotations, annotations.videos[0], tracks)
    assert truth == {7: track_color(0), 9: track_color(1)}
    assert predicted == {5: truth[9], 6: truth[7], 8: track_color(2)}


def test_every_true_object_lends_its_color_once(tmp_path):
    annotations = dataset(tmp_path)
    truth, predicted = colors_by_id(annotations, annotations.videos[0],
                                    [track(1, 5, 4), track(2, 4, 4)])
    assert predicted == {2: truth[7], 1: track_color(2)}


def test_kinds_that_only_one_side_has_do_not_match(tmp_path):
    annotations = dataset(tmp_path)
    for video in annotations.videos:
        for frame in video.frames:
            for instance in frame.instances:
                del instance.masks['amodal']
    only_amodal = TrackRecord(1, 4, 3, 0.9, list(range(FRAMES)),
                              {'amodal': [square(4, 4)] * FRAMES})
    _, predicted = colors_by_id(annotations, annotations.videos[0], [only_amodal])
    assert predicted == {4: track_color(2)}


def test_labels_and_scores_are_those_of_the_frame(tmp_path):
    annotations = dataset(tmp_path)
    record = track(4, 4, 4)
    record.scores = [0.25, None, 0.75]
    record.masks['amodal'][1] = record.masks['visible'][1] = None
    layer = build_scene(annotations, annotations.videos[0], [record], tmp_path).layers['prediction']
    assert [[item.caption() for item in items] for items in layer] == [
        ['4 box 0.25'], [], ['4 box 0.75']]


def test_a_null_visible_mask_of_a_present_track_is_hidden():
    record = track(4, 4, 4)
    record.masks['visible'][1] = None
    masks = masks_at(record, 1)
    assert rle.areas([masks['amodal'], masks['visible']]).tolist() == [18 * 18, 0]
    record.masks['amodal'][1] = None
    assert masks_at(record, 1) == {}


def test_missing_broken_and_foreign_frames_are_named(tmp_path):
    annotations = dataset(tmp_path)
    frame = tmp_path / 'v0' / '1.png'
    cv2.imwrite(str(frame), np.zeros((H, W + 2, 3), np.uint8))
    with pytest.raises(ValueError, match=r'1\.png is 66 x 40 pixels, but video city/v 1'):
        render_results(annotations, None, tmp_path, tmp_path / 'out')
    frame.write_text('no image')
    with pytest.raises(ValueError, match=r'1\.png: not an image'):
        render_results(annotations, None, tmp_path, tmp_path / 'out')
    frame.unlink()
    with pytest.raises(ValueError, match=r'city/v 1.*1\.png'):
        render_results(annotations, None, tmp_path, tmp_path / 'out')


@pytest.mark.parametrize('kwargs, message', [
    ({'videos': ['nope']}, r"no video named \['nope'\]; it has city/v 1"),
    ({'max_videos': 0}, 'no video')])
def test_unknown_videos_are_refused(tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=message):
        render_results(dataset(tmp_path), None, tmp_path, tmp_path / 'out', **kwargs)


def test_command_line(tmp_path, capsys, run_tool):
    annotations = dataset(tmp_path)
    write_results(tmp_path / 'pred.json', [track(1, 4, 4), track(2, 4, 4, video_id=2)],
                  annotations)
    arguments = ['browse', annotations.path, tmp_path, '--films', tmp_path / 'out']
    assert run_tool(*arguments, '--pred', tmp_path / 'pred.json', '--max-videos', 1,
                    '--fps', 5) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / 'out' / '0001_city-v-1.mp4'),
                                               str(tmp_path / 'out' / 'contact_sheet.png')]
    assert run_tool(*arguments, '--pred', tmp_path / 'none.json') == 2
    assert 'none.json' in capsys.readouterr().err
