"""Names for the values that torch.fx, transformers, gguf and safetensors leave without a type."""

from typing import Any

from numpy.typing import NDArray

# An argument or a result of an fx node while it is lowered: a `Value`, a number, a dtype, None, or a list or
# tuple of these. Each operator has its own; torch.fx declares them as Any.
FxValue = Any

# What an fx node calls: an ATen overload, whose namespace torch fills in when it runs, or a Python function.
FxTarget = Any

# A field or a metadata value of a GGUF file, and what transformers makes of it; the gguf package is untyped.
GgufValue = Any

# What a list of cache layers is read by and gives: by number a layer, by slice a list of them.
CacheItem = Any

# The tokens in a cache layer: transformers says int; while a model is traced it is a symbolic integer.
CacheLength = Any

# An open safetensors file: the stubs of the safetensors package give its methods no types.
SafetensorsFile = Any

# An array of a number format that only the file or the caller knows.
AnyArray = NDArray[Any]
