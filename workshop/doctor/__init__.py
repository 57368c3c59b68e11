"""Is this machine ready for the room? `python -m workshop doctor` asks."""
