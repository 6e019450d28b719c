# Made by tools/convert.py: python tools/convert.py fishbowl RAW_DIR --out data/fishbowl
_base_ = './amodal_video.py'
data_root = 'data/fishbowl/'
metainfo = dict(classes=('SmallFishA', 'MediumFishA', 'MediumFishB', 'BigFishA', 'BigFishB'))
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
        ann_file='test.json',
        data_prefix=dict(img_path='test/'),
        metainfo=metainfo))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'test.json', protocol='sailvos-full')
test_evaluator = val_evaluator
