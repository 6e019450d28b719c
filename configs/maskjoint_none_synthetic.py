"""MaskJoint, the image-based counterpart of VATrack.

At CPU size, from scratch on the synthetic videos, 256x160.

data    python tools/make_synthetic.py --out data/synthetic
train   python tools/train.py configs/maskjoint_none_synthetic.py
test    python tools/test.py configs/maskjoint_none_synthetic.py CHECKPOINT --eval AP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, track/none.py
"""
_base_ = [
    '_base_/models/tracked_rcnn_r18.py', '_base_/datasets/synthetic.py',
    '_base_/schedules/adamw_3e.py', '_base_/runtime.py'
]
train_dataloader = dict(dataset=dict(clip_sampler=None))  # single images
val_evaluator = dict(metric=['AP'])
test_evaluator = val_evaluator
