"""AP and vAP against three independent implementations: plain Python, pycocotools, mmdet."""
from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ap_scenes import mask_at, random_scene
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from reference_ap import Rules, reference_metrics

from vatrack.evaluation.ap_metrics import ImageAP, VideoAP
from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.protocols import EVERY_AREA, PROTOCOLS, MaxDetections
from vatrack.evaluation.similarity import compare_video, mean_areas
from vatrack.evaluation.truth import truth_tracks
from vatrack.structures.rle import areas as rle_areas

# Areas that split masks of a few pixels; their bounds are hit exactly.
SMALL_AREAS = {'L': (60, 1e10), 'M': (20, 60), 'S': (0, 20)}
SENTINEL = 1e15
SEEDS = [2, 8, 10, 13]


def small(name, **changes):
    return replace(PROTOCOLS[name], areas=SMALL_AREAS, **changes)


def fed(metric_class, scene, kind, protocol):
    """A metric that has seen the whole scene."""
    annotations = scene.annotations()
    metric = metric_class(protocol, sorted(annotations.categories))
    for video in annotations.videos:
        truths = truth_tracks(video, protocol.max_occlusion, annotations.path)
        tracks = [track for track in scene.tracks if track.video_id == video.id]
        metric.add(compare_video(video, tracks, truths, kind, kind))
    return metric


@pytest.mark.parametrize('name', ['sailvos', 'sailvos-full', 'ytvis'])
@pytest.mark.parametrize('seed', SEEDS)
def test_equals_plain_python(name, seed):
    scene = random_scene(seed)
    annotations, protocol = scene.annotations(), small(name)
    ours = evaluate(annotations, scene.tracks, protocol=protocol)
    for kind in ('amodal', 'visible'):
        theirs = reference_metrics(annotations, scene.tracks, kind, protocol)
        assert theirs == pytest.approx({k: v for k, v in ours.items() if k.startswith(kind)},
                                       abs=1e-9)


def test_legacy_equals_plain_python_but_for_boxes_and_digits():
    scene = random_scene(2)
    annotations = scene.annotations()
    protocol = small('sailvos-legacy', image_detection_area='mask', decimals=None)
    ours = evaluate(annotations, scene.tracks, protocol=protocol, kinds=['amodal'])
    assert reference_metrics(annotations, scene.tracks, 'amodal', protocol) == pytest.approx(
        ours, abs=1e-9)
    assert 0 < ours['amodal/image/AR50_medium'] != ours['amodal/image/AR50_H']
    assert 0 < ours['amodal/video/vAP50_medium'] != ours['amodal/video/vAP50_H']


def test_equals_plain_python_beyond_the_most_detections():
    scene = random_scene(2, crowded=True)
    annotations = scene.annotations()
    protocol = small('sailvos', image=MaxDetections(ap=100, fixed=120, recall=(1, 10, 100)))
    ours = evaluate(annotations, scene.tracks, protocol=protocol, kinds=['amodal'])
    assert reference_metrics(annotations, scene.tracks, 'amodal', protocol) == pytest.approx(
        ours, abs=1e-9)
    all_count = replace(protocol, image=MaxDetections(200, 200), video=MaxDetections(200, 200))
    more = evaluate(annotations, scene.tracks, protocol=all_count, kinds=['amodal'])
    assert more['amodal/video/vAP'] > ours['amodal/video/vAP']
    assert more['amodal/image/AP'] > ours['amodal/image/AP']


WRONG = [Rules(area='sum'), Rules(area='mean_all'), Rules(area='box'), Rules(occlusion='mean'),
         Rules(occlusion='maximum'), Rules(occlusion='floor'), Rules(crowd='dropped'),
         Rules(crowd_iou='both'), Rules(crowd_iou='none'),
         Rules(video_iou='mean_of_frames'), Rules(ties='reversed'), Rules(ranges='half_open'),
         Rules(empty='dropped')]


@cache
def ours_of(seed):
    scene, protocol = random_scene(seed), small('sailvos')
    numbers = evaluate(scene.annotations(), scene.tracks, protocol=protocol, kinds=['amodal'])
    return scene, protocol, numbers


def apart(seed, rules):
    """How far the numbers of an evaluator with such rules are from ours."""
    scene, protocol, ours = ours_of(seed)
    theirs = reference_metrics(scene.annotations(), scene.tracks, 'amodal', protocol, rules)
    return max(abs(ours[name] - theirs[name]) for name in ours)


@pytest.mark.parametrize('wrong', WRONG, ids=str)
def test_data_tell_known_mistakes_apart(wrong):
    """An evaluator with one of these mistakes would fail ``test_equals_plain_python``."""
    assert any(apart(seed, wrong) > .02 for seed in SEEDS)


@contextlib.contextmanager
def silence():
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def coco_curves(truths, detections, samples, protocol, max_dets, compute_iou=None):
    """Precision (K, S, T, R, M) and recall (K, S, T, M) of pycocotools, by sentinel areas."""
    categories = [{'id': 1}, {'id': 4}, {'id': 9}, {'id': 12}]
    precision, recall = [], []
    for stratum in protocol.strata.values():
        marked = [dict(g, area=SENTINEL if stratum.occlusion and not (
            stratum.occlusion[0] <= g['occlusion'] <= stratum.occlusion[1]) else g['area'])
            for g in truths]
        with silence():
            sides = []
            for annotations in (marked, [dict(d) for d in detections]):
                side = COCO()
                side.dataset = {'images': [{'id': u, 'height': 24, 'width': 32} for u in samples],
                                'categories': categories, 'annotations': annotations}
                side.createIndex()
                sides.append(side)
            coco = COCOeval(*sides, 'segm')
            if compute_iou:
                coco.computeIoU = lambda sample, category, coco=coco: compute_iou(coco, sample,
                                                                                category)
            coco.params.areaRng, coco.params.areaRngLbl = [list(stratum.area)], ['x']
            coco.params.maxDets = list(max_dets.all)
            coco.evaluate()
            coco.accumulate()
        precision.append(coco.eval['precision'][:, :, :, 0])
        recall.append(coco.eval['recall'][:, :, 0])
    return np.stack(precision).transpose(3, 0, 1, 2, 4), np.stack(recall).transpose(2, 0, 1, 3)


def assert_same_curves(metric, max_dets, precision, recall):
    assert (precision > 0).any(axis=(2, 3)).sum() > 10
    for m, most in enumerate(max_dets.all):
        np.testing.assert_allclose(metric.curves.precision(most), precision[..., m], rtol=0,
                                   atol=1e-12)
        np.testing.assert_allclose(metric.curves.recall(most), recall[..., m], rtol=0,
                                   atol=1e-12)


@pytest.mark.parametrize('name', ['sailvos', 'sailvos-full'])
@pytest.mark.parametrize('kind', ['amodal', 'visible'])
def test_image_curves_equal_pycocotools(name, kind):
    scene, protocol = random_scene(3, crowded=True), small(name)
    truths, detections, samples = [], [], []
    for video, frame in scene.annotations().frames:
        samples.append(frame.id)
        for instance in frame.instances:
            mask, rate = instance.masks[kind], instance.occlusion
            if coco_mask.area(mask) and (protocol.max_occlusion is None
                                         or rate <= protocol.max_occlusion):
                truths.append(dict(id=len(truths) + 1, image_id=frame.id, segmentation=mask,
                                   category_id=instance.category_id, occlusion=rate,
                                   area=int(coco_mask.area(mask)), iscrowd=int(instance.iscrowd)))
        for track in scene.tracks:
            mask = mask_at(track, kind, video, frame.frame_id)
            if mask:
                detections.append(dict(id=len(detections) + 1, image_id=frame.id, iscrowd=0,
                                       category_id=track.category_id, segmentation=mask,
                                       area=int(coco_mask.area(mask)),
                                       score=track.frame_score(frame.frame_id)))
    assert sum(detection['area'] == 0 for detection in detections) > 10
    curves = coco_curves(truths, detections, samples, protocol, protocol.image)
    assert_same_curves(fed(ImageAP, scene, kind, protocol), protocol.image, *curves)


def video_records(scene, kind, protocol):
    """Truth and detections of whole videos as YouTube-VIS annotations."""
    annotations = scene.annotations()
    truths = [dict(id=0, video_id=video.id, category_id=track.category_id, iscrowd=track.iscrowd,
                   segmentations=track.masks(kind), occlusion=track.occlusion)
              for video in annotations.videos
              for track in truth_tracks(video, protocol.max_occlusion, annotations.path)]
    truths = [g for g in truths
              if any(mask and coco_mask.area(mask) for mask in g['segmentations'])]
    for position, truth in enumerate(truths):
        truth['id'] = position + 1
        truth['areas'] = [mask and int(coco_mask.area(mask)) for mask in truth['segmentations']]
    detections = [dict(video_id=t.video_id, category_id=t.category_id, score=t.score,
                       segmentations=t.spread(t.masks[kind], scene.lengths[t.video_id]))
                  for t in scene.tracks]
    return truths, detections


@pytest.mark.parametrize('kind', ['amodal', 'visible'])
def test_video_curves_equal_mmdet(kind):
    pytest.importorskip('mmdet')
    from mmdet.evaluation.functional.ytvis import YTVIS
    from mmdet.evaluation.functional.ytviseval import YTVISeval
    scene, protocol = random_scene(4, crowded=True), small('ytvis')
    truths, detections = video_records(scene, kind, protocol)
    annotations = scene.annotations()
    videos = [{'id': v.id, 'height': v.height, 'width': v.width} for v in annotations.videos]
    with silence():
        truth = YTVIS({'videos': videos, 'annotations': truths,
                       'categories': [{'id': c} for c in annotations.categories]})
        theirs = YTVISeval(truth, truth.loadRes(detections), 'segm')
        theirs.params.areaRng = [EVERY_AREA, *protocol.areas.values()]
        theirs.params.areaRngLbl = list(protocol.strata)
        theirs.evaluate()
        theirs.accumulate()
    assert theirs.params.maxDets == list(protocol.video.all)
    assert_same_curves(fed(VideoAP, scene, kind, protocol), protocol.video,
                       theirs.eval['precision'].transpose(2, 3, 0, 1, 4),
                       theirs.eval['recall'].transpose(1, 2, 0, 3))


@pytest.mark.parametrize('name', ['sailvos', 'sailvos-full'])
def test_video_curves_equal_pycocotools_on_concatenated_frames(name):
    """A video as one wide image: occlusion strata by sentinel areas, IoU of the wide masks."""
    scene, protocol = random_scene(5), small(name)
    truths, detections = video_records(scene, 'amodal', protocol)
    for position, side in enumerate((truths, detections)):
        for number, record in enumerate(side):
            wide = np.concatenate([np.zeros((24, 32), np.uint8) if mask is None
                                   else coco_mask.decode(mask)
                                   for mask in record['segmentations']], axis=1)
            per_frame = rle_areas([mask for mask in record['segmentations'] if mask])[None]
            record.update(image_id=record['video_id'], id=number + 1,
                          iscrowd=int(record.get('iscrowd', 0)),
                          segmentation=coco_mask.encode(np.asfortranarray(wide)),
                          area=float(mean_areas(per_frame)[0]) if per_frame.size else 0)
        assert side, position

    def plain_iou(coco, sample, category):
        dets = sorted(coco._dts[sample, category], key=lambda d: -d['score'])
        gts = coco._gts[sample, category]
        return coco_mask.iou([d['segmentation'] for d in dets],
                             [g['segmentation'] for g in gts], [0] * len(gts)) if (
                                 dets and gts) else []

    curves = coco_curves(truths, detections, list(scene.lengths), protocol, protocol.video,
                         plain_iou)
    assert_same_curves(fed(VideoAP, scene, 'amodal', protocol), protocol.video, *curves)
