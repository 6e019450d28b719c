"""SaVos forward in time alone, which runs online (SaVos paper, supplement, Table 1).

train   python tools/train.py configs/savos/given_kins-car_forward.py
test    python tools/test.py configs/savos/given_kins-car_forward.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_kins-car.py'
model = dict(completer=dict(directions='forward'))
