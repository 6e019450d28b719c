# Data of your own: DIR/{train,val}.json with frames in DIR/{train,val}/, as tools/convert.py makes
# them. DIR is data/own, or what the environment variable VATRACK_DATA says. The classes are those
# of train.json.
_base_ = './amodal_video.py'
from vatrack.files import class_names  # noqa: E402

data_root = '{{$VATRACK_DATA:data/own}}/'
metainfo = dict(classes=class_names(data_root + 'train.json'))
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
