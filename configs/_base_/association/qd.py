# Quasi-dense association (QDTrack). A config takes it by
#   model = dict(association=_base_.association)
# The numbers are those of VATrack's released code; of them the supplement (section B) states
# match_score_thr alone.
association = dict(
    type='EmbeddingAssociation',
    head=dict(
        type='QDTrackHead',
        roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32]),
        embed_head=dict(
            type='QDEmbedHead',
            num_convs=4,
            num_fcs=1,
            embed_channels=256,
            norm_cfg=dict(type='GN', num_groups=32),
            loss_track=dict(type='MultiPositiveCELoss', loss_weight=0.25),
            loss_track_aux=dict(
                type='CosineMarginLoss', neg_margin=0.3, max_neg_ratio=3, loss_weight=1.0)),
        train_cfg=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.7,
                neg_iou_thr=0.3,
                min_pos_iou=0.5,
                match_low_quality=False,
                ignore_iof_thr=-1),
            sampler=dict(
                type='CombinedSampler',
                num=256,
                pos_fraction=0.5,
                neg_pos_ub=3,
                add_gt_as_proposals=True,
                pos_sampler=dict(type='InstanceBalancedPosSampler'),
                # VATrack writes floor_thr=-1, which mmdet's sampler turns into 0 at its first
                # call: a resumed run would sample otherwise than one in one go.
                neg_sampler=dict(
                    type='IoUBalancedNegSampler',
                    floor_thr=0,
                    floor_fraction=0,
                    num_bins=3)))),
    tracker=dict(
        type='QDTracker',
        init_score_thr=0.01,
        obj_score_thr=0.01,
        match_score_thr=0.5,
        memo_tracklet_frames=32,
        memo_backdrop_frames=1,
        memo_momentum=0.8,
        nms_conf_thr=0.5,
        nms_backdrop_iou_thr=0.3,
        nms_class_iou_thr=0.7,
        with_cats=True,
        match_metric='bisoftmax'))
