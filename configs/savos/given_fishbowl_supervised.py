"""SaVos trained on amodal truth, a switch of the released code.

train   python tools/train.py configs/savos/given_fishbowl_supervised.py
test    python tools/test.py configs/savos/given_fishbowl_supervised.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_fishbowl.py'
model = dict(objective=dict(_delete_=True, type='Supervised', consistency='paper'))
