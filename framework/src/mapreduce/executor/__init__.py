"""What runs on an agent: workers that read ahead, map, keep runs and reduce."""
