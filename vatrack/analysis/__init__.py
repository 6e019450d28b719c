"""Tracks + truth -> what vAP is lost to."""
from .collector import KindErrors, Settings
from .errors import ErrorReport, analyze_errors, save_errors
from .page import save_page
from .pictures import Painter
from .tables import format_errors

__all__ = ['ErrorReport', 'KindErrors', 'Painter', 'Settings', 'analyze_errors', 'format_errors',
           'save_errors', 'save_page']
