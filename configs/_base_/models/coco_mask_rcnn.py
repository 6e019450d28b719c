# Weights that the released code of VATrack starts from; a config takes them by
#   checkpoint=_base_.coco_mask_rcnn
coco_mask_rcnn = ('https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/'
                  'mask_rcnn_x101_64x4d_fpn_1x_coco/'
                  'mask_rcnn_x101_64x4d_fpn_1x_coco_20200201-9352eb0d.pth')
