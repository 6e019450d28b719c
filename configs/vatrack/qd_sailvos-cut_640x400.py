"""QD-based VATrack at 640x400 (Table 6); scored at the original 1280x800."""
_base_ = '../vatrack_qd_sailvos-cut.py'
scale = (640, 400)
train_dataloader = dict(dataset=dict(scale=scale))
val_dataloader = dict(dataset=dict(scale=scale))
test_dataloader = val_dataloader
