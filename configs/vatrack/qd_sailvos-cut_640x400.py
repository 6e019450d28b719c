"""QD-based VATrack at 640x400 (Table 6); scored at the original 1280x800."""
_base_ = '../vatrack_qd_sailvos-cut.py'
scale = (640, 400)
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[0].transforms[2].scale = scale
test_pipeline[0].transforms[1].scale = scale
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
