"""QD-based VATrack on data of your own at a size that trains from scratch on a CPU, 384x256.

train   python tools/train.py configs/vatrack/qd_own-data_cpu.py

Where the data are: configs/vatrack_qd_own-data.py.
"""
_base_ = [
    '../_base_/models/tracked_rcnn_r18.py', '../_base_/association/qd_small.py',
    '../_base_/datasets/own_data.py', '../_base_/schedules/adamw_3e.py', '../_base_/runtime.py'
]
model = dict(association=_base_.association)
scale = (384, 256)
train_dataloader = dict(batch_size=2, num_workers=0, dataset=dict(scale=scale))
val_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(scale=scale))
test_dataloader = val_dataloader
