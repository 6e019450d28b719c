"""QD-based VATrack at CPU size, from scratch on the synthetic videos, 256x160.

data    python tools/make_synthetic.py --out data/synthetic
train   python tools/train.py configs/vatrack_qd_synthetic.py
test    python tools/test.py configs/vatrack_qd_synthetic.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py
"""
_base_ = [
    '_base_/models/tracked_rcnn_r18.py', '_base_/association/qd_small.py',
    '_base_/datasets/synthetic.py', '_base_/schedules/adamw_3e.py', '_base_/runtime.py'
]
model = dict(association=_base_.association)
