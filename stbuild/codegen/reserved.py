"""Words that no kernel, process, stream or region may have as its name in C++ or in Verilog."""

_CPP = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class
co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public
register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch
template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile
wchar_t while xor xor_eq
"""

_VERILOG = """
always assign automatic begin bit buf byte cell config design disable edge end endcase event final force fork
function generate genvar import initial inout input instance integer interface join library local logic
longint macromodule module nand negedge nor null output package packed parameter posedge primitive priority
program property pull pulldown pullup pure rand real ref reg release repeat scalared sequence shortint small
specify string strong super supply0 supply1 table task time timescale tran tri type unique use var vectored
wait wand weak wire with wor xnor
"""

_MACROS = "assert errno stdin stdout stderr linux unix i386 NULL EOF INT_MAX INT_MIN major minor makedev"
"""Macros of the headers that generated code includes, and of GNU C++."""

_GENERATED = """
std stb hls ap_int ap_uint main build launch Port Unit open_port buffers scalars unit n pos head command
token_rows t run at cmd x y
"""
"""Names that generated code gives itself."""

_C_LIBRARY = """
abort abs accept access acos alarm asin atan bind calloc cbrt ceil chdir clock clone close connect copysign
cos cosh div dup environ erf exit exp exp2 expm1 fabs fclose fdim floor fma fmax fmin fmod fopen fork free
frexp getenv gamma hypot index j0 j1 jn kill labs ldexp lgamma link listen log log10 log1p log2 logb lrint
malloc mmap modf mprotect munmap nan nice open pause pipe poll pow printf puts raise rand random read
realloc remainder remove rename rewind rint round select send setenv shutdown signal sin sinh sleep socket
splice sqrt stat strcmp strlen sync system tan tanh tgamma tee time times trunc truncate umask uname vfork
wait write y0 y1 yn
"""
"""Functions of the C library, whose C linkage kernels share."""

ANYWHERE = frozenset((*_CPP.split(), *_MACROS.split(), *_GENERATED.split()))
"""Taken in all generated C++."""
VERILOG = frozenset(_VERILOG.split())
"""Taken where a name becomes one in RTL: kernels, ports, FIFOs."""
C_LIBRARY = frozenset(_C_LIBRARY.split())
"""Taken for kernels."""
