"""QD-based VATrack on SAIL-VOS-cut, X101-64x4d, 1280x800, 12 epochs, batch 4.

train   python tools/train.py configs/vatrack_qd_sailvos-cut.py
test    python tools/test.py configs/vatrack_qd_sailvos-cut.py CHECKPOINT --eval AP vAP
paper   amodal AP 18.3, vAP 14.1 / vAP50 22.3; visible AP 17.3, vAP 14.0 / vAP50 23.0
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py
"""
_base_ = [
    '_base_/models/tracked_rcnn_x101.py', '_base_/association/qd.py',
    '_base_/datasets/sailvos-cut.py', '_base_/schedules/sgd_12e.py', '_base_/runtime.py'
]
model = dict(association=_base_.association)
