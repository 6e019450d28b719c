"""MT-based VATrack trained on SAIL-VOS-cut, tested on the uncut SAIL-VOS videos.

train   python tools/train.py configs/vatrack_mt_sailvos.py
test    python tools/test.py configs/vatrack_mt_sailvos.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/mt_head.py, track/mask_track.py
"""
_base_ = [
    '_base_/models/tracked_rcnn_x101.py', '_base_/association/mt.py',
    '_base_/datasets/sailvos.py', '_base_/schedules/sgd_12e.py', '_base_/runtime.py'
]
model = dict(association=_base_.association, detector=_base_.detector)
train_dataloader = dict(dataset=dict(clip_sampler=_base_.clip_sampler))
