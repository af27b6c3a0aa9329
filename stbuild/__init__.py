"""stbuild takes a PyTorch LLM to a running FPGA accelerator with one incremental command."""

__version__ = "0.1.0"
