# tracked_rcnn_x101.py at a size that trains from scratch on a CPU: a narrow ResNet-18, 64 channels,
# one mask and one box regression for all classes.
_base_ = './tracked_rcnn_x101.py'
channels = 64
strides = [4, 8, 16, 32]
mask_head = dict(class_agnostic=True, in_channels=channels, conv_out_channels=channels)
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[64.0] * 3),
    detector=dict(
        backbone=dict(
            _delete_=True,
            type='ResNet',
            depth=18,
            base_channels=32,
            stem_channels=32,
            out_indices=(0, 1, 2, 3),
            norm_cfg=dict(type='BN', requires_grad=True),
            norm_eval=False),
        neck=dict(in_channels=[32, 64, 128, 256], out_channels=channels, num_outs=4,
                  norm_cfg=dict(type='BN', requires_grad=True)),
        rpn_head=dict(
            in_channels=channels,
            feat_channels=channels,
            anchor_generator=dict(scales=[8], strides=strides)),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=channels),
            bbox_head=dict(in_channels=channels, fc_out_channels=256, reg_class_agnostic=True),
            mask_roi_extractor=dict(out_channels=channels),
            mask_heads=dict(visible=mask_head, amodal=mask_head)),
        train_cfg=dict(
            rpn_proposal=dict(nms_pre=500, max_per_img=200),
            rcnn=dict(sampler=dict(num=64))),
        test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(max_per_img=30))))
