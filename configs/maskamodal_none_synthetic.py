"""MaskAmodal: amodal masks in single images.

At CPU size, from scratch on the synthetic videos, 256x160.

data    python tools/make_synthetic.py --out data/synthetic
train   python tools/train.py configs/maskamodal_none_synthetic.py
test    python tools/test.py configs/maskamodal_none_synthetic.py CHECKPOINT --eval AP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, track/none.py
"""
_base_ = './maskjoint_none_synthetic.py'
model = dict(detector=dict(roi_head=dict(mask_heads=dict(visible=None))))
train_dataloader = dict(dataset=dict(mask_kinds=('amodal',)))
