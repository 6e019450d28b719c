"""QD-based VATrack from the weights of a COCO Mask R-CNN; the paper says ImageNet.

COCO's mask head fills the visible one, as in the released code. To start the amodal one too:
  python tools/convert_checkpoint.py COCO.pth coco_both.pth --from coco --copy-amodal
and train with --cfg-options model.detector.init_cfg=None load_from=coco_both.pth
"""
_base_ = ['../vatrack_qd_sailvos-cut.py', '../_base_/models/coco_mask_rcnn.py']
model = dict(
    detector=dict(
        init_cfg=dict(type='Pretrained', checkpoint=_base_.coco_mask_rcnn),
        backbone=dict(init_cfg=None)))
