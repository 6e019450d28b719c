"""QD-based VATrack on the one video that the VATrack authors publish annotations of, on a CPU.

A check that the published format is read right: the model must fit this video. Its images are not
public, so frames are painted from the masks.

data    python tools/render_annotations.py 'ANN(bbox=amdl_bbox).json' --out data/sailvos_sample
train   python tools/train.py configs/vatrack/qd_sailvos-sample_cpu.py
test    python tools/test.py configs/vatrack/qd_sailvos-sample_cpu.py --eval AP vAP
"""
_base_ = [
    '../_base_/models/tracked_rcnn_r18.py', '../_base_/association/qd_small.py',
    '../_base_/datasets/sailvos-cut.py', '../_base_/schedules/adamw_3e.py', '../_base_/runtime.py'
]
scale = (320, 200)
model = dict(association=_base_.association)
data = dict(data_root='data/sailvos_sample/', ann_file='annotations.json',
            data_prefix=dict(img_path=''))
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(**data, scale=scale))
val_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(**data, scale=scale))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/sailvos_sample/annotations.json')
test_evaluator = val_evaluator
max_epochs = 40
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, eta_min_ratio=0.01,
         convert_to_iter_based=True)
]
default_hooks = dict(checkpoint=dict(interval=20))
