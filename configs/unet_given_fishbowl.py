"""A U-Net trained on amodal truth, the supervised oracle of SaVos, on FISHBOWL.

data    docs/completion.md
train   python tools/train.py configs/unet_given_fishbowl.py
test    python tools/test.py configs/unet_given_fishbowl.py CHECKPOINT --eval mIoU
parts   models/track_completer.py, models/completion/unet.py, models/completion/objectives.py
"""
_base_ = [
    '_base_/completion/unet.py', '_base_/datasets/fishbowl_tracks.py',
    '_base_/schedules/adam_20e.py', '_base_/completion_runtime.py'
]
look = dict(enlarge=1.5, aspect=1.0)  # crops are square
train_dataloader = dict(dataset=dict(look=look))
val_dataloader = dict(dataset=dict(look=look))
test_dataloader = dict(dataset=dict(look=look))
