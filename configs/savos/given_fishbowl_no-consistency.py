"""SaVos without the consistency loss (SaVos paper, supplement, Table 1).

train   python tools/train.py configs/savos/given_fishbowl_no-consistency.py
test    python tools/test.py configs/savos/given_fishbowl_no-consistency.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_fishbowl.py'
model = dict(objective=dict(consistency=None))
