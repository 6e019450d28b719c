"""SaVos forward in time alone, which runs online (SaVos paper, supplement, Table 1).

train   python tools/train.py configs/savos/given_fishbowl_forward.py
test    python tools/test.py configs/savos/given_fishbowl_forward.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_fishbowl.py'
model = dict(completer=dict(directions='forward'))
