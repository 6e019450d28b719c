# What all datasets share: key/reference clips for training, whole videos in order for testing.
scale = (1280, 800)  # width, height of what the network sees; the datasets read it
train_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,  # key and reference frame are flipped together
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadAmodalAnnotations', reference_masks=False),
            dict(type='Resize', keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ]),
    dict(type='PackClip')
]
test_pipeline = [
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='Resize', keep_ratio=True),
        ]),
    dict(type='PackClip')
]
train_dataloader = dict(
    batch_size=4,  # clips: 4 key and 4 reference frames
    num_workers=4,
    worker_init_fn=dict(type='vatrack.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='AmodalVideoDataset',
        box_kinds=('amodal',),
        mask_kinds=('amodal', 'visible'),
        clip_sampler=dict(type='KeyReferenceSampler', scope=3, num_refs=1),
        scale=scale,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,  # consecutive frames: they are detected together, then tracked in order
    num_workers=4,
    worker_init_fn=dict(type='vatrack.seed_worker'),
    sampler=dict(type='VideoSampler'),
    batch_sampler=dict(type='VideoBatchSampler'),
    dataset=dict(
        type='AmodalVideoDataset', test_mode=True, scale=scale, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='VideoInstanceMetric', metric=['AP', 'vAP'], protocol='sailvos-full')
test_evaluator = val_evaluator
