"""QD-based VATrack as its released code trains it, where that departs from the paper.

Weights of a COCO Mask R-CNN instead of ImageNet, 6000 iterations of warm-up instead of 2000, and
class weights in the box head, which the paper does not mention.
"""
_base_ = '../vatrack_qd_sailvos-cut.py'
class_weight = [
    0.1,  # person
    0.8,  # car
    12.5,  # motorcycle
    7.0,  # truck
    15.5,  # bird
    16.0,  # dog
    9.5,  # handbag
    20.8,  # suitcase
    0.9,  # bottle
    0.9,  # cup
    3.5,  # bowl
    0.8,  # chair
    1.5,  # potted plant
    17.8,  # bed
    1.9,  # dining table
    3.4,  # tv
    104.0,  # laptop
    4.4,  # cell phone
    1.8,  # bag
    1.4,  # bin
    0.35,  # box
    0.8,  # door
    1.3,  # road barrier
    3.3,  # stick
    1.0,  # background
]
coco_mask_rcnn = ('https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/'
                  'mask_rcnn_x101_64x4d_fpn_1x_coco/'
                  'mask_rcnn_x101_64x4d_fpn_1x_coco_20200201-9352eb0d.pth')
model = dict(
    detector=dict(
        init_cfg=dict(type='Pretrained', checkpoint=coco_mask_rcnn),
        backbone=dict(init_cfg=None),
        roi_head=dict(bbox_head=dict(loss_cls=dict(class_weight=class_weight)))))
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 6000, by_epoch=False, begin=0, end=6000),
    dict(type='MultiStepLR', by_epoch=True, milestones=[8, 11], gamma=0.1)
]
