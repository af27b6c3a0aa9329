// All operators, for generated code that uses many of them.
#pragma once

#include "stb/attention.hpp"
#include "stb/map.hpp"
#include "stb/norm.hpp"
#include "stb/params.hpp"
#include "stb/plumbing.hpp"
#include "stb/pointwise.hpp"
#include "stb/quantize.hpp"
#include "stb/rotary.hpp"
#include "stb/sample.hpp"
