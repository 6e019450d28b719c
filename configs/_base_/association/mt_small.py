# mt.py for tracked_rcnn_r18.py, of which a config takes the association alone: proposals are few
# already. Tracks start at a score of 0.5, as in qd_small.py.
_base_ = './mt.py'
association = dict(
    head=dict(
        roi_extractor=dict(out_channels=64),
        embed_head=dict(in_channels=64, fc_out_channels=256),
        train_cfg=dict(sampler=dict(num=64))),
    tracker=dict(init_score_thr=0.5))
