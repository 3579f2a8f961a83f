"""Imports altair where Python drops docstrings (`PYTHONOPTIMIZE=2`): altair needs its own.

Takes nothing, gives the module. Changes nothing for other packages.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

ALTAIR = "altair"


class DocstringLoader(SourceFileLoader):
    """Compiles a module with its docstrings, and without the cache that lacks them."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the module's source."""
        path = self.get_filename(fullname)
        code: CodeType = compile(self.get_data(path), path, "exec", dont_inherit=True, optimize=0)
        return code


class AltairFinder(MetaPathFinder):
    """Finds altair's modules for `DocstringLoader`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module; None: another package's."""
        if fullname.partition(".")[0] != ALTAIR:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = DocstringLoader(spec.loader.name, spec.loader.path)
        return spec


def import_altair() -> Any:
    """Import altair, which is slow to import and only partly typed."""
    if sys.flags.optimize < 2:
        return import_module(ALTAIR)
    finder = AltairFinder()
    sys.meta_path.insert(0, finder)
    try:
        return import_module(ALTAIR)
    finally:
        sys.meta_path.remove(finder)
