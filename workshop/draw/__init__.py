"""The page of `python -m workshop draw`: one draws and sees what the engines predict; one trains, and sees how."""
