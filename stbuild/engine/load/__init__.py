"""From a workspace's BUILD files and plugins to the action graph."""
