# pcnet-m.py at a size that trains on a CPU.
_base_ = './pcnet-m.py'
model = dict(completer=dict(patch_size=(64, 64), width=16))
