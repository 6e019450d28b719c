"""QD-based VATrack trained on SAIL-VOS-cut, tested on the uncut SAIL-VOS videos.

train   python tools/train.py configs/vatrack_qd_sailvos.py
test    python tools/test.py configs/vatrack_qd_sailvos.py CHECKPOINT --eval AP vAP
paper   amodal AP 18.3, vAP 3.8 / vAP50 5.4; visible vAP 3.2 / vAP50 7.1
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py
"""
_base_ = [
    '_base_/models/tracked_rcnn_x101.py', '_base_/association/qd.py',
    '_base_/datasets/sailvos.py', '_base_/schedules/sgd_12e.py', '_base_/runtime.py'
]
model = dict(association=_base_.association)
