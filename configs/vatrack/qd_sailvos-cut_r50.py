"""QD-based VATrack with a ResNet-50; the released code trains it with batch 8 and lr 0.005-0.01."""
_base_ = [
    '../_base_/models/tracked_rcnn_r50.py', '../_base_/association/qd.py',
    '../_base_/datasets/sailvos-cut.py', '../_base_/schedules/sgd_12e.py', '../_base_/runtime.py'
]
model = dict(association=_base_.association)
