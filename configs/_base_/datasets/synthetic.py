# Made by tools/make_synthetic.py: python tools/make_synthetic.py --out data/synthetic
_base_ = './amodal_video.py'
data_root = 'data/synthetic/'
metainfo = dict(classes=('fish', 'turtle', 'jellyfish', 'starfish', 'leaf'))
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(img_path='train/'),
        metainfo=metainfo,
        max_occlusion=0.95))
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        data_prefix=dict(img_path='val/'),
        metainfo=metainfo))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'val.json', protocol='sailvos-full')
test_evaluator = val_evaluator
