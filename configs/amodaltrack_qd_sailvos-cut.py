"""QD-based AmodalTrack: VATrack without visible masks, on SAIL-VOS-cut.

train   python tools/train.py configs/amodaltrack_qd_sailvos-cut.py
test    python tools/test.py configs/amodaltrack_qd_sailvos-cut.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py
"""
_base_ = './vatrack_qd_sailvos-cut.py'
model = dict(detector=dict(roi_head=dict(mask_heads=dict(visible=None))))
train_dataloader = dict(dataset=dict(mask_kinds=('amodal',)))
