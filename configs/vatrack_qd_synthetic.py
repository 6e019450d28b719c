"""QD-based VATrack at CPU size, from scratch on the synthetic videos, 256x160.

data    python tools/make_synthetic.py --out data/synthetic
train   python tools/train.py configs/vatrack_qd_synthetic.py
test    python tools/test.py --eval AP vAP
"""
_base_ = [
    '_base_/models/tracked_rcnn_x101_qd.py', '_base_/datasets/synthetic.py',
    '_base_/schedules/sgd_12e.py', '_base_/runtime.py'
]
num_classes = 5
channels = 64
strides = [4, 8, 16, 32]
mask_head = dict(num_classes=num_classes, num_convs=2, in_channels=channels,
                 conv_out_channels=channels)
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
            norm_cfg=dict(type='BN', requires_grad=True)),
        neck=dict(in_channels=[32, 64, 128, 256], out_channels=channels, num_outs=4,
                  norm_cfg=dict(type='BN', requires_grad=True)),
        rpn_head=dict(
            in_channels=channels,
            feat_channels=channels,
            anchor_generator=dict(scales=[8], strides=strides)),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=channels),
            bbox_head=dict(in_channels=channels, fc_out_channels=256, num_classes=num_classes),
            mask_roi_extractor=dict(out_channels=channels),
            mask_heads=dict(visible=mask_head, amodal=mask_head)),
        train_cfg=dict(
            rpn_proposal=dict(nms_pre=500, max_per_img=200),
            rcnn=dict(sampler=dict(num=128))),
        test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(max_per_img=30))),
    track_head=dict(
        roi_extractor=dict(out_channels=channels),
        embed_head=dict(num_convs=1, in_channels=channels, conv_out_channels=channels,
                        fc_out_channels=256, embed_channels=64,
                        norm_cfg=dict(type='GN', num_groups=8)),
        train_cfg=dict(sampler=dict(num=96))))
train_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadAmodalAnnotations'),
            dict(type='Resize', scale=(256, 160), keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ]),
    dict(type='PackClip')
]
test_pipeline = [
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='Resize', scale=(256, 160), keep_ratio=True),
        ]),
    dict(type='PackClip')
]
train_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.01),
    clip_grad=dict(max_norm=10))
max_epochs = 3
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, eta_min_ratio=0.01,
         convert_to_iter_based=True)
]
