"""The title a process shows in ``ps``. Loads setproctitle's extension alone: its package imports logging, a third of a standby's start."""

from importlib.machinery import ExtensionFileLoader, PathFinder


def set_title(title: str) -> None:
    """Shows ``title`` as this process's whole command line."""
    package = PathFinder.find_spec("setproctitle")
    spec = PathFinder.find_spec("_setproctitle", package.submodule_search_locations) if package else None
    if spec is None or not isinstance(spec.loader, ExtensionFileLoader):
        raise ImportError("setproctitle is not installed")
    extension = spec.loader.create_module(spec)
    spec.loader.exec_module(extension)
    extension.setproctitle(title)
