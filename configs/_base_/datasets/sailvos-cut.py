# SAIL-VOS-cut, laid out as the VATrack authors publish it.
_base_ = './amodal_video.py'
data_root = 'data/'
train_ann = 'sailvos_cut_json/joint/train(bbox=amdl_bbox).json'
valid_ann = 'sailvos_cut_json/joint/valid(bbox=amdl_bbox).json'
frames = dict(img_path='sailvos_cut_png/')
metainfo = dict(
    classes=('person', 'car', 'motorcycle', 'truck', 'bird', 'dog', 'handbag', 'suitcase',
             'bottle', 'cup', 'bowl', 'chair', 'potted plant', 'bed', 'dining table', 'tv',
             'laptop', 'cell phone', 'bag', 'bin', 'box', 'door', 'road barrier', 'stick'))
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file=train_ann,
        data_prefix=frames,
        metainfo=metainfo,
        max_occlusion=0.75))  # by the released code; the published files are without such objects
val_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file=valid_ann, data_prefix=frames, metainfo=metainfo))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + valid_ann, protocol='sailvos')
test_evaluator = val_evaluator
