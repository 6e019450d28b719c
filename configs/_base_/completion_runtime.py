# The checkpoint of the lowest self-supervised validation loss is kept (SaVos, Sec. 4); no amodal
# truth takes part in the choice.
_base_ = './runtime.py'
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=1, save_best='val/loss', rule='less'),
    pictures=dict(type='PicturesHook', num_pictures=0))  # clips have no frames to draw
