"""AP and vAP once more, in plain Python over decoded masks: slow, and meant to be read.

Written from the definitions alone and sharing no code with the package. The
fields of :class:`Rules` switch known mistakes on; the tests show that our data
tells each of them from the truth.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ap_scenes import mask_at
from pycocotools import mask as coco_mask

THRESHOLDS = [.5, .55, .6, .65, .7, .75, .8, .85, .8999999999999999, .95]


@dataclass(frozen=True)
class Rules:
    """Right by default."""

    area: str = 'mean_present'      # mistakes: sum, mean_all, box
    occlusion: str = 'upper_half'   # mistakes: mean, maximum, floor
    crowd: str = 'ignored'          # mistake: dropped
    video_iou: str = 'sum_by_sum'   # mistake: mean_of_frames
    ties: str = 'stable'            # mistake: reversed
    ranges: str = 'closed'          # mistake: half_open
    crowd_iou: str = 'image'        # by the detection's area; mistakes: both levels, none
    empty: str = 'wrong'            # detections without a pixel; mistake: dropped


@dataclass
class Thing:
    """A true object or a detection within a sample (frame or video)."""

    category: int
    area: float
    volume: np.ndarray
    score: float = 0
    occlusion: float | None = None
    crowd: bool = False


def reference_metrics(annotations, tracks, kind, protocol, rules=Rules()):
    """All metrics of both levels for one kind, by the names of ``evaluate``."""
    found = {}
    for level in ('image', 'video'):
        samples = (image_samples if level == 'image' else video_samples)(
            annotations, tracks, kind, protocol, rules)
        if rules.crowd == 'dropped':
            samples = [([g for g in truths if not g.crowd], dets) for truths, dets in samples]
        for name, value in level_metrics(samples, annotations, protocol, level, rules).items():
            found[f'{kind}/{level}/{name}'] = value
    return found


def level_metrics(samples, annotations, protocol, level, rules):
    values = {}
    for name, (which, area, occlusion, thresholds, max_det) in wanted(protocol, level).items():
        by_class = []
        for category in annotations.categories:
            results = [class_result(samples, category, area, occlusion, t, max_det, level, rules)
                       for t in thresholds]
            if results[0] is not None:
                by_class.append(np.mean([r[0 if which == 'ap' else 1] for r in results]))
        values[name] = float(np.mean(by_class)) if by_class else -1
    return values


def wanted(protocol, level):
    """Which number, area and occlusion range, IoU thresholds and number of detections by name."""
    max_dets = getattr(protocol, level)
    every = protocol.every_occlusion
    v = 'v' if level == 'video' else ''
    found = {f'{v}AP': ('ap', None, every, THRESHOLDS, max_dets.ap),
             f'{v}AP50': ('ap', None, every, [.5], max_dets.fixed),
             f'{v}AP75': ('ap', None, every, [.75], max_dets.fixed)}
    at, thresholds = ('50', [.5]) if protocol.strata_at_50 else ('', THRESHOLDS)
    for name, bound in protocol.areas.items():
        found[f'{v}AP{at}_{name}'] = ('ap', bound, every, thresholds, max_dets.fixed)
    for name, bound in protocol.occlusions.items():
        found[f'{v}AP{at}_{name}'] = ('ap', None, bound, thresholds, max_dets.fixed)
    for k in max_dets.recall:
        found[f'{v}AR@{k}'] = ('ar', None, every, THRESHOLDS, k)
    most = max_dets.recall[-1]
    for name, bound in protocol.areas.items():
        found[f'{v}AR@{most}_{name}'] = ('ar', bound, every, THRESHOLDS, most)
    for name, bound in protocol.occlusions.items():
        found[f'{v}AR@{most}_{name}'] = ('ar', None, bound, THRESHOLDS, most)
    if level == 'image':
        found['AR'] = ('ar', None, every, THRESHOLDS, max_dets.ap)
        for name, bound in protocol.occlusions.items() if protocol.image_recall_at_50 else ():
            found[f'AR50_{name}'] = ('ar', None, bound, [.5], most)
    return found


def class_result(samples, category, area, occlusion, threshold, max_det, level, rules):
    """(AP, recall) of one class at one threshold, or None without truth."""
    ranked, num_truth = [], 0
    for position, (truths, dets) in enumerate(samples):
        truths = [g for g in truths if g.category == category]
        ignored = [g.crowd or not within(g.area, area, rules) or not occluded(g, occlusion, rules)
                   for g in truths]
        num_truth += ignored.count(False)
        dets = by_score([d for d in dets if d.category == category], rules)[:max_det]
        taken = set()
        for rank, det in enumerate(dets):
            best = best_truth(det, truths, ignored, taken, threshold, level, rules)
            if best is None:
                state = 'fp' if within(det.area, area, rules) else None
            else:
                taken.add(best)
                state = None if ignored[best] else 'tp'
            if state:
                order = (position, rank)
                if rules.ties == 'reversed':
                    order = (-position, rank)
                ranked.append((-det.score, order, state))
    if num_truth == 0:
        return None
    return average_precision([state for _, _, state in sorted(ranked)], num_truth)


def by_score(dets, rules):
    sign = -1 if rules.ties == 'reversed' else 1
    return [d for _, _, d in sorted(((-d.score, sign * i, d) for i, d in enumerate(dets)),
                                    key=lambda entry: entry[:2])]


def best_truth(det, truths, ignored, taken, threshold, level, rules):
    for want_ignored in (False, True):
        best, best_iou = None, min(threshold, 1 - 1e-10)
        for j, truth in enumerate(truths):
            if ignored[j] != want_ignored or (j in taken and not truth.crowd):
                continue
            value = overlap(det, truth, level, rules)
            if value >= best_iou:
                best, best_iou = j, value
        if best is not None:
            return best
    return None


def average_precision(states, num_truth):
    true_positives, points = 0, []
    for count, state in enumerate(states, 1):
        true_positives += state == 'tp'
        points.append((true_positives / num_truth, true_positives / count))
    at_recall = [max((p for r, p in points if r >= wanted), default=0)
                 for wanted in np.linspace(0, 1, 101)]
    return float(np.mean(at_recall)), true_positives / num_truth


def within(value, bound, rules):
    if bound is None:
        return True
    return bound[0] <= value <= bound[1] if rules.ranges == 'closed' else (
        bound[0] <= value < bound[1])


def occluded(truth, bound, rules):
    return bound is None or within(truth.occlusion, bound, rules)


def overlap(det, truth, level, rules):
    both = (det.volume & truth.volume).sum(axis=(1, 2))
    either = (det.volume | truth.volume).sum(axis=(1, 2))
    if truth.crowd and rules.crowd_iou in (level, 'both') and det.volume.any():
        return both.sum() / det.volume.sum()
    if rules.video_iou == 'mean_of_frames':
        return float(np.mean([b / e for b, e in zip(both, either, strict=True) if e] or [0]))
    return both.sum() / either.sum() if either.sum() else 0


def video_samples(annotations, tracks, kind, protocol, rules):
    samples = []
    for video in sorted(annotations.videos, key=lambda video: video.id):
        shape = (len(video.frames), video.height, video.width)
        truths = []
        for instance_id in sorted({i.instance_id for f in video.frames for i in f.instances}):
            volume, rates, crowd, category = np.zeros(shape, bool), [], False, None
            for t, frame in enumerate(video.frames):
                for instance in frame.instances:
                    if instance.instance_id == instance_id and kept(instance, protocol):
                        volume[t] = decode(instance.masks[kind])
                        rates.append(instance.occlusion)
                        crowd, category = crowd or instance.iscrowd, instance.category_id
            if volume.any():
                truths.append(Thing(category, volume_area(volume, rules), volume, 0,
                                    track_occlusion(rates, rules), crowd))
        dets = [predicted_thing(track, kind, shape, rules)
                for track in tracks if track.video_id == video.id]
        samples.append((truths, dets))
    return samples


def predicted_thing(track, kind, shape, rules):
    volume = np.zeros(shape, bool)
    for t, mask in zip(track.frames, track.masks[kind], strict=True):
        if mask is not None:
            volume[t] = decode(mask)
    return Thing(track.category_id, volume_area(volume, rules), volume, track.score)


def image_samples(annotations, tracks, kind, protocol, rules):
    samples = {}
    for video in annotations.videos:
        for t, frame in enumerate(video.frames):
            truths = [Thing(i.category_id, *area_and_volume(i.masks[kind], rules), 0,
                            i.occlusion, i.iscrowd)
                      for i in frame.instances if kept(i, protocol)]
            dets = []
            for track in tracks:
                mask = mask_at(track, kind, video, t)
                if mask is not None:
                    score = track.frame_score(t)
                    dets.append(Thing(track.category_id, *area_and_volume(mask, rules), score))
            if rules.empty == 'dropped':
                dets = [d for d in dets if d.volume.any()]
            samples[frame.id] = [g for g in truths if g.volume.any()], dets
    return [samples[image_id] for image_id in sorted(samples)]


def kept(instance, protocol):
    return protocol.max_occlusion is None or instance.occlusion <= protocol.max_occlusion


def track_occlusion(rates, rules):
    rates = sorted(rates, reverse=True)
    if rules.occlusion == 'mean':
        return float(np.mean(rates))
    if rules.occlusion == 'maximum':
        return rates[0]
    rounded = math.floor if rules.occlusion == 'floor' else math.ceil
    return float(np.mean(rates[:max(rounded(len(rates) / 2), 1)]))


def volume_area(volume, rules):
    areas = volume.sum(axis=(1, 2))
    if rules.area == 'box':
        areas = np.array([box_area(mask) for mask in volume])
    if rules.area == 'sum':
        return areas.sum()
    if rules.area == 'mean_all':
        return areas.mean()
    return areas[areas > 0].mean() if areas.any() else 0


def area_and_volume(mask, rules):
    volume = decode(mask)[None]
    return volume_area(volume, rules), volume


def box_area(mask):
    rows, columns = np.nonzero(mask)
    return (np.ptp(rows) + 1) * (np.ptp(columns) + 1) if len(rows) else 0


def decode(mask):
    return coco_mask.decode(mask).astype(bool)
