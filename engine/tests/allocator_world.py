"""Allocators as their tests want them."""

from pocket_mesos.allocator import HierarchicalAllocator, Options
from pocket_mesos.resources import Resources, parse_resources


def bundle(text: str) -> Resources:
    return Resources.of(parse_resources(text))


LEAST = (bundle("cpus:0.01"), bundle("mem:32"))
"""The default of --min_allocatable_resources."""


def allocator(**weights: float) -> HierarchicalAllocator:
    made = HierarchicalAllocator(Options(least=LEAST))
    for role, weight in weights.items():
        made.set_weight(role, weight)
    return made


def tree(*roles: str) -> HierarchicalAllocator:
    made = allocator()
    for role in roles:
        made.add_framework(role, [role], [], gpus=False)
    return made
