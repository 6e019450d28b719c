"""A network with a shape prior, in the role of VRSP-Net, on KINS-Video-Car.

data    docs/completion.md
train   python tools/train.py configs/shape-prior_given_kins-car.py
test    python tools/test.py configs/shape-prior_given_kins-car.py CHECKPOINT --eval mIoU
parts   models/track_completer.py, models/completion/shape_prior.py,
        models/completion/objectives.py
"""
_base_ = [
    '_base_/completion/shape-prior.py', '_base_/datasets/kins-car.py',
    '_base_/schedules/adam_20e.py', '_base_/completion_runtime.py'
]
look = dict(enlarge=1.5, aspect=1.0)  # crops are square
train_dataloader = dict(dataset=dict(look=look))
val_dataloader = dict(dataset=dict(look=look))
test_dataloader = dict(dataset=dict(look=look))
