"""Published and measured numbers as data, and the tables made from them."""
from .overview import fill_overviews, overview
from .pages import results_page, save_results, study_page
from .rows import COLUMNS, ResultRow, ResultRowError, merge_rows, read_rows, write_rows
from .summary import Summary, summarise
from .systems import SYSTEMS, ConfigName, name_config

__all__ = [
    'COLUMNS', 'SYSTEMS', 'ConfigName', 'ResultRow', 'ResultRowError', 'Summary',
    'fill_overviews', 'merge_rows', 'name_config', 'overview', 'read_rows', 'results_page',
    'save_results', 'study_page', 'summarise', 'write_rows'
]
