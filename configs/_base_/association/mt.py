# The association of MaskTrack R-CNN. A config takes it by
#   model = dict(association=_base_.association)
# The VATrack paper gives no numbers for it; these are mmtracking's, to which it refers.
association = dict(
    type='EmbeddingAssociation',
    head=dict(
        type='MTTrackHead',
        roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32]),
        embed_head=dict(
            type='MTEmbedHead',
            num_fcs=2,
            in_channels=256,
            roi_feat_size=7,
            fc_out_channels=1024,
            loss_match=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
        train_cfg=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
                match_low_quality=True,
                ignore_iof_thr=-1),
            sampler=dict(
                type='RandomSampler',
                num=128,
                pos_fraction=0.25,
                neg_pos_ub=-1,
                add_gt_as_proposals=True))),
    tracker=dict(
        type='MTTracker',
        init_score_thr=0.0,  # no threshold: every detection that fits no track starts one
        score_weight=1.0,
        iou_weight=2.0,
        label_weight=10.0,
        memo_frames=20))
