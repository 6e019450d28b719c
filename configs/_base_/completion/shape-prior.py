# A network with a codebook of shapes, one image at a time, in the role of VRSP-Net (Xiao et al.,
# AAAI 2021): the supervised oracle of the SaVos paper on KINS-Video-Car. What it keeps of VRSP-Net
# and what not: vatrack/models/completion/shape_prior.py. Sizes are ours.
model = dict(
    type='TrackCompleter',
    completer=dict(
        type='ShapePriorNet',
        inputs=['visible', 'image'],
        patch_size=(256, 256),
        width=32,
        depth=4,
        codes=256,
        code_size=(28, 28),
        priors=8,
        refine_channels=32),
    objective=dict(type='Supervised', consistency=None, mask_weight=1.0, reduction='mean'),
    order=None,
    compose='occluders',
    threshold=0.5)
