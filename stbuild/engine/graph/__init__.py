"""The action graph as values: labels, files, actions, and questions about them."""
