"""What outlasts a build: contents, results, what a workspace remembers, and the locks between builds."""
