# PCNet-M (Zhan et al., CVPR 2020), the Self-Deocclusion of the SaVos paper: learns from objects
# that are covered on purpose, needs no amodal masks. Values of its KINS config; crops are square
# (look.aspect=1.0 of the data).
model = dict(
    type='TrackCompleter',
    completer=dict(
        type='ImageUNet',
        inputs=['visible', 'others'],
        patch_size=(256, 256),
        width=32,
        depth=4),
    objective=dict(
        type='SelfOcclusion',
        level='frame',
        cover_probability=0.8,
        overlap=(0.4, 1.0),
        cut=(0.001, 0.9),
        tries=100,
        inside_weight=5.0,
        outside_weight=1.0,
        flip=0.5,
        shift=0.2,
        scale=(0.8, 1.2)),
    order=dict(type='OrderRecovery', threshold=0.1),
    compose='occluders',
    threshold=0.2)
