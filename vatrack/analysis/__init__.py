"""Tracks + truth -> what vAP is lost to; logs of runs -> training curves."""
from .collector import KindErrors, Settings
from .errors import ErrorReport, analyze_errors, save_errors
from .log_curves import compare, format_summary
from .log_image import save_log_image
from .log_page import save_log_page
from .page import save_page
from .pictures import Painter
from .run_logs import read_runs
from .tables import format_errors

__all__ = ['ErrorReport', 'KindErrors', 'Painter', 'Settings', 'analyze_errors', 'compare',
           'format_errors', 'format_summary', 'read_runs', 'save_errors', 'save_log_image',
           'save_log_page', 'save_page']
