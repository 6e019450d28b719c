# Self-Deocclusion (Zhan et al., CVPR 2020), as its code trains PCNet-M on KINS: SGD, 32,000 steps
# of 32 images.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-4))
max_iters = 32000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = []
