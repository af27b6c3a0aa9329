"""The page of the nights: one HTML file that needs no network."""
