"""A room without a network: `python -m workshop pack FOLDER` writes into a folder all that the room installs from."""
