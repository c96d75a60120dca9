"""Allocation of resources to frameworks; pure, drivable without a master."""

from pocket_mesos.allocator.hierarchical import Allocation, HierarchicalAllocator, Options
from pocket_mesos.allocator.quota import Quota
from pocket_mesos.allocator.sorter import DRFSorter

__all__ = ["Allocation", "DRFSorter", "HierarchicalAllocator", "Options", "Quota"]
