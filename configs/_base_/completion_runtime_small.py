# completion_runtime.py for schedules that count steps.
_base_ = './completion_runtime.py'
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=650), logger=dict(interval=50))
log_processor = dict(by_epoch=False)
