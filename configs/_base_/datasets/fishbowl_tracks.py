# Made by tools/convert.py fishbowl, tools/make_flow.py and tools/select_tracks.py, see
# docs/completion.md. SaVos trains on fish whose visible shape changes, and is tested on fish that
# are hidden between 10 and 70 %.
_base_ = './tracks.py'
data_root = 'data/fishbowl/'
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        selection='train_tracks.json',
        data_prefix=dict(img_path='train/', flow='train/flow/')))
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        selection='val_tracks.json',
        data_prefix=dict(img_path='val/', flow='val/flow/')))
test_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='test.json',
        selection='test_tracks.json',
        data_prefix=dict(img_path='test/', flow='test/flow/')))
test_evaluator = dict(
    ann_file=data_root + 'test.json',
    selection=data_root + 'test_tracks.json',
    protocol='savos')
