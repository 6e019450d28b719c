"""MaskJoint, the image-based counterpart of VATrack.

Trained on SAIL-VOS-cut, tested on the uncut SAIL-VOS videos.

train   python tools/train.py configs/maskjoint_none_sailvos.py
test    python tools/test.py configs/maskjoint_none_sailvos.py CHECKPOINT --eval AP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, track/none.py
"""
_base_ = [
    '_base_/models/tracked_rcnn_x101.py', '_base_/datasets/sailvos.py',
    '_base_/schedules/mmdet_1x.py', '_base_/runtime.py'
]
train_dataloader = dict(dataset=dict(clip_sampler=None))  # single images
val_evaluator = dict(metric=['AP'])
test_evaluator = dict(metric=['AP'])
