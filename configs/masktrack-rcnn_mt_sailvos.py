"""MaskTrack R-CNN: MT-based VATrack for visible masks and boxes only.

Trained on SAIL-VOS-cut, tested on the uncut SAIL-VOS videos.

train   python tools/train.py configs/masktrack-rcnn_mt_sailvos.py
test    python tools/test.py configs/masktrack-rcnn_mt_sailvos.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/mt_head.py, track/mask_track.py
"""
_base_ = './vatrack_mt_sailvos.py'
model = dict(detector=dict(roi_head=dict(mask_heads=dict(amodal=None))))
train_dataloader = dict(dataset=dict(box_kinds=('visible',), mask_kinds=('visible',)))
