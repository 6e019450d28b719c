"""VATrack with two box heads as its released code trains it, where that departs from the paper.

As configs/vatrack/qd_sailvos-cut_released-code.py: weights of a COCO Mask R-CNN instead of
ImageNet, 6000 iterations of warm-up instead of 2000, and class weights, in both box heads here. In
the released code COCO's box head meets the visible one by its name. Here the amodal one would take
it, so the weights are converted first.

data    python tools/convert_checkpoint.py mask_rcnn_x101_64x4d_fpn_1x_coco_20200201-9352eb0d.pth \\
            checkpoints/coco_visible-box.pth --from coco --box-head visible
train   python tools/train.py configs/vatrack-2box/vatrack-2box_qd_sailvos-cut_released-code.py
"""
_base_ = '../vatrack/qd_sailvos-cut_released-code.py'
model = dict(
    detector=dict(
        init_cfg=None,
        roi_head=dict(visible_bbox_head=_base_.model.detector.roi_head.bbox_head)))
train_dataloader = dict(dataset=dict(box_kinds=('amodal', 'visible')))
load_from = 'checkpoints/coco_visible-box.pth'
