"""QD-based VATrack with a second box head, for visible boxes.

At CPU size, from scratch on the synthetic videos, 256x160.

data    python tools/make_synthetic.py --out data/synthetic
train   python tools/train.py configs/vatrack-2box_qd_synthetic.py
test    python tools/test.py configs/vatrack-2box_qd_synthetic.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py
"""
_base_ = './vatrack_qd_synthetic.py'
model = dict(
    detector=dict(
        roi_head=dict(visible_bbox_head=_base_.model.detector.roi_head.bbox_head)))
train_dataloader = dict(dataset=dict(box_kinds=('amodal', 'visible')))
