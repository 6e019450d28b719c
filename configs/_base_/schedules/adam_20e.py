# SaVos, Sec. 4: Adam, 20 epochs (200 on KINS-Video-Car), no decay; the weights of the lowest
# self-supervised validation loss are kept. The released code halves the rate every 20 epochs.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
max_epochs = 20
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = []
