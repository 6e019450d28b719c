"""MaskTrack R-CNN: MT-based VATrack for visible masks and boxes only.

At CPU size, from scratch on the synthetic videos, 256x160.

data    python tools/make_synthetic.py --out data/synthetic
train   python tools/train.py configs/masktrack-rcnn_mt_synthetic.py
test    python tools/test.py configs/masktrack-rcnn_mt_synthetic.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/mt_head.py, track/mask_track.py
"""
_base_ = './vatrack_mt_synthetic.py'
model = dict(detector=dict(roi_head=dict(mask_heads=dict(amodal=None))))
train_dataloader = dict(dataset=dict(box_kinds=('visible',), mask_kinds=('visible',)))
