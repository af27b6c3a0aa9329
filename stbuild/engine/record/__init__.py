"""What happened in a build, as events, a log and a trace."""
