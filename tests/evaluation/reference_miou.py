"""A second implementation of mIoU, on decoded masks and without thought of speed."""
from __future__ import annotations

from itertools import chain

import numpy as np
from ap_scenes import mask_at

from vatrack.structures import rle

PLAIN = ('full', 'occluded')
COMPOSED = (*PLAIN, 'full_unrestricted', 'occluded_strict')


def plain_miou(annotations, tracks, rules, score_thr, selected=None):
    """Means by name.

    ``selected`` has the run of frames, and those that are scored, by (video id, instance id).
    """
    tracks = [track for track in tracks if track.score >= score_thr]
    frames = [frame_rows(video, t, tracks, rules, selected) for video in annotations.videos
              for t in range(len(video.frames))]
    regions = PLAIN if rules.composed is None else COMPOSED
    every = list(chain(*(rows['counts'] for rows in frames)))
    values = {'objects': len(every), 'found': mean(every)}
    for region in regions:
        for name, misses in {'': False, '_incl_misses': True}.items():
            kept = [[iou for there, iou in rows[region] if there or misses] for rows in frames]
            kept = [rows for rows in kept if rows]
            values[f'{region}_frame{name}'] = mean([np.mean(r) for r in kept])
            values[f'{region}_object{name}'] = mean(list(chain(*kept)))
    if rules.composed is not None:
        leaks = list(chain(*(rows['leaks'] for rows in frames)))
        values['leak_rate'] = mean([leak > 0 for leak in leaks])
        values['leaked_area'] = mean(leaks)
    return values


def mean(values):
    return np.mean(values) if values else -1


def frame_rows(video, t, tracks, rules, selected):
    """(found, IoU) of every object that counts, by region; what leaks of the uncovered."""
    rows = {name: [] for name in ('counts', 'leaks', *COMPOSED)}
    for instance in video.frames[t].instances:
        run, scored = frames_of(video, instance.instance_id, selected)
        a, v = (dense(instance.masks[kind], video) for kind in ('amodal', 'visible'))
        ends = rules.drop_ends and not {t - 1, t + 1} <= {*run}
        unseen = rules.match == 'frame' and not v.any()
        if instance.iscrowd or not a.any() or t not in {*run} & {*scored} or ends or unseen:
            continue
        best = (best_of_frame(video, t, v, tracks) if rules.match == 'frame' else
                best_of_video(video, instance.instance_id, run if selected else None, tracks))
        track = best if best and best.position(t) is not None else None
        p = dense(mask_of(track, 'amodal', video, t), video)
        other = np.any([np.zeros_like(a), *others_of(instance, track, video, t, tracks, rules)], 0)
        if rules.composed == 'prediction':
            v = dense(mask_of(track, 'visible', video, t), video)
        if rules.composed is not None and track and not (a & other).any():
            rows['leaks'].append((p & other).sum() / a.sum())
        if not rules.occlusion or rules.occlusion[0] < instance.occlusion < rules.occlusion[1]:
            rows['counts'].append(track is not None)
            for name, iou in ious_of(a, v, p, other, rules).items():
                if iou is not None or (not track and name in PLAIN and rules.composed):
                    rows[name].append((track is not None, iou if track else 0.))
    return rows


def others_of(instance, track, video, t, tracks, rules):
    """Visible masks of the others in a frame."""
    if rules.composed == 'truth':
        return [dense(each.masks['visible'], video) for each in video.frames[t].instances
                if each != instance]
    if rules.composed == 'prediction':
        return [dense(mask_at(each, 'visible', video, t), video) for each in tracks
                if each is not track]
    return []


def mask_of(track, kind, video, t):
    return mask_at(track, kind, video, t) if track else None


def ious_of(a, v, p, other, rules):
    """IoU by region; None where the object does not count."""
    if rules.composed is None:
        return {'full': iou_of(a, p, rules),
                'occluded': iou_of(a & ~v, p & ~v, rules) if (a & ~v).any() else None}
    s = np.where(other, p, v)
    ious = {'full': iou_of(a, s, rules), 'occluded': iou_of(a & other, s & other, rules)}
    ious['full_unrestricted'] = (a & p).sum() / (a | p).sum()
    inside = a & other
    ious['occluded_strict'] = ((inside & p).sum() / (inside | p & other).sum()
                               if inside.any() else None)
    return ious


def frames_of(video, instance_id, selected):
    if selected is not None:
        return selected.get((video.id, instance_id), ((), ()))
    own = [t for t, frame in enumerate(video.frames)
           if any(each.instance_id == instance_id for each in frame.instances)]
    return own, own


def best_of_frame(video, t, visible, tracks):
    pairs = [(visible, dense(mask_at(track, 'visible', video, t), video)) for track in tracks]
    return best_of([iou_of(*pair) for pair in pairs], tracks)


def best_of_video(video, instance_id, run, tracks):
    ious = []
    for track in tracks:
        first, second = [], []
        for t in range(len(video.frames)) if run is None else run:
            true = [each.masks['visible'] for each in video.frames[t].instances
                    if each.instance_id == instance_id]
            first.append(dense(true[0] if true else None, video))
            second.append(dense(mask_at(track, 'visible', video, t), video))
        ious.append(iou_of(np.array(first), np.array(second)))
    return best_of(ious, tracks)


def best_of(ious, tracks):
    return tracks[int(np.argmax(ious))] if ious and max(ious) >= .5 else None


def iou_of(first, second, rules=None):
    common, either = (first & second).sum(), (first | second).sum()
    smoothing = rules.smoothing if rules else 0
    if not either + smoothing:
        return 0.
    iou = (common + smoothing) / (either + smoothing)
    return None if rules and rules.drop_perfect and iou == 1 else iou


def dense(mask, video):
    shape = video.height, video.width
    return np.zeros(shape, bool) if mask is None else rle.decode([mask], shape)[0] > 0
