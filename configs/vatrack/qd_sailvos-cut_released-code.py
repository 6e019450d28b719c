"""QD-based VATrack as its released code trains it, where that departs from the paper.

Weights of a COCO Mask R-CNN instead of ImageNet, 6000 iterations of warm-up instead of 2000, and
class weights in the box head, which the paper does not mention.
"""
_base_ = ['./qd_sailvos-cut_class-weights.py', '../_base_/models/coco_mask_rcnn.py']
model = dict(
    detector=dict(
        init_cfg=dict(type='Pretrained', checkpoint=_base_.coco_mask_rcnn),
        backbone=dict(init_cfg=None)))
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 6000, by_epoch=False, begin=0, end=6000),
    dict(type='MultiStepLR', by_epoch=True, milestones=[8, 11], gamma=0.1)
]
