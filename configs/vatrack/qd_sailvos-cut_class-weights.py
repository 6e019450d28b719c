"""QD-based VATrack with the class weights of its released code; the paper mentions none."""
_base_ = ['../vatrack_qd_sailvos-cut.py', '../_base_/models/sailvos_class_weight.py']
model = dict(
    detector=dict(
        roi_head=dict(bbox_head=dict(loss_cls=dict(class_weight=_base_.class_weight)))))
