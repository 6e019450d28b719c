"""QD-based VATrack with other weights of the mask losses: lambda1 1.5, lambda2 0.5 (Table 5)."""
_base_ = '../vatrack_qd_synthetic.py'
model = dict(
    detector=dict(
        roi_head=dict(
            mask_heads=dict(
                visible=dict(loss_mask=dict(loss_weight=1.5)),
                amodal=dict(loss_mask=dict(loss_weight=0.5))))))
