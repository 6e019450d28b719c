"""Mask R-CNN at CPU size on single synthetic images, visible masks only: weights to start from.

It is to the CPU-sized models what COCO weights are to the full-size ones; its images are not those
that the models are trained on.

data    python tools/make_synthetic.py --out data/synthetic_images --seed 1 \\
            --splits train:1500x1 val:200x1
train   python tools/train.py configs/vatrack/mask-rcnn_synthetic.py
"""
_base_ = '../maskjoint_none_synthetic.py'
data = dict(data_root='data/synthetic_images/')
model = dict(detector=dict(roi_head=dict(mask_heads=dict(amodal=None))))
train_dataloader = dict(dataset=dict(**data, box_kinds=('visible',), mask_kinds=('visible',)))
val_dataloader = dict(dataset=data)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/synthetic_images/val.json')
test_evaluator = val_evaluator
