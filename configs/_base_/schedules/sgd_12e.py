# Rate, warm-up, steps and epochs: VATrack supplement, section B, video-based methods. Momentum,
# weight decay and no clipping of gradients: its released code; 1e9 is never reached. To clip:
#   --cfg-options optim_wrapper.clip_grad.max_norm=35
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.0025, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=1e9))
param_scheduler = [
    # The released VATrack configs warm up for 6000 iterations from 1/6000.
    dict(type='LinearLR', start_factor=1 / 2000, by_epoch=False, begin=0, end=2000),
    dict(type='MultiStepLR', by_epoch=True, milestones=[8, 11], gamma=0.1)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
