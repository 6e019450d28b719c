"""MaskAmodal: amodal masks in single images, on SAIL-VOS-cut.

train   python tools/train.py configs/maskamodal_none_sailvos-cut.py
test    python tools/test.py configs/maskamodal_none_sailvos-cut.py CHECKPOINT --eval AP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, track/none.py
"""
_base_ = './maskjoint_none_sailvos-cut.py'
model = dict(detector=dict(roi_head=dict(mask_heads=dict(visible=None))))
train_dataloader = dict(dataset=dict(mask_kinds=('amodal',)))
