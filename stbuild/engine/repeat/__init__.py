"""The same command again: the answer when nothing has changed, and the little to look at when little has."""
