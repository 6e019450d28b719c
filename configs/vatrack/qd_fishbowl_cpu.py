"""QD-based VATrack on FISHBOWL at a size that trains from scratch on a CPU."""
_base_ = [
    '../_base_/models/tracked_rcnn_r18.py', '../_base_/association/qd_small.py',
    '../_base_/datasets/fishbowl.py', '../_base_/schedules/adamw_3e.py', '../_base_/runtime.py'
]
model = dict(association=_base_.association)
scale = (384, 256)
train_dataloader = dict(batch_size=2, num_workers=0, dataset=dict(scale=scale))
val_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(scale=scale))
test_dataloader = val_dataloader
