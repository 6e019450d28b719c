"""The network of SaVos with the loss of Self-Deocclusion (SaVos paper, supplement, Table 2).

train   python tools/train.py configs/savos/given_kins-car_self-occlusion.py
test    python tools/test.py configs/savos/given_kins-car_self-occlusion.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_kins-car.py'
model = dict(objective=dict(_delete_=True, type='SelfOcclusion', level='clip'))
