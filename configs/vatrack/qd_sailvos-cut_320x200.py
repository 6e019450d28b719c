"""QD-based VATrack at 320x200 (Table 6); scored at the original 1280x800."""
_base_ = '../vatrack_qd_sailvos-cut.py'
scale = (320, 200)
train_dataloader = dict(dataset=dict(scale=scale))
val_dataloader = dict(dataset=dict(scale=scale))
test_dataloader = val_dataloader
