"""Self-Deocclusion (PCNet-M) on FISHBOWL.

data    docs/completion.md
train   python tools/train.py configs/pcnet-m_given_fishbowl.py
test    python tools/test.py configs/pcnet-m_given_fishbowl.py CHECKPOINT --eval mIoU
parts   models/track_completer.py, models/completion/unet.py,
        models/completion/self_occlusion.py, models/completion/order_recovery.py
"""
_base_ = [
    '_base_/completion/pcnet-m.py', '_base_/datasets/fishbowl_tracks.py',
    '_base_/schedules/pcnet-m_32k.py', '_base_/completion_runtime.py'
]
look = dict(enlarge=1.5, aspect=1.0)  # its crops are square
train_dataloader = dict(dataset=dict(look=look))
val_dataloader = dict(dataset=dict(look=look))
test_dataloader = dict(dataset=dict(look=look))
