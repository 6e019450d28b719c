"""Printing names as files have them."""
from __future__ import annotations

import sys


def print_any_name() -> None:
    """Let stdout show a name that is no Unicode text with escapes, as stderr does.

    Without that, printing it ends the program.
    """
    if hasattr(sys.stdout, 'reconfigure'):
        sys.stdout.reconfigure(errors='backslashreplace')
