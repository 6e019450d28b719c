"""MaskJoint, the image-based counterpart of VATrack, on SAIL-VOS-cut.

X101-64x4d, 1280x800, 12 epochs, batch 4.

train   python tools/train.py configs/maskjoint_none_sailvos-cut.py
test    python tools/test.py configs/maskjoint_none_sailvos-cut.py CHECKPOINT --eval AP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, track/none.py
"""
_base_ = [
    '_base_/models/tracked_rcnn_x101.py', '_base_/datasets/sailvos-cut.py',
    '_base_/schedules/mmdet_1x.py', '_base_/runtime.py'
]
train_dataloader = dict(dataset=dict(clip_sampler=None))  # single images
val_evaluator = dict(metric=['AP'])
test_evaluator = val_evaluator
