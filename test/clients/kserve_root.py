"""Imported before kserve: makes its root an empty package. As it comes, the root
imports KServe's server and its Kubernetes client, with some sixty packages; the
inference clients are modules of their own below it."""

import importlib.util
import sys
import types

root = types.ModuleType("kserve")
root.__path__ = list(importlib.util.find_spec("kserve").submodule_search_locations)
sys.modules["kserve"] = root
