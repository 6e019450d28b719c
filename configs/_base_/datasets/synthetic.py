# Made by tools/make_synthetic.py: python tools/make_synthetic.py --out data/synthetic
# Loaders are set for a CPU.
_base_ = './amodal_video.py'
data_root = 'data/synthetic/'
metainfo = dict(classes=('fish', 'turtle', 'jellyfish', 'starfish', 'leaf'))
scale = (256, 160)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(img_path='train/'),
        metainfo=metainfo,
        max_occlusion=0.95,
        scale=scale))
val_dataloader = dict(
    num_workers=0,
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        data_prefix=dict(img_path='val/'),
        metainfo=metainfo,
        scale=scale))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'val.json', protocol='sailvos-full')
test_evaluator = val_evaluator
