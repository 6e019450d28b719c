# Made by tools/make_chewing_gum.py with exact flow; tools/make_flow.py estimates flow in its place:
# python tools/make_chewing_gum.py data/chewing-gum --flow
_base_ = './tracks.py'
data_root = 'data/chewing-gum/'
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(img_path='train/', flow='train/flow/')))
val_dataloader = dict(
    batch_size=64,
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        data_prefix=dict(img_path='val/', flow='val/flow/')))
test_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='test.json',
        data_prefix=dict(img_path='test/', flow='test/flow/')))
test_evaluator = dict(ann_file=data_root + 'test.json', protocol='savos-chewing-gum')
