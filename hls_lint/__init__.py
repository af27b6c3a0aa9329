"""A lint of HLS C++ that sees loops, arrays and markers together, at the template parameters of a design."""
