# qd.py for tracked_rcnn_r18.py. Tracks start at a score of 0.5: a model trained this short leaves
# more uncertain detections than the paper's.
_base_ = './qd.py'
association = dict(
    head=dict(
        roi_extractor=dict(out_channels=64),
        embed_head=dict(num_convs=1, in_channels=64, conv_out_channels=64, fc_out_channels=256,
                        embed_channels=64, norm_cfg=dict(type='GN', num_groups=8)),
        train_cfg=dict(sampler=dict(num=64))),
    tracker=dict(init_score_thr=0.5, obj_score_thr=0.05))
