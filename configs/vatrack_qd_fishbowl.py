"""QD-based VATrack, ResNet-50, on FISHBOWL, 960x640, 12 epochs, batch 4.

data    python tools/convert.py fishbowl RAW_DIR --out data/fishbowl
train   python tools/train.py configs/vatrack_qd_fishbowl.py
test    python tools/test.py configs/vatrack_qd_fishbowl.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py

The VATrack paper does not use FISHBOWL: the recipe is its own, on twice the native 480x320.
configs/vatrack/qd_fishbowl_cpu.py is the same at a size that trains on a CPU.
"""
_base_ = [
    '_base_/models/tracked_rcnn_r50.py', '_base_/association/qd.py',
    '_base_/datasets/fishbowl.py', '_base_/schedules/sgd_12e.py', '_base_/runtime.py'
]
scale = (960, 640)
model = dict(association=_base_.association)
train_dataloader = dict(dataset=dict(scale=scale))
val_dataloader = dict(dataset=dict(scale=scale))
test_dataloader = val_dataloader
