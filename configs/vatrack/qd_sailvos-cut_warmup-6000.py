"""QD-based VATrack with the longer warm-up of its released code; the paper says 2000 iterations."""
_base_ = '../vatrack_qd_sailvos-cut.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 6000, by_epoch=False, begin=0, end=6000),
    dict(type='MultiStepLR', by_epoch=True, milestones=[8, 11], gamma=0.1)
]
