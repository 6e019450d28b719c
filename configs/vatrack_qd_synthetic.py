"""QD-based VATrack at CPU size, from scratch on the synthetic videos, 256x160.

data    python tools/make_synthetic.py --out data/synthetic
train   python tools/train.py configs/vatrack_qd_synthetic.py
test    python tools/test.py --eval AP vAP
"""
_base_ = [
    '_base_/models/tracked_rcnn_r18_qd.py', '_base_/datasets/synthetic.py',
    '_base_/schedules/adamw_3e.py', '_base_/runtime.py'
]
scale = (256, 160)
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[0].transforms[2].scale = scale
test_pipeline[0].transforms[1].scale = scale
train_dataloader = dict(batch_size=2, num_workers=0, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
