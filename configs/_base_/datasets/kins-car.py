# KINS-Video-Car, made by tools/convert.py kins-video-car, see docs/converters.md: visible masks and
# tracks of PointTrack, amodal truth in those frames that KINS has.
_base_ = './tracks.py'
data_root = 'data/kins-car/'
clip_length = 30
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        clip_length=clip_length,
        min_length=10,
        data_prefix=dict(img_path='train/', flow='train/flow/')))
val_dataloader = dict(
    batch_size=8,
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        clip_length=clip_length,
        min_length=10,
        data_prefix=dict(img_path='val/', flow='val/flow/')))
test_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='test.json',
        data_prefix=dict(img_path='test/', flow='test/flow/')))
test_evaluator = dict(ann_file=data_root + 'test.json', protocol='savos-kins')
