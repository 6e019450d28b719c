# mmdet's schedule 1x, for models of single images: "the standard training procedure of the
# mmdetection repository" (VATrack supplement, section B), which states 12 epochs and batch 4.
# mmdet (configs/_base_/schedules/schedule_1x.py) has a rate of 0.02 for 16 images, to be scaled
# linearly.
_base_ = './sgd_12e.py'
optim_wrapper = dict(optimizer=dict(lr=0.02 * 4 / 16))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, milestones=[8, 11], gamma=0.1)
]
