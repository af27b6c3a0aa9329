"""What can change an action's result, and the digests that say whether it did."""
