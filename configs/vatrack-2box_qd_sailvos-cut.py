"""QD-based VATrack with a second box head, for visible boxes, on SAIL-VOS-cut.

train   python tools/train.py configs/vatrack-2box_qd_sailvos-cut.py
test    python tools/test.py configs/vatrack-2box_qd_sailvos-cut.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py
"""
_base_ = './vatrack_qd_sailvos-cut.py'
model = dict(
    detector=dict(
        roi_head=dict(visible_bbox_head=_base_.model.detector.roi_head.bbox_head)))
train_dataloader = dict(dataset=dict(box_kinds=('amodal', 'visible')))
