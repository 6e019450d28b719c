# Of rules, which learn nothing.
test_cfg = dict(type='TestLoop')
