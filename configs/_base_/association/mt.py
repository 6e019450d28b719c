# The association of MaskTrack R-CNN. A config takes it by
#   model = dict(association=_base_.association, detector=_base_.detector)
#   train_dataloader = dict(dataset=dict(clip_sampler=_base_.clip_sampler))
# VATrack's supplement (section B) adopts "hyperparameters from prior art" and follows "largely"
# mmtracking. These are mmtracking's, from configs/vis/masktrack_rcnn and
# configs/_base_/datasets/youtube_vis.py of its 0.x. Not mmtracking's are rate, warm-up, batch and
# size of frames, which the supplement states; losses, assigners and initial weights of the
# detector, which all systems share; and that gradients are not clipped (at 35 in mmtracking).
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
    # The supplement also has match_score_thr=0.5; the rule of mmtracking has no threshold.
    tracker=dict(
        type='MTTracker',
        init_score_thr=0.0,  # no threshold: every detection that fits no track starts one
        score_weight=1.0,
        iou_weight=2.0,
        label_weight=10.0,
        memo_frames=20))
# Fewer anchors, proposals and regions than in VATrack's code.
detector = dict(
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=200),
        rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=200)))
clip_sampler = dict(scope=100)
