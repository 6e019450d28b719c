"""A second implementation of mIoU, on decoded masks and without thought of speed."""
from __future__ import annotations

from itertools import chain

import numpy as np
from ap_scenes import mask_at

from vatrack.structures import rle


def plain_miou(annotations, tracks, rules, score_thr):
    """Means by name; tracks are found by frame."""
    tracks = [track for track in tracks if track.score >= score_thr]
    frames = [frame_rows(video, t, tracks, rules) for video in annotations.videos
              for t in range(len(video.frames))]
    found = {}
    for region in ('full', 'occluded'):
        for name, misses in {'': False, '_incl_misses': True}.items():
            kept = [[iou for there, iou in rows[region] if there or misses] for rows in frames]
            kept = [rows for rows in kept if rows]
            found[f'{region}_frame{name}'] = np.mean([np.mean(r) for r in kept]) if kept else -1
            found[f'{region}_object{name}'] = np.mean(list(chain(*kept))) if kept else -1
    return found


def frame_rows(video, t, tracks, rules):
    """(found, IoU) of every object that counts, by region."""
    rows = {'full': [], 'occluded': []}
    seen = {track.track_id: dense(mask, video) for track in tracks
            if (mask := mask_at(track, 'visible', video, t))}
    for instance in video.frames[t].instances:
        a, v = (dense(instance.masks[kind], video) for kind in ('amodal', 'visible'))
        if not counts(instance, a, v, rules):
            continue
        hidden = rules.composed is not None or bool((a & ~v).any())
        best = most_similar(v, seen)
        if best is None:
            rows['full'].append((False, 0.))
            rows['occluded'] += [(False, 0.)] * hidden
            continue
        track = next(track for track in tracks if track.track_id == best)
        p = dense(mask_at(track, 'amodal', video, t), video)
        region = ~v
        if rules.composed is not None:
            others = [mask for k, mask in seen.items() if k != best]
            if rules.composed == 'truth':
                others = [dense(each.masks['visible'], video)
                          for each in video.frames[t].instances if each != instance]
            region = np.any([np.zeros_like(a), *others], axis=0)
            p = np.where(region, p, v if rules.composed == 'truth' else seen[best])
        ious = {'full': iou_of(p, a, rules), 'occluded': iou_of(p & region, a & region, rules)}
        for name, iou in ious.items():
            if (name == 'full' or hidden) and not (rules.drop_perfect and iou == 1):
                rows[name].append((True, iou))
    return rows


def counts(instance, amodal, visible, rules):
    if instance.iscrowd or not amodal.any() or not visible.any():
        return False
    return not rules.occlusion or rules.occlusion[0] < instance.occlusion < rules.occlusion[1]


def most_similar(visible, seen):
    ious = {k: (visible & mask).sum() / (visible | mask).sum() for k, mask in seen.items()}
    best = max(ious, key=ious.get, default=None)
    return None if best is None or ious[best] < .5 else best


def iou_of(first, second, rules):
    common, either = ((first & second).sum(), (first | second).sum())
    if not either + rules.smoothing:
        return 0.
    return (common + rules.smoothing) / (either + rules.smoothing)


def dense(mask, video):
    shape = video.height, video.width
    return np.zeros(shape, bool) if mask is None else rle.decode([mask], shape)[0] > 0
