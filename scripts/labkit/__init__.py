"""What the scripts that make images and wheels share.

Standard library only: these scripts run while the virtual environment is still being made.
"""
