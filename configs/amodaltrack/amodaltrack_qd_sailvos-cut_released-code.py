"""QD-based AmodalTrack as VATrack's released code trains it, where that departs from the paper.

Weights of a COCO Mask R-CNN instead of ImageNet, and class weights in the box head. Warm-up is that
of the paper, 2000 iterations.

train   python tools/train.py configs/amodaltrack/amodaltrack_qd_sailvos-cut_released-code.py
"""
_base_ = [
    '../amodaltrack_qd_sailvos-cut.py', '../_base_/models/coco_mask_rcnn.py',
    '../_base_/models/sailvos_class_weight.py'
]
model = dict(
    detector=dict(
        init_cfg=dict(type='Pretrained', checkpoint=_base_.coco_mask_rcnn),
        backbone=dict(init_cfg=None),
        roi_head=dict(bbox_head=dict(loss_cls=dict(class_weight=_base_.class_weight)))))
