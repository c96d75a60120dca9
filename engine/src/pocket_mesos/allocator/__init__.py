"""Allocation of resources to frameworks; pure, drivable without a master."""

from pocket_mesos.allocator.hierarchical import Allocation, HierarchicalAllocator, Options
from pocket_mesos.allocator.quota import NO_QUOTA, Quota
from pocket_mesos.allocator.sorter import DRFSorter

__all__ = ["NO_QUOTA", "Allocation", "DRFSorter", "HierarchicalAllocator", "Options", "Quota"]
