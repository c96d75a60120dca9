"""Allocation of resources to frameworks; pure, drivable without a master."""

from pocket_mesos.allocator.cycle import Allocation, Options
from pocket_mesos.allocator.hierarchical import HierarchicalAllocator
from pocket_mesos.allocator.quota import NO_QUOTA, Quota
from pocket_mesos.allocator.sorter import DRFSorter, Total

__all__ = [
    "NO_QUOTA",
    "Allocation",
    "DRFSorter",
    "HierarchicalAllocator",
    "Options",
    "Quota",
    "Total",
]
