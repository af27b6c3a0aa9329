"""Processes of this machine: how they are started, walled in, limited and ended."""
