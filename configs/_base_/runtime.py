default_scope = 'vatrack'
randomness = dict(seed=0)
env_cfg = dict(cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
               dist_cfg=dict(backend='nccl'))
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Each epoch; the last two are kept, and the best by vAP (AP where nothing is tracked).
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2, save_best='auto'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Each process has batch norm statistics of its own; all are to be tested with the same.
    sync_buffers=dict(type='SyncBuffersHook'),
    epoch_seed=dict(type='EpochSeedHook'),
    finite_guard=dict(type='FiniteGuardHook'),
    # Checkpoints of tensors and plain values, which load without running code.
    plain_checkpoint=dict(type='PlainCheckpointHook'),
    pictures=dict(type='PicturesHook', num_pictures=4))  # 0: none
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='AmodalVisualizer', vis_backends=vis_backends)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
