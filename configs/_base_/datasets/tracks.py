# What all data of completion share: clips of single objects to train on, and to choose weights by;
# whole videos, all their tracks together, to test.
look = dict(enlarge=1.5, aspect=2.0, neighbours=0)  # SaVos: 1.5; the patch is 64 x 128
clip_length = 40
train_dataloader = dict(
    batch_size=24,  # clips: 12 on FISHBOWL in the released code's README
    num_workers=4,
    worker_init_fn=dict(type='vatrack.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='vatrack.stack_clips'),
    dataset=dict(type='TrackClipDataset', look=look, clip_length=clip_length, min_length=3))
val_dataloader = dict(
    batch_size=24,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='vatrack.stack_clips'),
    dataset=dict(
        type='TrackClipDataset',
        look=look,
        clip_length=clip_length,
        min_length=3,
        random_start=False))
test_dataloader = dict(
    batch_size=1,  # stretches of videos; model.batch_tracks says how many objects at a time
    num_workers=2,
    sampler=dict(type='VideoSampler'),
    collate_fn=dict(type='vatrack.stack_clips'),
    dataset=dict(type='TrackChunkDataset', look=look, chunk_length=128, context=16))
val_evaluator = dict(type='MeanLoss')
test_evaluator = dict(type='VideoInstanceMetric', metric=['mIoU'])
