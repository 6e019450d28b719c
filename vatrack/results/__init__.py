"""Published and measured numbers as data, and the tables made from them."""
from .pages import results_page, save_results, study_page
from .rows import COLUMNS, ResultRow, ResultRowError, merge_rows, read_rows, write_rows
from .summary import Summary, summarise
from .systems import SYSTEMS, ConfigName, name_config

__all__ = [
    'COLUMNS', 'SYSTEMS', 'ConfigName', 'ResultRow', 'ResultRowError', 'Summary', 'merge_rows',
    'name_config', 'read_rows', 'results_page', 'save_results', 'study_page', 'summarise',
    'write_rows'
]
