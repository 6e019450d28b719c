"""Videos with truth and predictions side by side, in a web browser: served, or as files."""
from .documents import Documents
from .export import export_page
from .server import BrowseServer
from .source import Source

__all__ = ['BrowseServer', 'Documents', 'Source', 'export_page']
