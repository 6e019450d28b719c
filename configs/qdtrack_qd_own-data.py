"""QDTrack: VATrack for visible masks and boxes only, on data of your own, which may have no others.

train   python tools/train.py configs/qdtrack_qd_own-data.py
test    python tools/test.py configs/qdtrack_qd_own-data.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py

Where the data are: configs/vatrack_qd_own-data.py.
"""
_base_ = './vatrack_qd_own-data.py'
model = dict(detector=dict(roi_head=dict(mask_heads=dict(amodal=None))))
train_dataloader = dict(dataset=dict(box_kinds=('visible',), mask_kinds=('visible',)))
