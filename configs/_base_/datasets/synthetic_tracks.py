# Made by tools/make_synthetic.py: python tools/make_synthetic.py --out data/synthetic --flow
# Loaders are set for a CPU.
_base_ = './tracks.py'
data_root = 'data/synthetic/'
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        clip_length=12,
        data_prefix=dict(img_path='train/', flow='train/flow/')))
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        clip_length=12,
        data_prefix=dict(img_path='val/', flow='val/flow/')))
test_dataloader = dict(
    num_workers=0,
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        data_prefix=dict(img_path='val/', flow='val/flow/')))
test_evaluator = dict(
    ann_file=data_root + 'val.json', metric=['AP', 'vAP', 'mIoU'], protocol='sailvos-full')
