# A short schedule of steps for small completion models: Adam at 20 times the rate of SaVos.
max_iters = 2600
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-3))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=650)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=max_iters, eta_min_ratio=0.01)
]
